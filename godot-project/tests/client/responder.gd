extends RefCounted
## A server on bare sockets for the client's suite: does with each request what the case says.

const RawPeer := preload("res://tests/harness/raw_peer.gd")

## Called with a RawPeer and the number of the request, from 1, when a request's head has arrived.
var on_request := Callable()
var requests := 0
## Those that have connected, oldest first, also the ended ones.
var peers: Array[RawPeer] = []
## False: nothing is read, so that the client's messages pile up.
var reads := true

var _tcp := TCPServer.new()
var _port := 0
var _answered := 0


func _init(request_handler := accept) -> void:
	on_request = request_handler
	start()


func start() -> void:
	_tcp.listen(_port, "127.0.0.1")
	_port = _tcp.get_local_port()


## Dies: no close frame, nobody listens any more.
func stop() -> void:
	_tcp.stop()
	for peer in peers:
		peer.close()
	peers.clear()
	_answered = 0


func url() -> String:
	return "ws://127.0.0.1:%d/" % _port


func poll() -> void:
	while _tcp.is_listening() and _tcp.is_connection_available():
		peers.append(RawPeer.new(_tcp.take_connection()))
	for peer in peers:
		if reads or peer.head().is_empty():
			peer.poll()
	while _answered < peers.size() and not peers[_answered].head().is_empty():
		_answered += 1
		requests += 1
		on_request.call(peers[_answered - 1], requests)


## The one that connected last.
func latest() -> RawPeer:
	return peers.back()


# ---- answers


static func accept(peer: RawPeer, _number: int) -> void:
	peer.accept_upgrade()


## An HTTP answer that is no upgrade, and the end.
static func refuse(status: int, more := PackedStringArray()) -> Callable:
	return func(peer: RawPeer, _number: int) -> void:
		var lines := PackedStringArray(
			["HTTP/1.1 %d Refused" % status, "Content-Length: 0", "Connection: close"]
		)
		peer.send_ascii("\r\n".join(lines + more) + "\r\n\r\n")
		peer.close()


## The upgrade, then a close frame.
static func close_with(code: int, reason := "") -> Callable:
	return func(peer: RawPeer, _number: int) -> void:
		peer.accept_upgrade()
		peer.send_frame(RawPeer.CLOSE, RawPeer.close_payload(code, reason))
