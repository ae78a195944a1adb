class_name Reconnect
extends Timer
## When to connect again after a lost connection: as [RustWebSocketClient] does, which carries
## single peers and no [MultiplayerPeer]. Runs out when it is time.

## A connection that lasted for so many seconds was stable: the next loss begins anew.
const MIN_UPTIME: float = 5.0
## The server may be down for about a minute.
const MAX_ATTEMPTS: int = 7

## In a row; 0 while nothing is lost.
var attempt: int = 0
## Why the connection ended, and why each attempt since has failed.
var reasons: PackedStringArray = []

var _opened_at: int = 0
var _lost_at: int = 0
var _is_lost: bool = false


func _init() -> void:
	one_shot = true


func note_opened() -> void:
	_opened_at = Time.get_ticks_msec()
	_is_lost = false


## Begins the wait for the next attempt and gives its seconds; 0 if there will be none.
func wait(reason: String) -> float:
	if not _is_lost:
		_is_lost = true
		_lost_at = Time.get_ticks_msec()
		reasons.clear()
		if _lost_at - _opened_at >= MIN_UPTIME * 1000:
			attempt = 0
	reasons.append(reason)
	if attempt >= MAX_ATTEMPTS:
		return 0.0
	attempt += 1
	start(RustWebSocketClient.backoff(attempt))
	return wait_time


## Ends the wait, if there is one.
func forget() -> void:
	stop()
	attempt = 0
	_is_lost = false


## What it took to come back, for those who check a run; nothing if nothing was lost.
func report() -> Dictionary:
	if reasons.is_empty():
		return {}
	return { "seconds": (_opened_at - _lost_at) / 1000.0, "reasons": reasons }
