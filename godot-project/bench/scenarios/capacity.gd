extends "res://bench/scenario.gd"
## How many clients one process carries, in rooms of 16: each sends 20 states of 100 bytes a
## second and gets 20, what its room looks like, which is one payload for all of a room. 60 frames;
## clients are added until the 95th percentile of a frame exceeds 16 ms. The load generator is a
## process of its own on the same machine.

const RATE := 20
const ROOM := 16
const BYTES := 100
const LIMIT_USEC := 16_000
const FRAMES_PER_TICK := 3
const FIRST := 128
const MOST := 8192

var server: WebSocketMultiplayerPeer
var _ids: Array[int] = []
var _state := PackedByteArray()
var _frames := 0
var _read := 0


func run() -> void:
	_state.resize(BYTES)
	var carried := 0
	var refused := 0
	var count := FIRST
	# Twice as many each time, then between the last that was carried and the first that was not.
	while count <= MOST and (refused == 0 or refused - carried > carried / 8):
		if _carries(count):
			carried = count
		else:
			refused = count
		count = carried * 2 if refused == 0 else (carried + refused) / 2 / ROOM * ROOM
		if count in [carried, 0]:
			break
	metrics["clients"] = carried
	metrics["states_per_s"] = carried * RATE * 2


func _carries(count: int) -> bool:
	server = WebSocketMultiplayerPeer.new()
	var ids: Array[int] = []
	_ids = ids
	server.peer_connected.connect(func(id: int) -> void: ids.append(id))
	DirAccess.remove_absolute(_result_file)
	var port := free_port()
	server.create_server(port, "127.0.0.1")
	start_load("clients", {
		"port": port, "clients": count, "id": 1, "at-once": 4, "rate": RATE, "size": BYTES,
		"seconds": seconds + 1.0, "connect-seconds": PATIENCE,
	})
	if not wait_for_clients(server, count):
		server.close()
		return false
	paced(0.5, _frame)
	_read = 0
	var main := main_thread_seconds()
	var began := Time.get_ticks_usec()
	var frames := paced(seconds, _frame)
	main = main_thread_seconds() - main
	var took := (Time.get_ticks_usec() - began) / 1e6
	var share := _read / took / (count * RATE)
	var p95 := quantile(frames, 0.95)
	server.close()
	if _load_pid > 0 and OS.is_process_running(_load_pid):
		OS.kill(_load_pid)
	_load_pid = 0
	# A load generator that does not send what it should would make the server look better.
	var is_carried := p95 <= LIMIT_USEC and share > 0.9
	print("%d clients: 95 %% of frames within %d us, main thread %d us, %d %% of states read"
		% [count, p95, main * 1e6 / frames.size(), share * 100])
	if is_carried:
		metrics["frame_p95_us"] = p95
		# Processor time, which other processes hardly change.
		metrics["main_thread_us_per_client"] = main * 1e6 / frames.size() / count
	return is_carried


func _frame() -> void:
	server.poll()
	while server.get_available_packet_count() > 0:
		server.get_packet()
		_read += 1
	# A third of the rooms in each frame, so that each room has its 20 states a second.
	_frames += 1
	var room := _frames % FRAMES_PER_TICK
	while room * ROOM < _ids.size():
		for index in range(room * ROOM, mini((room + 1) * ROOM, _ids.size())):
			server.set_target_peer(_ids[index])
			server.put_packet(_state)
		room += FRAMES_PER_TICK
