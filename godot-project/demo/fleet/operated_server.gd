extends Node
## What operators need of a server: it drains on SIGTERM, answers health checks, and shows numbers
## to Prometheus. A proxy in front has to keep /metrics to itself.

const GAUGES: Dictionary = {
	"connections": "Clients that are in.",
	"handshakes_pending": "Connections that are not in yet.",
	"unread_messages": "Arrived, and not yet read by the game.",
	"unsent_bytes": "Waiting for clients that do not read fast enough.",
}
const COUNTERS: Dictionary = {
	"connections_total": "Clients that have come in.",
	"messages_in": "Messages received.",
	"messages_out": "Messages sent.",
	"wire_bytes_in": "Bytes received.",
	"wire_bytes_out": "Bytes sent.",
	"sends_refused": "Sends that a full buffer has refused.",
	"handshakes_failed": "Connections of which nothing came.",
	"refused_full": "Newcomers refused by max_clients.",
	"refused_address": "Newcomers refused by max_clients_per_address.",
}

@export var port: int = 9080

var _peer := RustWebSocketMultiplayerPeer.new()
var _lifecycle := RustWebSocketServerLifecycle.new()


func _ready() -> void:
	add_child(_lifecycle)
	_peer.request_callback = _answer
	print("server: listening on port %d: %s" % [port, error_string(_peer.create_server(port))])
	multiplayer.multiplayer_peer = _peer


func _answer(request: RustWebSocketRequest) -> void:
	if request.is_websocket():
		request.accept()
	elif request.get_path() == "/health": # Whether to send new players here.
		request.respond(503 if _lifecycle.is_draining() else 200)
	elif request.get_path() == "/alive": # Whether the game runs at all.
		request.respond(200)
	elif request.get_path() == "/metrics":
		request.respond(200, _metrics(), ["Content-Type: text/plain; version=0.0.4"])
	else:
		request.respond(404)


func _metrics() -> String:
	var sums: Dictionary = _peer.get_statistics()
	var frame: float = Performance.get_monitor(Performance.TIME_PROCESS)
	var busy: int = RustWebSocketPeer.get_process_statistics().io_thread_busy_usec
	var text: String = (
		_metric("frame_seconds", "gauge", "The longest frame of the last second.", "%f" % frame)
		+ _metric("memory_bytes", "gauge", "Resident memory.", str(_resident_bytes()))
		+ _metric("io_seconds_total", "counter", "Work of the network thread.", "%f" % (busy / 1e6)))
	for key: String in GAUGES:
		text += _metric(key, "gauge", GAUGES[key], str(sums[key]))
	for key: String in COUNTERS:
		var name_of_it: String = key.trim_suffix("_total") + "_total"
		text += _metric(name_of_it, "counter", COUNTERS[key], str(sums[key]))
	return text


## The engine's own count is 0 in release builds. Linux only; a page has 4096 bytes on x86_64.
func _resident_bytes() -> int:
	var file := FileAccess.open("/proc/self/statm", FileAccess.READ)
	return int(file.get_line().get_slice(" ", 1)) * 4096 if file else 0


func _metric(key: String, type: String, help: String, value: String) -> String:
	return "# HELP game_{0} {1}\n# TYPE game_{0} {2}\ngame_{0} {3}\n".format(
		[key, help, type, value])
