@icon("res://addons/rust_websocket/icons/RustWebSocketClient.svg")
class_name RustWebSocketClient
extends Node
## A WebSocket client that tells what happens by signals, and stays connected.
##
## Connects to [member url] and, when the connection is lost or cannot be made, tries again with
## growing, randomized waits until it is told to [method close], the server refuses for good, or
## [member reconnect_max_attempts] is reached. It polls by itself, also while the tree is paused.
## [codeblock]
## @onready var socket: RustWebSocketClient = $RustWebSocketClient # url, autoconnect: inspector
##
## func _ready() -> void:
##     socket.connection_opened.connect(func(_protocol: String) -> void: socket.send_text("hello"))
##     socket.text_received.connect(func(text: String) -> void: print(text))
##     socket.reconnecting.connect(func(attempt: int, delay: float) -> void:
##         print("again in %.1f s (%d)" % [delay, attempt]))
## [/codeblock]
## For each attempt it makes a new peer: a [code]RustWebSocketPeer[/code] where the addon's library
## is loaded, else the engine's [WebSocketPeer], so that the same scene runs in a browser too.
## [br][br]
## For each attempt signals come in this order, each at most once but for the messages:
## [signal connection_opened], [signal text_received] and [signal data_received] as the messages
## have arrived, [signal connection_closed]; or [signal connection_failed] alone. Then
## [signal reconnecting] or [signal reconnect_failed], or nothing if the connection stays closed.
## Handlers run while the node processes its frame; they may call [method close],
## [method connect_to_url] or [method Node.queue_free], and take the node out of the tree.
## [br][br]
## Leaving the tree closes the connection with code 1000 and emits nothing; entering it again
## connects if [member autoconnect] is set. The properties apply to the next attempt.

## The connection is open. [param protocol] is the subprotocol that the server has selected, or
## empty. What is sent in the handlers goes ahead of what was kept (see [member queue_limit]).
signal connection_opened(protocol: String)
## A text message has arrived.
signal text_received(text: String)
## A binary message has arrived.
signal data_received(data: PackedByteArray)
## A connection that was open has ended, and all that had arrived was emitted before. [param code]
## and [param reason] are those of the close frame: 1005 if it had none, -1 if there was no close
## frame. [param was_clean] tells whether there was one. [method is_reconnecting] tells whether
## there will be another attempt.
signal connection_closed(code: int, reason: String, was_clean: bool)
## An attempt has failed; [param message] says why, as [method get_error_message] does.
## [method is_reconnecting] tells whether there will be another attempt.
signal connection_failed(message: String)
## The wait of [param delay] seconds before the reconnect number [param attempt] (in a row, from 1)
## begins. The place to change [member url], [member handshake_headers] or what else the next
## attempt is made of, or to [method close].
signal reconnecting(attempt: int, delay: float)
## There will be no further attempt: [member reconnect_max_attempts] is reached, or the server has
## refused in a way that will not change (see [member reconnect]).
signal reconnect_failed
## All that was sent or kept has left, after a send was refused with [constant ERR_OUT_OF_MEMORY];
## over a later connection, if what is kept (see [member queue_limit]) outlasts this one.
signal drained

# Underscores keep these out of completion and documentation.
# gdlint: disable=enum-name,load-constant-name
enum _Phase { IDLE, REFUSED, CONNECTING, OPEN, CLOSING, WAITING }
enum _Next { NOTHING, RECONNECT, GIVE_UP }

const _Attempt := preload("res://addons/rust_websocket/client/attempt.gd")
const _Proxies := preload("res://addons/rust_websocket/client/proxies.gd")
## Seconds that the other side has to answer a close frame. The engine's class waits for ever.
const _CLOSE_TIMEOUT := 5.0

# Of its own: the game's seed() and the order of its random numbers stay as they are.
static var _dice := RandomNumberGenerator.new()

