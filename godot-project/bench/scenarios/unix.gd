extends "res://bench/scenario.gd"
## A server on a socket file and one on a port of loopback: one client with one message at a time,
## and 100 clients with 8 under way each (ours only: the engine's class knows no socket files).

const SocketFiles := preload("res://tests/harness/socket_files.gd")


func run() -> void:
	if not WebSocketMultiplayerPeer.new().has_method(&"get_local_port"):
		return
	var file := SocketFiles.path()
	var port := free_port()
	# The file first in one, the port first in the other: what comes second finds a warm machine.
	_measure("file", 0, "unix:" + file, {"unix": file}, 1, 1)
	_measure("tcp", port, "127.0.0.1", {"port": port}, 1, 1)
	_measure("tcp", port, "127.0.0.1", {"port": port}, 100, 8)
	_measure("file", 0, "unix:" + file, {"unix": file}, 100, 8)


func _measure(
	name: String, port: int, address: String, way: Dictionary, count: int, window: int
) -> void:
	var server := WebSocketMultiplayerPeer.new()
	if server.create_server(port, address) != OK:
		return
	var arguments := {
		"clients": count, "id": 1, "at-once": 4, "window": window, "seconds": seconds,
		"connect-seconds": PATIENCE,
	}
	arguments.merge(way)
	start_load("clients", arguments)
	if wait_for_clients(server, count):
		echo(server)
		_note(name, count)
	server.close()
	wait_for_load()


func _note(name: String, count: int) -> void:
	var result := load_result()
	if count == 1:
		metrics["p50_us_" + name] = result.get("p50_us", 0.0)
		metrics["p99_us_" + name] = result.get("p99_us", 0.0)
	else:
		var time := maxf(result.get("seconds", 1.0), 0.001)
		metrics["messages_per_s_" + name] = result.get("echoes", 0.0) / time
