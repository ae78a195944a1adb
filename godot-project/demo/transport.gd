class_name DemoTransport
extends RefCounted
## Makes the [MultiplayerPeer] that carries the game.
##
## The two implementations have one API, so this lookup is all that differs between them. A project that
## always has the addon writes [code]RustWebSocketMultiplayerPeer.new()[/code] instead; looking the name up
## keeps the scripts loadable where the addon has not been built.

const CLASSES: Dictionary = {
	"rust": &"RustWebSocketMultiplayerPeer",
	"builtin": &"WebSocketMultiplayerPeer",
}


## One sentence that says why [param impl] cannot be used, or nothing.
static func complaint(impl: String) -> String:
	if not CLASSES.has(impl):
		return "Unknown --impl=%s (known: rust, builtin)." % impl
	if ClassDB.class_exists(CLASSES[impl]):
		return ""
	if impl == "rust":
		return "The addon is missing: run ci/build.sh, or play on the built-in classes with --impl=builtin."
	return "This engine was built without its WebSocket module: play with --impl=rust."


static func create(impl: String) -> MultiplayerPeer:
	return ClassDB.instantiate(CLASSES[impl])


## A TCP port that nobody listens on at [param address], chosen by the system; 0 if there is none.
static func free_port(address: String) -> int:
	var probe := TCPServer.new()
	if probe.listen(0, address) != OK:
		return 0
	var port: int = probe.get_local_port()
	probe.stop()
	return port
