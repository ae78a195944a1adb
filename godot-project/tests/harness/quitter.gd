extends SceneTree
## A program that sends and quits at once: `peer_leaving.gd` runs it in a process of its own.
##
##   godot --headless -s res://tests/harness/quitter.gd -- CLASS URL COUNT


func _process(_delta: float) -> bool:
	var arguments := OS.get_cmdline_user_args()
	var peer: PacketPeer = ClassDB.instantiate(arguments[0])
	peer.connect_to_url(arguments[1])
	var end := Time.get_ticks_msec() + 5000
	while peer.get_ready_state() == 0 and Time.get_ticks_msec() < end:
		peer.poll()
		OS.delay_usec(300)
	for i in arguments[2].to_int():
		peer.send_text("message %d" % i)
	quit()
	return true
