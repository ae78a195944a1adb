extends SceneTree
## Clients that go through proxies, all at once; see ci/test-proxies.sh.
##
##   url=URL, root=FILE        where to, and the certificate to trust
##   http=PORT, https=PORT, socks=PORT   the proxy on this machine
##   user=NAME, password=WORD
##   +                         ends the arguments of one client
##
## Prints for each "THROUGH NUMBER open", or "THROUGH NUMBER failed CODE MESSAGE".

var _peers: Array[PacketPeer] = []
var _started := Time.get_ticks_msec()


func _initialize() -> void:
	Engine.max_fps = 200
	var arguments := {}
	for argument in OS.get_cmdline_user_args():
		if argument == "+":
			_peers.append(_start(arguments))
			arguments = {}
		else:
			arguments[argument.get_slice("=", 0)] = argument.substr(argument.find("=") + 1)


func _start(arguments: Dictionary) -> PacketPeer:
	var peer: PacketPeer = ClassDB.instantiate("RustWebSocketPeer")
	for kind: String in ["http", "https", "socks"]:
		if arguments.has(kind):
			peer.call("set_%s_proxy" % kind, "127.0.0.1", arguments[kind].to_int(),
				arguments.get("user", ""), arguments.get("password", ""))
	var options: TLSOptions = null
	if arguments.has("root"):
		var certificate := X509Certificate.new()
		certificate.load(arguments.root)
		options = TLSOptions.client(certificate)
	peer.connect_to_url(arguments.url, options)
	return peer


func _process(_delta: float) -> bool:
	var is_over := true
	for number in _peers.size():
		is_over = _look_at(number) and is_over
	return is_over or Time.get_ticks_msec() - _started > 20_000


## True once it is known what has become of a client.
func _look_at(number: int) -> bool:
	var peer := _peers[number]
	if peer == null:
		return true
	peer.poll()
	match peer.get_ready_state():
		0: # connecting
			return false
		1: # open
			print("THROUGH %d open" % number)
		_:
			print("THROUGH %d failed %d %s"
				% [number, peer.get_proxy_response_code(), peer.get_error_message()])
	_peers[number] = null
	return true