## What to connect to: [code]ws://[/code] or [code]wss://[/code].
@export var url: String = ""
## Whether to connect to [member url] when the node is ready, and when it enters the tree again.
@export var autoconnect: bool = false
## Subprotocols to offer, the preferred one first.
@export var supported_protocols: PackedStringArray = PackedStringArray()
## Header lines to add to the request, each as [code]"Name: value"[/code]. Browsers send none, which
## is said once: put tokens into the URL's query or into the first message there.
@export var handshake_headers: PackedStringArray = PackedStringArray()
## Seconds that an attempt may take until the connection is open: name lookup, TCP, TLS, handshake.
## Above 0.
@export_range(0.1, 120.0, 0.1, "or_greater", "suffix:s") var connect_timeout: float = 10.0:
	set(value):
		if _accepts(value > 0.0, "connect_timeout", "above 0", value):
			connect_timeout = value
## Seconds between pings while the connection is open; a server that does not answer is given up.
## 0 sends none. Browsers ping by themselves, or not at all.
@export_range(0.0, 300.0, 0.1, "or_greater", "suffix:s") var heartbeat_interval: float = 20.0:
	set(value):
		if _accepts(value >= 0.0, "heartbeat_interval", "at least 0", value):
			heartbeat_interval = value
## The longest message that can be received, and how many bytes may wait between two frames.
@export_range(1, 16777216, 1, "or_greater", "suffix:B") var inbound_buffer_size: int = 1048576:
	set(value):
		if _accepts(value >= 1, "inbound_buffer_size", "at least 1", value):
			inbound_buffer_size = value
## How many bytes may wait to be sent; beyond that [method send] answers
## [constant ERR_OUT_OF_MEMORY]. 0 sets no limit of this kind.
@export_range(0, 16777216, 1, "or_greater", "suffix:B") var outbound_buffer_size: int = 1048576:
	set(value):
		if _accepts(value >= 0, "outbound_buffer_size", "at least 0", value):
			outbound_buffer_size = value
## Whether to offer compression of messages (permessage-deflate), where the peer can do it: the
## engine's class cannot, browsers decide by themselves.
@export var compression: bool = false
## How many redirects of the server an attempt follows, where the peer can do it: the engine's class
## and browsers follow none. See [code]RustWebSocketPeer.max_redirects[/code].
@export_range(0, 20, 1, "or_greater") var max_redirects: int = 0:
	set(value):
		if _accepts(value >= 0, "max_redirects", "at least 0", value):
			max_redirects = value
## Whether to take the proxy that the environment names ([code]https_proxy[/code],
## [code]all_proxy[/code] and the like, but for [code]no_proxy[/code]), where none is set by
## [method set_http_proxy] and its like. See [code]RustWebSocketPeer.use_environment_proxy[/code].
@export var use_environment_proxy: bool = false
## How many messages are kept while the connection is not open. They are sent in order when it is,
## behind what the handlers of [signal connection_opened] send. 0 keeps none: what a player did
## seconds ago would disturb most games. [method close] and [signal reconnect_failed] drop what was
## kept. What was sent over a connection that then broke is not sent again.
@export_range(0, 1024, 1, "or_greater") var queue_limit: int = 0:
	set(value):
		if _accepts(value >= 0, "queue_limit", "at least 0", value):
			queue_limit = value

@export_group("Reconnect")
## Whether to connect again after a connection has ended or an attempt has failed. Not after
## [method close], after a code of [member no_reconnect_codes], or after a refusal that will not
## change: a URL or header that cannot be used, or an HTTP status from 400 to 499 other than 408,
## 425 and 429 (browsers tell no status, and the engine's class none either: every refusal is tried
## again there). Setting it to [code]false[/code] also ends a wait.
@export var reconnect: bool = true
## Seconds to wait before the first reconnect; each further one in a row waits twice as long as the
## one before. A Retry-After header in seconds lengthens a wait, to at most 300 s.
@export_range(0.0, 60.0, 0.01, "or_greater", "suffix:s") var reconnect_delay_min: float = 0.5:
	set(value):
		if _accepts(value >= 0.0, "reconnect_delay_min", "at least 0", value):
			reconnect_delay_min = value
