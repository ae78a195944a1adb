extends RefCounted
## What the scenarios share: the load generator, pacing, and what the system says about this
## process.

const FRAME_USEC := 1_000_000 / 60.0
## Nothing here waits longer for anything.
const PATIENCE := 60.0

var seconds := 3.0
var clients := 0
## What was measured, by name.
var metrics: Dictionary[String, float] = {}

var _starter := StreamPeerTCP.new()
var _result_file := ""
var _loads_running := 0


func setup(options: Dictionary) -> void:
	seconds = options.seconds.to_float()
	clients = options.clients.to_int()
	_starter.connect_to_host("127.0.0.1", options.starter.to_int())
	var end := end_of(5.0)
	while _starter.get_status() == StreamPeerTCP.STATUS_CONNECTING and Time.get_ticks_usec() < end:
		_starter.poll()
	_starter.set_no_delay(true)
	_result_file = options.dir.path_join("load-%d.txt" % OS.get_process_id())


func run() -> void:
	pass


func finish() -> void:
	DirAccess.remove_absolute(_result_file)


# ---- the load generator

## Starts it as `clients` or `server`; it ends with this process at the latest.
func start_load(role: String, arguments: Dictionary) -> void:
	var words := PackedStringArray([role, "result=" + _result_file])
	for name: String in arguments:
		words.append("%s=%s" % [name, arguments[name]])
	DirAccess.remove_absolute(_result_file)
	_loads_running += 1
	_start("load", words)


func is_load_done() -> bool:
	return FileAccess.file_exists(_result_file) or not _is_running()


## For a scenario that starts another one.
func wait_for_load() -> void:
	var end := end_of(5.0)
	while _is_running() and Time.get_ticks_usec() < end:
		OS.delay_usec(1000)
	DirAccess.remove_absolute(_result_file)


## Has a program started beside this process, which must not do it itself: all its memory would be
## marked to be copied, and the polls that come then take twice as long.
func _start(program: String, arguments: PackedStringArray) -> void:
	_starter.put_data((program + "\t" + "\t".join(arguments) + "\n").to_utf8_buffer())


func _is_running() -> bool:
	_starter.poll()
	var news := _starter.get_utf8_string(_starter.get_available_bytes())
	_loads_running -= news.count("ended load\n")
	return _loads_running > 0 and _starter.get_status() == StreamPeerTCP.STATUS_CONNECTED


## What it said, once it is done.
func load_result() -> Dictionary[String, float]:
	var result: Dictionary[String, float] = {}
	for line in FileAccess.get_file_as_string(_result_file).split("\n", false):
		var words := line.split(" ")
		result[words[0]] = words[1].to_float()
	return result


## The port of the echo server that the load generator is.
func start_echo_server(arguments: Dictionary) -> int:
	start_load("server", arguments)
	var end := end_of(5.0)
	while not is_load_done() and Time.get_ticks_usec() < end:
		OS.delay_usec(1000)
	return int(load_result().get("port", 0.0))


## The port of a link to the server on `port` that takes so many bytes a second of what that sends,
## through a small receive buffer.
func start_slow_link(port: int, rate: int) -> int:
	var file := "%s-link-%d" % [_result_file, port]
	_start("slow_link", ["to=%d" % port, "rate=%d" % rate, "seconds=120", "result=" + file])
	var end := end_of(5.0)
	while not FileAccess.file_exists(file) and Time.get_ticks_usec() < end:
		OS.delay_usec(1000)
	var link_port := FileAccess.get_file_as_string(file).get_slice(" ", 1).to_int()
	DirAccess.remove_absolute(file)
	return link_port


# ---- time

func end_of(duration: float) -> int:
	return Time.get_ticks_usec() + int(duration * 1_000_000.0)


