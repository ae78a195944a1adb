class_name Ledger
extends RefCounted
## What happened on the server and in which order, for those who check a run afterwards.
##
## One connection keeps its order. So everything that a client must have seen follows from the order
## in which the server did things, whatever the clocks say.

var _moment: int = 0
var _peers: Dictionary = {}
var _chat: Array[Dictionary] = []


## Writes down that peer [param id] has come to a [param step], the first time.
func note(id: int, step: String) -> void:
	var peer: Dictionary = _peer(id)
	if not peer.has(step):
		_moment += 1
		peer[step] = _moment
		peer[step + "_at"] = Time.get_ticks_msec() / 1000.0


func name_peer(id: int, title: String) -> void:
	_peer(id)["name"] = title


## Writes down a chat line and to whom it goes; those who have been let go do not have to hear it.
func note_chat(number: int, speaker: int, listeners: PackedInt32Array) -> void:
	var staying: Array = Array(listeners).filter(func(id: int) -> bool:
		return not _peer(id).has("let_go"))
	_chat.append({ "number": number, "speaker": str(speaker), "listeners": staying.map(str) })


## How many peers have come to that step.
func count(step: String) -> int:
	return _peers.values().filter(func(peer: Dictionary) -> bool: return peer.has(step)).size()


func print_report() -> void:
	print("report: ", JSON.stringify({ "peers": _peers, "chat": _chat }))


func _peer(id: int) -> Dictionary:
	return _peers.get_or_add(str(id), {})