## The longest wait in seconds, before [member reconnect_jitter].
@export_range(0.0, 600.0, 0.1, "or_greater", "suffix:s") var reconnect_delay_max: float = 30.0:
	set(value):
		if _accepts(value >= 0.0, "reconnect_delay_max", "at least 0", value):
			reconnect_delay_max = value
## Each wait is multiplied with a random number between 1 - jitter and 1 + jitter, so that the
## clients of a server that was restarted do not all come back at once. From 0 to 1.
@export_range(0.0, 1.0, 0.01) var reconnect_jitter: float = 0.5:
	set(value):
		if _accepts(value >= 0.0 and value <= 1.0, "reconnect_jitter", "from 0 to 1", value):
			reconnect_jitter = value
## How many reconnects in a row are tried; -1 sets no limit.
@export_range(-1, 100, 1, "or_greater") var reconnect_max_attempts: int = -1:
	set(value):
		if _accepts(value >= -1, "reconnect_max_attempts", "at least -1", value):
			reconnect_max_attempts = value
## A connection that has been open for so many seconds is stable: the count of reconnects in a row
## begins anew.
@export_range(0.0, 600.0, 0.1, "or_greater", "suffix:s") var reconnect_min_uptime: float = 5.0:
	set(value):
		if _accepts(value >= 0.0, "reconnect_min_uptime", "at least 0", value):
			reconnect_min_uptime = value
## Close codes that are taken as final: 1000 (normal), protocol and data errors (1002, 1003, 1007,
## 1009, 1010) and 1008 (policy). All others reconnect: 1001, 1011, 1012, 1013, -1, 3000 to 4999.
@export var no_reconnect_codes: PackedInt32Array = [
	1000, 1002, 1003, 1007, 1008, 1009, 1010
]

# For tests: seconds from any beginning, random numbers from 0 to 1, and the class of the peers.
var _clock := Callable()
var _random := Callable()
var _peer_class := &""

var _phase := _Phase.IDLE
var _current: _Attempt
# Goes up with each attempt and each close: after a signal it tells whether a handler did either.
var _epoch := 0
var _tls_options: TLSOptions
var _proxies := _Proxies.new()
var _retry_at := 0.0
var _reconnects := 0
var _is_reconnecting := false
var _error_message := ""
# Messages to be sent: [payload, write mode].
var _queue: Array[Array] = []
var _was_refused := false
# While the handlers of connection_opened run, what they send goes ahead of the queue.
var _is_opening := false
# A connection that was closing when connect_to_url() began another one: its end is still to be
# emitted, and it is polled until it has ended.
var _superseded: _Attempt
var _leaving: Array[_Attempt] = []
# Sentences that this node has printed: each is printed once.
var _printed: Dictionary = {}


func _init() -> void:
	process_mode = Node.PROCESS_MODE_ALWAYS


# Not _ready() and _process(): scripts that extend this one need not call super().
func _notification(what: int) -> void:
	match what:
		NOTIFICATION_READY:
			set_process_internal(true)
			_connect_automatically()
		NOTIFICATION_ENTER_TREE:
			if is_node_ready():
				_connect_automatically()
		NOTIFICATION_EXIT_TREE:
			_leave()
		NOTIFICATION_INTERNAL_PROCESS:
			_advance()