## Calls `work` 60 times a second for a while; microseconds that each call took.
func paced(duration: float, work: Callable) -> PackedInt64Array:
	var took := PackedInt64Array()
	var end := end_of(duration)
	var due := float(Time.get_ticks_usec())
	while Time.get_ticks_usec() < end:
		var began := Time.get_ticks_usec()
		work.call()
		took.append(Time.get_ticks_usec() - began)
		due = maxf(due + FRAME_USEC, began)
		OS.delay_usec(maxi(int(due) - Time.get_ticks_usec(), 0))
	return took


func median(values: PackedInt64Array) -> float:
	if values.is_empty():
		return 0.0
	var sorted := values.duplicate()
	sorted.sort()
	return sorted[sorted.size() / 2]


func quantile(values: PackedInt64Array, share: float) -> float:
	var sorted := values.duplicate()
	sorted.sort()
	return sorted[mini(int(sorted.size() * share), sorted.size() - 1)]


# ---- this process

## Seconds of processor time of all threads so far.
func cpu_seconds() -> float:
	var nanoseconds := 0.0
	for task in DirAccess.get_directories_at("/proc/self/task"):
		nanoseconds += _first_line("/proc/self/task/%s/schedstat" % task).get_slice(" ", 0).to_float()
	return nanoseconds / 1e9


## The same of this thread alone.
func main_thread_seconds() -> float:
	return _first_line("/proc/self/task/%d/schedstat" % OS.get_process_id()).get_slice(" ",
		0).to_float() / 1e9


## Confines all threads of this process to a list of processors (`taskset`); false where that cannot
## be done.
func use_processors(list: String) -> bool:
	return OS.execute("taskset", ["-acp", list, str(OS.get_process_id())]) == 0


## Resident memory.
func memory_kib() -> float:
	var file := FileAccess.open("/proc/self/status", FileAccess.READ)
	while file != null and not file.eof_reached():
		var line := file.get_line()
		if line.begins_with("VmRSS:"):
			return line.trim_prefix("VmRSS:").strip_edges().get_slice(" ", 0).to_float()
	return 0.0


func _first_line(path: String) -> String:
	var file := FileAccess.open(path, FileAccess.READ)
	return file.get_line() if file != null else ""


# ---- servers

## A TLS server's key (RSA, 2048 bits) and certificate, as Godot makes them.
func tls_options() -> TLSOptions:
	var crypto := Crypto.new()
	var key := crypto.generate_rsa(2048)
	return TLSOptions.server(key,
		crypto.generate_self_signed_certificate(key, "CN=localhost,O=Bench,C=DE"))


## A port on which nobody listens.
func free_port() -> int:
	var server := TCPServer.new()
	server.listen(0, "127.0.0.1")
	var port := server.get_local_port()
	server.stop()
	return port


## Polls `server` until so many clients are in; false when that takes too long.
func wait_for_clients(server: MultiplayerPeer, count: int) -> bool:
	var entered := [0]
	var count_one := func(_id: int) -> void: entered[0] += 1
	server.peer_connected.connect(count_one)
	var end := end_of(PATIENCE)
	while entered[0] < count and Time.get_ticks_usec() < end:
		server.poll()
	server.peer_connected.disconnect(count_one)
	if entered[0] < count:
		printerr("only %d of %d clients came in" % [entered[0], count])
	return entered[0] == count


## Echoes until the load generator is done, or should have been: in a tight loop.
func echo(server: MultiplayerPeer) -> void:
	var end := end_of(seconds + 5.0)
	while not is_load_done() and Time.get_ticks_usec() < end:
		for i in 200:
			server.poll()
			while server.get_available_packet_count() > 0:
				server.set_target_peer(server.get_packet_peer())
				server.put_packet(server.get_packet())


## Polls `peer` until it is open.
func wait_until_open(peer: PacketPeer) -> bool:
	var end := end_of(5.0)
	while peer.get_ready_state() == 0 and Time.get_ticks_usec() < end:
		peer.poll()
	return peer.get_ready_state() == 1
