extends RefCounted
## The proxies of a RustWebSocketClient, for the peer of each of its attempts.

## By the peer's method that sets it: the arguments.
var _calls: Dictionary = {}


## Remembers a call for the peers to come; an empty host or a port of -1 takes it back. Returns what
## [param peer], one of the class to come, says against it; then there is no such proxy.
func remember(method: StringName, arguments: Array, peer: Object) -> String:
	_calls.erase(method)
	var is_taken_back: bool = arguments[0].is_empty() or arguments[1] == -1
	if peer and peer.has_method(method):
		peer.callv(method, arguments)
		var problem: String = peer.get_error_message()
		if not problem.is_empty():
			return problem
	if not is_taken_back:
		_calls[method] = arguments
	return ""


## Sets them on a peer. False if it knows no proxies, and there are some.
func put_on(peer: Object, uses_environment: bool) -> bool:
	if not &"use_environment_proxy" in peer:
		return _calls.is_empty() and not uses_environment
	peer.use_environment_proxy = uses_environment
	for method: StringName in _calls:
		peer.callv(method, _calls[method])
	return true
