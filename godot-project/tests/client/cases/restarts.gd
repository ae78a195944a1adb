extends "res://tests/client/case.gd"
## A server that is restarted again and again.

const RESTARTS := 200


func test_two_hundred_restarts() -> void:
	var server := serve()
	var client := make_client(
		{"reconnect_delay_min": 0.002, "reconnect_delay_max": 0.01, "reconnect_min_uptime": 0.0}
	)
	client.connect_to_url(server.url())
	await until_event("connection_opened")
	var objects := 0
	for i in RESTARTS:
		events.clear()
		if i % 3 == 2:
			# In good order; otherwise it dies.
			server.latest().send_frame(RawPeer.CLOSE, RawPeer.close_payload(1012))
			server.latest().poll()
		server.stop()
		# Down for a moment, so that attempts fail too.
		if i % 2 == 0:
			await until_event("reconnecting(%d" % (1 + i % 4))
		server.start()
		if not await until_event("connection_opened"):
			break
		server.latest().send_message("hello %d" % i)
		await until_event('text_received("hello %d")' % i)
		equal(_count("connection_closed"), 1, "ends in restart %d: %s" % [i, events])
		equal(_count("connection_opened"), 1, "openings in restart %d" % i)
		if i == 20:
			objects = int(Performance.get_monitor(Performance.OBJECT_COUNT))
	var more := int(Performance.get_monitor(Performance.OBJECT_COUNT)) - objects
	check(more <= 0, "%d objects more than after 20 restarts" % more)
	equal(client.get_reconnect_attempt(), 0, "attempts")


func _count(event: String) -> int:
	return events.filter(func(seen: String) -> bool: return seen.begins_with(event)).size()
