extends Node
## RustWebSocketClient where the library does not exist.


func _ready() -> void:
	var client := RustWebSocketClient.new()
	client.url = OS.get_environment("WEB_URL")
	client.autoconnect = true
	client.reconnect_delay_min = 0.1
	client.text_received.connect(
		func(text: String) -> void:
			print("node: ", text)
			client.send_text("restart" if client.get_reconnect_attempt() == 0 else "Thank you.")
	)
	client.reconnecting.connect(func(_attempt: int, _delay: float) -> void: print("node: again"))
	client.connection_closed.connect(
		func(code: int, reason: String, was_clean: bool) -> void:
			print(
				(
					"node: closed %d %s %s %s"
					% [code, reason, was_clean, client.get_peer().get_class()]
				)
			)
			if not client.is_reconnecting():
				print("WEB DONE")
				get_tree().quit()
	)
	add_child(client)
