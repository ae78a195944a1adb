class_name DemoTransport
extends RefCounted
## Makes the [MultiplayerPeer] that carries the game: of this addon, or, to compare, the engine's
## own. They have one API; a project of yours has only the first line.

## After so many milliseconds what the synchronizers send is of no use any more.
const LIFETIME: int = 250


static func create(impl: String, lifetime: int = LIFETIME) -> MultiplayerPeer:
	if impl == "rust":
		var peer := RustWebSocketMultiplayerPeer.new()
		# A client behind a slow link sees the present.
		peer.unreliable_lifetime = lifetime
		return peer
	return WebSocketMultiplayerPeer.new()


static func name_of_class(impl: String) -> String:
	return "RustWebSocketMultiplayerPeer" if impl == "rust" else "WebSocketMultiplayerPeer"


## One sentence that says why [param impl] cannot be used, or nothing.
static func complaint(impl: String) -> String:
	return "" if impl in ["rust", "builtin"] else "Unknown --impl=%s (known: rust, builtin)." % impl


## Why [param peer] could not start or ended, as a sentence; [param otherwise] if it does not say.
## Only the addon's class knows.
static func reason(peer: MultiplayerPeer, otherwise: String) -> String:
	var ours := peer as RustWebSocketMultiplayerPeer
	if not ours or ours.get_error_message().is_empty():
		return otherwise
	var text: String = ours.get_error_message()
	return text[0].to_upper() + text.substr(1) + ("" if text.ends_with(".") else ".")


## Whether the connection of [param peer] has ended in a way that will not change. Only the addon's
## class knows with which code it did.
static func has_ended_for_good(peer: MultiplayerPeer) -> bool:
	var ours := peer as RustWebSocketMultiplayerPeer
	return ours != null and RustWebSocketClient.is_final_code(ours.get_close_code())


## A TCP port that nobody listens on at [param address], chosen by the system; 0 if there is none.
static func free_port(address: String) -> int:
	var probe := TCPServer.new()
	if probe.listen(0, address) != OK:
		return 0
	var port: int = probe.get_local_port()
	probe.stop()
	return port
