extends SceneTree
## A client that goes through a proxy; see ci/test-proxies.sh.
##
##   url=URL, root=FILE        where to, and the certificate to trust
##   http=PORT, https=PORT, socks=PORT   the proxy on this machine
##   user=NAME, password=WORD
##
## Prints "THROUGH open", or "THROUGH failed CODE MESSAGE".

var _peer: PacketPeer
var _started := Time.get_ticks_msec()


func _initialize() -> void:
	var arguments := {"user": "", "password": ""}
	for argument in OS.get_cmdline_user_args():
		arguments[argument.get_slice("=", 0)] = argument.substr(argument.find("=") + 1)
	_peer = ClassDB.instantiate("RustWebSocketPeer")
	for kind: String in ["http", "https", "socks"]:
		if arguments.has(kind):
			_peer.call("set_%s_proxy" % kind, "127.0.0.1", arguments[kind].to_int(), arguments.user,
				arguments.password)
	var options: TLSOptions = null
	if arguments.has("root"):
		var certificate := X509Certificate.new()
		certificate.load(arguments.root)
		options = TLSOptions.client(certificate)
	if _peer.connect_to_url(arguments.url, options) != OK:
		quit(1)


func _process(_delta: float) -> bool:
	_peer.poll()
	match _peer.get_ready_state():
		1: # open
			print("THROUGH open")
			return true
		3: # closed
			print("THROUGH failed %d %s" % [_peer.get_proxy_response_code(), _peer.get_error_message()])
			return true
	return Time.get_ticks_msec() - _started > 20_000
