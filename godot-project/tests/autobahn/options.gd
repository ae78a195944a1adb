extends RefCounted
## What the testees of the Autobahn test suite have in common.

const OPEN := 1
const TEXT := 0
const BINARY := 1
## The largest messages of the suite have 16 MiB.
const BUFFER_SIZE := 64 << 20

var peer_class := "RustWebSocketPeer"
var compression := 0
var context_takeover := 1
var port := 0
## Whether a message `close:CODE:REASON` closes the connection instead of being sent back.
var has_commands := false
## Where a client finds the suite's server.
var url := ""
var agent := ""


func _init() -> void:
	for argument in OS.get_cmdline_user_args():
		var parts := argument.split("=", true, 1)
		match parts[0]:
			"class": peer_class = parts[1]
			"compression": compression = int(parts[1])
			"takeover": context_takeover = int(parts[1])
			"port": port = int(parts[1])
			"commands": has_commands = int(parts[1]) == 1
			"url": url = parts[1]
			"agent": agent = parts[1]
			_: printerr("unknown argument '%s'" % argument)


func new_peer() -> PacketPeer:
	var peer: PacketPeer = ClassDB.instantiate(peer_class)
	peer.inbound_buffer_size = BUFFER_SIZE
	peer.outbound_buffer_size = 2 * BUFFER_SIZE
	if compression == 1:
		peer.compression = 1
		peer.compression_threshold = 0
		peer.compression_context_takeover = context_takeover == 1
	return peer


## Polls the peer and sends back what has arrived; true if anything has.
func echo(peer: PacketPeer) -> bool:
	peer.poll()
	var is_busy := false
	while peer.get_ready_state() == OPEN and peer.get_available_packet_count() > 0:
		var packet := peer.get_packet()
		if has_commands and packet.size() < 100 and packet.get_string_from_ascii().begins_with("close:"):
			var parts := packet.get_string_from_ascii().split(":")
			peer.close(int(parts[1]), parts[2])
			return true
		peer.send(packet, TEXT if peer.was_string_packet() else BINARY)
		is_busy = true
	return is_busy