## Starts connecting to [param new_url], which becomes the [member url], or to [member url] if it
## is empty; the signals tell how it goes. [param tls_client_options] says how to verify the server
## of a [code]wss://[/code] URL (see [method TLSOptions.client]), in reconnects too. While waiting
## to reconnect this connects at once. A connection that is still closing ends in the background.
## [br][br]
## Returns [constant ERR_ALREADY_IN_USE] while connecting or open, [constant ERR_UNCONFIGURED] while
## the node is not in the tree, and [constant ERR_INVALID_PARAMETER] for an empty URL and what the
## peer cannot use. Nothing changes then, and [method get_error_message] says why.
func connect_to_url(new_url: String = "", tls_client_options: TLSOptions = null) -> Error:
	if _phase in [_Phase.CONNECTING, _Phase.OPEN]:
		return _refuse(ERR_ALREADY_IN_USE, "already connecting or open: call close() first")
	if not is_inside_tree():
		return _refuse(ERR_UNCONFIGURED, "not in the scene tree: call add_child() first")
	var target := url if new_url.is_empty() else new_url
	if target.is_empty():
		return _refuse(ERR_INVALID_PARAMETER, "there is no URL: set url, or pass one")
	var attempt := _new_attempt()
	if attempt.peer == null:
		return _refuse(ERR_UNAVAILABLE, "neither the addon nor the engine has a WebSocketPeer")
	if attempt.begin(target, tls_client_options, _now()) != OK:
		_error_message = attempt.error_message()
		return attempt.refused_with
	url = target
	_tls_options = tls_client_options
	if _phase == _Phase.CLOSING:
		_superseded = _current
		_leaving.append(_current)
	_reconnects = 0
	_is_reconnecting = false
	_follow(attempt)
	return OK


## Ends the connection, the attempt, or the wait for one; no reconnect follows. An open connection
## is closed with [param code] and [param reason] (at most 123 bytes of UTF-8):
## [signal connection_closed] comes when the server has answered, or after 5 s. Otherwise nothing
## is emitted. Codes that must not be sent, and on the Web all but 1000 and 3000 to 4999, are
## replaced with 1000 and an error is printed; a negative one cuts the connection.
func close(code: int = 1000, reason: String = "") -> void:
	_reconnects = 0
	_is_reconnecting = false
	_drop_kept()
	if _phase == _Phase.OPEN:
		_phase = _Phase.CLOSING
		_current.close_deadline = _now() + _CLOSE_TIMEOUT
		_current.close(code, reason)
	elif _phase == _Phase.CLOSING:
		if code < 0:
			_current.cut()
	else:
		if _phase == _Phase.CONNECTING:
			_current.cut()
		_epoch += 1
		_phase = _Phase.IDLE


## The seconds that this node waits before the reconnect number [param attempt] in a row (from 1),
## with these values for [member reconnect_delay_min], [member reconnect_delay_max] and
## [member reconnect_jitter]. For connections that the node does not carry, such as those of a
## [MultiplayerPeer]: see [method is_final_code], too.
static func backoff(
	attempt: int, delay_min: float = 0.5, delay_max: float = 30.0, jitter: float = 0.5
) -> float:
	return _backoff(attempt, delay_min, delay_max, jitter, _dice.randf())


## Whether this node takes a close code as final: those that [member no_reconnect_codes] holds by
## default.
static func is_final_code(code: int) -> bool:
	return code in [1000, 1002, 1003, 1007, 1008, 1009, 1010]


## Sends [param text]. Returns [constant FAILED] while the connection is not open and nothing is
## kept (see [member queue_limit]), and [constant ERR_OUT_OF_MEMORY] while the other side does not
## read fast enough ([signal drained] tells when it has), for a message longer than
## [member outbound_buffer_size], and when [member queue_limit] messages are kept already.
func send_text(text: String) -> Error:
	return _submit(text, 0)


## Sends [param data] as a binary message, or as text if [param write_mode] is 0
## ([constant WebSocketPeer.WRITE_MODE_TEXT]). Returns what [method send_text] does.
func send(data: PackedByteArray, write_mode: int = 1) -> Error:
	return _submit(data, write_mode)


## The [enum WebSocketPeer.State] of the current attempt; closed (3) while there is none.
func get_ready_state() -> int:
	if _phase in [_Phase.CONNECTING, _Phase.OPEN, _Phase.CLOSING]:
		return _current.state()
	return _Attempt.State.CLOSED


## Whether messages can be sent now.
func is_open() -> bool:
	return _phase == _Phase.OPEN and _current.state() == _Attempt.State.OPEN


