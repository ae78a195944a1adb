extends "res://bench/scenario.gd"
## How old states are when they arrive at a client behind a slow link: 60 states of 1 KiB a second
## for ten seconds, put as unreliable, over a link that takes 32 KiB a second and holds little
## itself. With the addon's class a second server does the same with an `unreliable_lifetime` of
## 0.1 s.

const DURATION := 10.0
const STATE := 1024
const STATES_PER_SECOND := 60
const RATE := 32 * 1024
## A point of the chart for each of these.
const SLOT := 0.25
## Before that the queues fill.
const SETTLED := 3.0


class Session:
	var server: WebSocketMultiplayerPeer
	var client: WebSocketMultiplayerPeer
	var state := PackedByteArray()
	## Seconds since the beginning, and how old it was, of what has arrived.
	var arrived_at := PackedFloat64Array()
	var ages := PackedFloat64Array()


func run() -> void:
	var as_ever := _session(0)
	# The engine's own class has no such property.
	var fresh := _session(100) if "unreliable_lifetime" in as_ever.server else as_ever
	if as_ever.client == null or fresh.client == null:
		return
	var sessions: Array[Session] = [as_ever]
	if fresh != as_ever:
		sessions.append(fresh)
	var began := Time.get_ticks_usec()
	var put := 0
	while _since(began) < DURATION:
		var is_due := put < _since(began) * STATES_PER_SECOND
		for session in sessions:
			if is_due:
				_put(session)
			_take(session, began)
		put += int(is_due)
		OS.delay_usec(500)
	_report(as_ever, "age", "_as_ever")
	if fresh != as_ever:
		_add_points(fresh, "age_with_lifetime")
	_report_total(fresh, "")
	for session in sessions:
		session.client.close()
		session.server.close()


func _session(lifetime: int) -> Session:
	var session := Session.new()
	session.state.resize(STATE)
	session.server = WebSocketMultiplayerPeer.new()
	if lifetime > 0:
		session.server.set("unreliable_lifetime", lifetime)
	var port := free_port()
	session.server.create_server(port, "127.0.0.1")
	session.server.transfer_mode = MultiplayerPeer.TRANSFER_MODE_UNRELIABLE
	var way := start_slow_link(port, RATE)
	var client := WebSocketMultiplayerPeer.new()
	client.create_client("ws://127.0.0.1:%d" % way)
	var end := end_of(5.0)
	while client.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTING and \
			Time.get_ticks_usec() < end:
		session.server.poll()
		client.poll()
		OS.delay_usec(500)
	if client.get_connection_status() != MultiplayerPeer.CONNECTION_CONNECTED:
		printerr("the client does not get in")
		return session
	session.client = client
	session.server.set_target_peer(client.get_unique_id())
	return session


func _put(session: Session) -> void:
	session.state.encode_u64(0, Time.get_ticks_usec())
	session.server.put_packet(session.state)


func _take(session: Session, began: int) -> void:
	session.server.poll()
	session.client.poll()
	for index in session.client.get_available_packet_count():
		session.ages.append(_since(session.client.get_packet().decode_u64(0)))
		session.arrived_at.append(_since(began))


func _report(session: Session, points: String, suffix: String) -> void:
	_add_points(session, points)
	_report_total(session, suffix)


## The age of what arrives at each time, the median of a slot.
func _add_points(session: Session, points: String) -> void:
	var slots: Array[PackedFloat64Array] = []
	for index in int(DURATION / SLOT):
		slots.append(PackedFloat64Array())
	for index in session.ages.size():
		slots[mini(int(session.arrived_at[index] / SLOT), slots.size() - 1)].append(session.ages[index])
	for index in slots.size():
		slots[index].sort()
		if not slots[index].is_empty():
			metrics["%s@%.3f" % [points, (index + 0.5) * SLOT]] = slots[index][slots[index].size() / 2]


func _report_total(session: Session, suffix: String) -> void:
	var late := PackedFloat64Array()
	for index in session.ages.size():
		if session.arrived_at[index] > SETTLED:
			late.append(session.ages[index])
	late.sort()
	if not late.is_empty():
		metrics["age_s" + suffix] = late[late.size() * 95 / 100]
	metrics["states_per_s" + suffix] = session.ages.size() / DURATION


func _since(ticks: int) -> float:
	return (Time.get_ticks_usec() - ticks) / 1e6
