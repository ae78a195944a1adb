extends RefCounted
## What the testees of the Autobahn test suite have in common, and those of ci/peers.

const OPEN := 1
const TEXT := 0
const BINARY := 1
## The largest messages of the suite have 16 MiB.
const BUFFER_SIZE := 64 << 20

var peer_class := "RustWebSocketPeer"
var compression := 0
var context_takeover := 1
var port := 0
## Where a client finds the suite's server.
var url := ""
## What that server is to take for its own URL, if it is behind another one.
var seen := ""
var agent := ""


func _init() -> void:
	for argument in OS.get_cmdline_user_args():
		var parts := argument.split("=", true, 1)
		match parts[0]:
			"class": peer_class = parts[1]
			"compression": compression = int(parts[1])
			"takeover": context_takeover = int(parts[1])
			"port": port = int(parts[1])
			"url": url = parts[1]
			"seen": seen = parts[1]
			"agent": agent = parts[1]
			_: printerr("unknown argument '%s'" % argument)


func new_peer() -> PacketPeer:
	return new_peer_of(peer_class)


func new_peer_of(name_of_class: String) -> PacketPeer:
	var peer: PacketPeer = ClassDB.instantiate(name_of_class)
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
		peer.send(packet, TEXT if peer.was_string_packet() else BINARY)
		is_busy = true
	return is_busy