## Whether a connection has ended, or an attempt has failed, and there will be a new one: while
## waiting and while connecting again.
func is_reconnecting() -> bool:
	return _is_reconnecting


## How many reconnects in a row there have been, the current one included; 0 while stable (see
## [member reconnect_min_uptime]).
func get_reconnect_attempt() -> int:
	return _reconnects


## One sentence for people that says why the last connection ended or never came about, or why a
## call was refused. Empty from connecting on, and after a close that both sides agreed on.
func get_error_message() -> String:
	return _error_message


## The peer of the current or last attempt, or [code]null[/code]; a new one for each attempt. The
## node polls it and takes its packets.
func get_peer() -> PacketPeer:
	return _current.peer if _current else null


## Sets the HTTP proxy that [code]ws://[/code] connections go through from the next attempt on, for
## all attempts, as [code]RustWebSocketPeer.set_http_proxy[/code] does for one peer. An empty
## [param host] or a [param port] of -1 takes it away. What cannot be used is an error, and no proxy
## is set. The engine's class has no proxies and browsers choose theirs by themselves: there a
## warning says so once, and the connection is made as without one.
func set_http_proxy(host: String, port: int, user: String = "", password: String = "") -> void:
	_set_proxy(&"set_http_proxy", [host, port, user, password])


## Sets the HTTP proxy that [code]wss://[/code] connections go through; otherwise like
## [method set_http_proxy].
func set_https_proxy(host: String, port: int, user: String = "", password: String = "") -> void:
	_set_proxy(&"set_https_proxy", [host, port, user, password])


## Sets the SOCKS5 proxy that connections go through for whose scheme there is no other; otherwise
## like [method set_http_proxy].
func set_socks_proxy(host: String, port: int, user: String = "", password: String = "") -> void:
	_set_proxy(&"set_socks_proxy", [host, port, user, password])


## What an HTTP proxy answered to the current or last attempt instead of letting it through, for
## example 407; otherwise 0.
func get_proxy_response_code() -> int:
	return _current.proxy_response_code() if _current else 0


func _set_proxy(method: StringName, arguments: Array) -> void:
	# The peer that judges it prints what is wrong.
	var problem := _proxies.remember(method, arguments, _Attempt.new_peer(_peer_class))
	if not problem.is_empty():
		_error_message = problem


#region The way of a connection


func _advance() -> void:
	_poll_leaving()
	_report_superseded()
	if is_queued_for_deletion():
		return
	match _phase:
		_Phase.REFUSED:
			_attempt_failed(_error_message, true)
		_Phase.CONNECTING:
			_poll_attempt()
		_Phase.OPEN, _Phase.CLOSING:
			_current.poll()
			_poll_connection()
		_Phase.WAITING:
			if not reconnect:
				_give_up()
			elif _now() >= _retry_at:
				_reconnect()


func _poll_attempt() -> void:
	_current.poll()
	if _current.has_opened():
		_open()
	elif _current.state() == _Attempt.State.CLOSED:
		var is_final := _current.is_refused_for_good()
		_attempt_failed(_current.error_message(), is_final, _current.retry_after())
	elif _current.has_timed_out(_now(), connect_timeout):
		_current.cut()
		_attempt_failed("no connection within %s s" % connect_timeout)


func _open() -> void:
	var epoch := _epoch
	_phase = _Phase.OPEN
	_current.opened_at = _now()
	_is_reconnecting = false
	_error_message = ""
	_is_opening = true
	connection_opened.emit(_current.selected_protocol())
	_is_opening = false
	if not _is_over(epoch):
		_flush()
		_poll_connection()


# What the last poll has brought: messages, the end.
func _poll_connection() -> void:
	_deliver()
	if _phase not in [_Phase.OPEN, _Phase.CLOSING] or is_queued_for_deletion():
		return
	if _current.state() == _Attempt.State.CLOSED:
		_connection_ended()
	elif is_open():
		_keep_going()
	elif _now() >= _current.close_deadline:
		_current.cut()
	elif _current.close_deadline == INF:
		# Closed by the other side, or for a fault; the engine's class may wait for ever.
		_current.close_deadline = _now() + _CLOSE_TIMEOUT


