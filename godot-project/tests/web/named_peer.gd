class_name WebTestPeer
extends RustWebSocketPeer
## A project's global class that extends one of the addon's.

var extra := 1


func greet() -> Error:
	return send_text("greeting %d" % extra)
