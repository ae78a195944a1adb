extends "res://tests/client/case.gd"
## How long the client waits before it tries again, and when it gives up.


func test_waits_double_up_to_the_maximum() -> void:
	var client := make_timed_client()
	client.connect_to_url(deaf_url())
	var delays := await _delays(client, 9)
	equal(delays, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0] as Array[float], "waits")
	equal(client.get_reconnect_attempt(), 9, "attempts in a row")
	check(client.is_reconnecting(), "still reconnecting")


func test_waits_end_when_they_are_over() -> void:
	var client := make_timed_client()
	client.connect_to_url(deaf_url())
	await until_event("reconnecting(1, 0.5)")
	now = 0.49
	await settle()
	equal(events.size(), 2, "signals before the wait is over")
	now = 0.51
	await until_event("reconnecting(2, 1.0)")


func test_jitter() -> void:
	for jitter: Array in [
		[0.5, 0.0, 0.25], [0.5, 1.0, 0.75], [0.0, 1.0, 0.5], [1.0, 0.0, 0.0], [1.0, 1.0, 1.0]
	]:
		var client := make_timed_client(
			{"reconnect_jitter": jitter[0], "_random": func() -> float: return jitter[1]}
		)
		client.connect_to_url(deaf_url())
		equal(
			await _delays(client, 1),
			[jitter[2]] as Array[float],
			"jitter %s, luck %s" % [jitter[0], jitter[1]]
		)
		client.close()


func test_jitter_spreads_by_itself() -> void:
	var seen: Dictionary = {}
	var client := make_timed_client({"reconnect_jitter": 0.5})
	for i in 200:
		var delay: float = client._delay(1)
		check(delay >= 0.25 and delay <= 0.75, "0.25 <= %f <= 0.75" % delay)
		seen[delay] = true
	check(seen.size() > 100, "%d different waits" % seen.size())
	seed(7)
	var first := randi()
	seed(7)
	client._delay(1)
	equal(randi(), first, "the game's random numbers stay as they are")


func test_attempts_are_used_up() -> void:
	var client := make_client({"reconnect_max_attempts": 2})
	client.connect_to_url(deaf_url())
	await until_event("reconnect_failed")
	equal(
		_names(),
		[
			"connection_failed",
			"reconnecting",
			"connection_failed",
			"reconnecting",
			"connection_failed",
			"reconnect_failed"
		],
		"signals"
	)
	check(not client.is_reconnecting(), "no longer reconnecting")
	await settle()
	equal(events.size(), 6, "signals after that")
	check(not client.get_error_message().is_empty(), "the message stays")


func test_no_attempt_at_all() -> void:
	var client := make_client({"reconnect_max_attempts": 0})
	client.connect_to_url(deaf_url())
	await until_event("reconnect_failed")
	equal(_names(), ["connection_failed", "reconnect_failed"], "signals")


func test_a_short_connection_does_not_reset_the_count() -> void:
	var server := serve(Responder.close_with(1012))
	var client := make_timed_client({"url": server.url()})
	client.connect_to_url()
	equal(await _delays(client, 4), [0.5, 1.0, 2.0, 4.0] as Array[float], "waits")


func test_a_stable_connection_resets_the_count() -> void:
	var server := serve()
	var client := make_timed_client({"url": server.url(), "_clock": func() -> float: return now})
	client.connect_to_url()
	for round_number in 2:
		await until_event("connection_opened")
		now += 4.9
		await settle(0.05)
		equal(client.get_reconnect_attempt(), 1 if round_number == 1 else 0, "attempts after 4.9 s")
		server.latest().close()
		await until_event("reconnecting")
		equal(
			events[-1],
			"reconnecting(%d, %s)" % [round_number + 1, [0.5, 1.0][round_number]],
			"wait %d" % round_number
		)
		events.clear()
		now += 5.0
	await until_event("connection_opened")
	now += 5.1
	await until(func() -> bool: return client.get_reconnect_attempt() == 0)
	equal(client.get_reconnect_attempt(), 0, "attempts after 5.1 s")
	server.latest().close()
	await until_event("reconnecting(1, 0.5)")