# Whether a handler has begun or closed something else, or the node is about to be freed.
func _is_over(epoch: int) -> bool:
	return epoch != _epoch or is_queued_for_deletion()


func _keep_going() -> void:
	if _is_stable():
		_reconnects = 0
	_flush()
	if _was_refused and _queue.is_empty() and _current.unsent_bytes() == 0:
		_was_refused = false
		drained.emit()


func _is_stable() -> bool:
	return _phase == _Phase.OPEN and _now() - _current.opened_at >= reconnect_min_uptime


func _connection_ended() -> void:
	var code := _current.close_code()
	var next := _Next.NOTHING
	var is_final := code in no_reconnect_codes and not _current.is_code_in_doubt()
	if reconnect and _phase == _Phase.OPEN and not is_final:
		next = _next_attempt()
	_error_message = _current.error_message()
	_end(next, connection_closed.emit.bind(code, _current.close_reason(), code != -1))


func _attempt_failed(message: String, is_final := false, retry_after := 0.0) -> void:
	var next := _Next.NOTHING
	if reconnect:
		next = _Next.GIVE_UP if is_final else _next_attempt()
	_error_message = message
	_end(next, connection_failed.emit.bind(message), retry_after)


func _next_attempt() -> _Next:
	if _is_stable():
		_reconnects = 0
	if reconnect_max_attempts >= 0 and _reconnects >= reconnect_max_attempts:
		return _Next.GIVE_UP
	return _Next.RECONNECT


# Emits the end, and what comes next unless a handler has decided otherwise.
func _end(next: _Next, report: Callable, retry_after := 0.0) -> void:
	_epoch += 1
	var epoch := _epoch
	_phase = _Phase.IDLE
	# What was refused because too much is kept may come again when that has left.
	_was_refused = _was_refused and not _queue.is_empty()
	_is_reconnecting = next == _Next.RECONNECT
	report.call()
	if _is_over(epoch):
		return
	if next == _Next.RECONNECT:
		_wait(retry_after)
	elif next == _Next.GIVE_UP:
		_give_up()


func _wait(retry_after: float) -> void:
	_reconnects += 1
	var delay := maxf(_delay(_reconnects), retry_after)
	_phase = _Phase.WAITING
	_retry_at = _now() + delay
	reconnecting.emit(_reconnects, delay)


func _delay(attempt: int) -> float:
	var luck: float = _random.call() if _random.is_valid() else _dice.randf()
	return _backoff(attempt, reconnect_delay_min, reconnect_delay_max, reconnect_jitter, luck)


static func _backoff(
	attempt: int, delay_min: float, delay_max: float, jitter: float, luck: float
) -> float:
	# 2 ** 1000 is still finite, and far beyond any maximum.
	var growing := delay_min * pow(2.0, clampi(attempt - 1, 0, 1000))
	return minf(delay_max, growing) * (1.0 + jitter * (2.0 * luck - 1.0))


func _give_up() -> void:
	_phase = _Phase.IDLE
	_is_reconnecting = false
	_drop_kept()
	reconnect_failed.emit()


func _reconnect() -> void:
	if url.is_empty():
		_attempt_failed("there is no URL: set url", true)
		return
	var attempt := _new_attempt()
	if attempt.begin(url, _tls_options, _now()) == OK:
		_follow(attempt)
	else:
		var is_final := attempt.refused_with == ERR_INVALID_PARAMETER
		_attempt_failed(attempt.error_message(), is_final)


func _new_attempt() -> _Attempt:
	var attempt := _Attempt.new(self, _peer_class)
	if attempt.peer and not _proxies.put_on(attempt.peer, use_environment_proxy):
		var sentence := "%s goes through no proxy that is set here" % (
			"a browser" if OS.has_feature("web") else attempt.peer.get_class())
		if _is_new(sentence):
			push_warning("RustWebSocketClient: %s" % sentence)
	return attempt