func test_retry_after_lengthens_the_wait() -> void:
	var values := {
		"7": 7.0,
		"100000": 300.0,
		"0": 0.5,
		"Wed, 21 Oct 2026 07:28:00 GMT": 0.5,
		"-5": 0.5,
		"soon": 0.5
	}
	for value: String in values:
		for status: int in [503, 429]:
			var server := serve(
				Responder.refuse(status, PackedStringArray(["retry-after:  " + value]))
			)
			var client := make_timed_client()
			client.connect_to_url(server.url())
			var wanted: float = values[value] if tells_answers() else 0.5
			equal(
				await _delays(client, 1),
				[wanted] as Array[float],
				"%d, Retry-After: %s" % [status, value]
			)
			client.close()


func test_a_switch_that_is_turned_off_ends_the_wait() -> void:
	var client := make_timed_client()
	client.connect_to_url(deaf_url())
	await until_event("reconnecting")
	client.reconnect = false
	await until_event("reconnect_failed")
	check(not client.is_reconnecting(), "no longer reconnecting")
	now = 100.0
	await settle()
	equal(_names(), ["connection_failed", "reconnecting", "reconnect_failed"], "signals")


func test_without_reconnect() -> void:
	var client := make_client({"reconnect": false})
	client.connect_to_url(deaf_url())
	await until_event("connection_failed")
	var server := serve()
	client.connect_to_url(server.url())
	await until_event("connection_opened")
	server.latest().close()
	await until_event("connection_closed")
	await settle()
	equal(_names(), ["connection_failed", "connection_opened", "connection_closed"], "signals")


func test_an_attempt_takes_no_longer_than_allowed() -> void:
	var server := serve(func(_peer: RawPeer, _number: int) -> void: pass)
	var client := make_timed_client({"connect_timeout": 6.0})
	client.connect_to_url(server.url())
	check(await until(func() -> bool: return server.requests == 1), "the request arrives")
	now = 5.9
	await settle()
	equal(events.size(), 0, "signals after 5.9 s")
	now = 6.3
	await until_event("reconnecting(1, 0.5)")
	equal(events[0], 'connection_failed("no connection within 6.0 s")', "the failure")


func test_an_attempt_takes_no_longer_by_the_real_clock() -> void:
	var server := serve(func(_peer: RawPeer, _number: int) -> void: pass)
	var client := make_client({"connect_timeout": 0.3})
	var began := Time.get_ticks_msec()
	client.connect_to_url(server.url())
	await until_event("connection_failed")
	var took := Time.get_ticks_msec() - began
	check(took >= 290 and took < 2500, "it took %d ms" % took)
	check(not client.get_error_message().is_empty(), "there is a message")


func test_values_that_make_no_sense_are_refused() -> void:
	var client := make_client()
	var bad := {
		"connect_timeout": [0.0, -1.0, NAN, INF],
		"heartbeat_interval": [-0.1, NAN],
		"inbound_buffer_size": [0, -1],
		"outbound_buffer_size": [-1],
		"queue_limit": [-1],
		"reconnect_delay_min": [-1.0, NAN],
		"reconnect_delay_max": [-1.0, NAN],
		"reconnect_jitter": [-0.1, 1.1, NAN],
		"reconnect_max_attempts": [-2],
		"reconnect_min_uptime": [-1.0, NAN]
	}
	for property: String in bad:
		for value: Variant in bad[property]:
			var before: Variant = client.get(property)
			expect_error(property + " has to be")
			client.set(property, value)
			equal(client.get(property), before, property)


func _names() -> Array:
	return events.map(func(event: String) -> String: return event.get_slice("(", 0))


## The next `count` waits, each cut short by the clock.
func _delays(_client: Node, count: int) -> Array[float]:
	var delays: Array[float] = []
	events.clear()
	while delays.size() < count:
		if not await until_event("reconnecting"):
			break
		delays.append(events[-1].get_slice(", ", 1).to_float())
		events.clear()
		if delays.size() < count:
			now += delays[-1] + 0.001
	return delays


func test_what_other_connections_wait() -> void:
	for attempt in range(1, 10):
		var wait := RustWebSocketClient.backoff(attempt, 0.5, 30.0, 0.0)
		equal(wait, minf(30.0, 0.5 * pow(2.0, attempt - 1)), "the wait before attempt %d" % attempt)
	var spread := RustWebSocketClient.backoff(1)
	check(spread >= 0.25 and spread <= 0.75, "a wait with the node's own values: %f" % spread)
	equal(RustWebSocketClient.backoff(-5, 0.5, 30.0, 0.0), 0.5, "a number below 1 counts as 1")
	var client := make_client()
	for code in range(-1, 5001):
		if RustWebSocketClient.is_final_code(code) != (code in client.no_reconnect_codes):
			check(false, "code %d is final in one place only" % code)