func _follow(attempt: _Attempt) -> void:
	_epoch += 1
	_current = attempt
	_phase = _Phase.CONNECTING


func _connect_automatically() -> void:
	if autoconnect and _phase == _Phase.IDLE and connect_to_url("", _tls_options) != OK:
		# The handlers hear of it in the first frame, when everybody has had time to connect them.
		_phase = _Phase.REFUSED


func _leave() -> void:
	if _phase == _Phase.OPEN:
		_current.peer.close(1000)
	elif _phase == _Phase.CONNECTING:
		_current.cut()
	_current = null
	_superseded = null
	_leaving.clear()
	_drop_kept()
	_epoch += 1
	_phase = _Phase.IDLE
	_reconnects = 0
	_is_reconnecting = false


func _poll_leaving() -> void:
	for attempt: _Attempt in _leaving.duplicate():
		attempt.poll()
		if attempt.state() == _Attempt.State.CLOSED or _now() >= attempt.close_deadline:
			_leaving.erase(attempt)


func _report_superseded() -> void:
	while _superseded and not is_queued_for_deletion():
		var message: Variant = _superseded.next_message()
		if message == null:
			var code := _superseded.close_code()
			var reason := _superseded.close_reason()
			_superseded = null
			connection_closed.emit(code, reason, code != -1)
		else:
			_emit_message(message)


#endregion
#region Messages


func _deliver() -> void:
	var epoch := _epoch
	while not _is_over(epoch):
		var message: Variant = _current.next_message()
		if message == null:
			return
		_emit_message(message)


func _emit_message(message: Variant) -> void:
	if message is String:
		text_received.emit(message)
	else:
		data_received.emit(message)


func _submit(payload: Variant, write_mode: int) -> Error:
	if is_open() and (_queue.is_empty() or _is_opening):
		var error := _current.send(payload, write_mode)
		if error == ERR_OUT_OF_MEMORY and not _is_too_large(payload):
			_was_refused = true
		# The state is open while the last messages of the other side are read, but nothing can be
		# sent any more.
		if error != FAILED or queue_limit == 0:
			return error
	return _keep(payload, write_mode)


func _keep(payload: Variant, write_mode: int) -> Error:
	if queue_limit == 0:
		if _is_new("not open"):
			push_warning("RustWebSocketClient: not open, nothing is sent; queue_limit keeps messages")
		return FAILED
	if _is_too_large(payload):
		return ERR_OUT_OF_MEMORY
	if _queue.size() >= queue_limit:
		_was_refused = true
		return ERR_OUT_OF_MEMORY
	_queue.append([payload, write_mode])
	return OK


func _flush() -> void:
	var sent := 0
	while sent < _queue.size() and is_open() and _current.has_room_for(_queue[sent][0]):
		var error := _current.send(_queue[sent][0], _queue[sent][1])
		if error == FAILED or (error == ERR_OUT_OF_MEMORY and _current.unsent_bytes() > 0):
			break
		sent += 1
	if sent > 0:
		_queue = _queue.slice(sent)


func _drop_kept() -> void:
	_queue.clear()
	_was_refused = false


func _is_too_large(payload: Variant) -> bool:
	return outbound_buffer_size > 0 and _Attempt.size_of(payload) > outbound_buffer_size


#endregion


func _now() -> float:
	return _clock.call() if _clock.is_valid() else Time.get_ticks_usec() / 1_000_000.0


func _refuse(error: Error, sentence: String) -> Error:
	_error_message = sentence
	if _is_new(sentence):
		push_error("RustWebSocketClient: %s" % sentence)
	return error


func _is_new(sentence: String) -> bool:
	var is_new := not _printed.has(sentence)
	_printed[sentence] = true
	return is_new


func _accepts(is_good: bool, property: String, range_text: String, value: Variant) -> bool:
	if is_good and is_finite(value):
		return true
	push_error("RustWebSocketClient: %s has to be %s, not %s" % [property, range_text, value])
	return false
