#!/usr/bin/env bash
# Changes the class names of a project of odd spellings by addons/rust_websocket/migrate.gd, and back: the same bytes.
#
#   ci/test-migrate.sh      needs the addon in godot-project/addons (ci/build.sh puts it there)
#
# The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Every odd spelling: line ends, byte order mark, comments, strings of all kinds, names that only look alike.
make_project() {
  copy=$scratch/project
  mkdir -p "$copy/addons/other" "$copy/net"
  cp -R "$addon" "$copy/addons/"
  printf 'config_version=5\n\n[application]\n\nconfig/name="Migrate"\n' >"$copy/project.godot"
  printf 'extends Node\n# a WebSocketPeer\nvar socket := WebSocketPeer.new()\nvar other: MyWebSocketPeer\nclass WebSocketPeerFoo:\n\tpass\nclass MyWebSocketPeer:\n\tpass\n' \
    >"$copy/net/client.gd"
  cat >"$copy/net/odd.gd" <<'SCRIPT'
extends "res://net/base.gd" # not WebSocketPeerFoo
const NAMES := [&"WebSocketPeer", ^"WebSocketPeer", 'WebSocketMultiplayerPeer', """WebSocketPeer""", r'WebSocketPeer']
const LOOKALIKES := ["WebSocketPeer2", "\"WebSocketPeer\"", 'it''s', "# WebSocketPeer", """
a "WebSocketPeer" in a
longer \""" string"""]
var _WebSocketPeer := 0
var WebSocketPeer_2 := 0
var ÄWebSocketPeer := 0
var by_path := $WebSocketPeer
var unique := %WebSocketPeer
var deep := $Net/WebSocketPeer
var got := get_node("WebSocketPeer")
var typed: Array[WebSocketPeer] = []
var table: Dictionary = {WebSocketPeer.STATE_OPEN: "WebSocketPeer"}
var made := ClassDB.instantiate(
	"WebSocketPeer") as WebSocketPeer
func f(peer: WebSocketPeer = null) -> WebSocketMultiplayerPeer:
	if peer is not WebSocketPeer or peer is WebSocketMultiplayerPeer: # WebSocketPeer, (WebSocketPeer).
		return null
	var lambda := func(a: WebSocketPeer) -> int: return a.get_ready_state() \
		if a.get_ready_state() == WebSocketPeer.State.STATE_OPEN else WebSocketPeer.WRITE_MODE_TEXT
	return WebSocketMultiplayerPeer.new() if lambda.is_valid() else null
SCRIPT
  # No line end behind the last line, a tab and spaces at its end, carriage returns alone, bytes that are no UTF-8.
  printf 'var a := WebSocketPeer.new()\t ' >"$copy/net/no_end.gd"
  printf 'extends Node\rvar a: WebSocketPeer\r# \xff\xfe WebSocketPeer\n' >"$copy/net/bytes.gd"
  # An object that stands in for a peer in tests.
  printf 'extends RefCounted\n\nfunc get_ready_state() -> int:\n\treturn 1\nstatic func send_text(_text: String) -> int:\n\treturn 0\nclass Inner:\n\tfunc get_close_code() -> int:\n\t\treturn -1\n' \
    >"$copy/net/fake.gd"
  # One that calls a peer's functions, and has two functions of its own that are called like them.
  printf 'extends Node\nfunc connect_to_url(_url: String) -> void:\n\tpass\nfunc get_packet() -> int:\n\treturn 0 # func get_close_code()\n' \
    >"$copy/net/wrapper.gd"
  printf 'extends WebSocketMultiplayerPeer\nfunc get_unique_id() -> int:\n\treturn 7\nfunc create_server() -> void:\n\tpass\nfunc get_packet_peer() -> int:\n\treturn 7\n' \
    >"$copy/net/child.gd"
  printf '[preset.0]\n\nname="Web"\nplatform="Web"\n' >"$copy/export_presets.cfg"
  mkdir -p "$copy/left"
  touch "$copy/left/.gdignore"
  printf 'var a: WebSocketPeer\n' >"$copy/left/left.gd"
  printf 'WebSocketPeer\n' >"$copy/net/notes.txt"
  printf '\xef\xbb\xbfextends Node\r\nvar peer: WebSocketMultiplayerPeer\r\n' >"$copy/net/crlf.gd"
  cat >"$copy/net/strings.gd" <<'SCRIPT'
extends Node
var a := "WebSocketPeer"
var b := &'WebSocketMultiplayerPeer'
var c := "a WebSocketPeer of players"
var d := """
WebSocketPeer
"""
var e := r"WebSocketPeer\n"
func f(x: Object) -> bool:
	return x is WebSocketPeer
class Sub extends WebSocketPeer:
	pass
SCRIPT
  printf '[gd_scene load_steps=2 format=3]\n\n[sub_resource type="GDScript" id="1"]\nscript/source = "extends Node\nvar a := WebSocketPeer.new()\n"\n\n[node name="WebSocketPeer" type="Node"]\nscript = SubResource("1")\n' \
    >"$copy/net/scene.tscn"
  printf 'extends Node\nvar a: WebSocketPeer\n' >"$copy/addons/other/other.gd"
  printf 'class Bot { Godot.WebSocketPeer peer; }\n' >"$copy/Bot.cs"
  mkdir "$copy/.godot"
  echo "res://addons/rust_websocket/rust_websocket.gdextension" >"$copy/.godot/extension_list.cfg"
}

files() { (cd "$copy" && find . -path ./.godot -prune -o -path ./addons/rust_websocket -prune -o -type f ! -name '*.uid' -exec md5sum {} +) | sort -k 2; }

# migrate CODE ARGUMENT...: succeeds if the tool ends with that code.
migrate() {
  local wanted=$1 code=0
  shift
  timeout 60 "$GODOT" --headless --path "$copy" -s addons/rust_websocket/migrate.gd -- "$@" >"$log" 2>&1 || code=$?
  ((code == wanted)) || { tail -n 20 "$log"; return 1; }
}

says() { grep -qF -- "$1" "$log" || { tail -n 20 "$log"; return 1; }; }
lacks_hazard() { ! grep -F "hazard: res://$1:" "$log" | grep -F "$2"; }
has() { grep -qF -- "$2" "$copy/$1" || { cat "$copy/$1"; return 1; }; }
is_as_before() { diff <(echo "$before") <(files); }
changed_nothing_else() { [[ $(files | diff <(echo "$before") - | grep -c '^>') == 8 ]]; }

# odd.gd, with the names where they are names.
is_as_wanted() {
  diff "$copy/net/odd.gd" - <<'SCRIPT'
extends "res://net/base.gd" # not WebSocketPeerFoo
const NAMES := [&"RustWebSocketPeer", ^"RustWebSocketPeer", 'RustWebSocketMultiplayerPeer', """RustWebSocketPeer""", r'RustWebSocketPeer']
const LOOKALIKES := ["WebSocketPeer2", "\"WebSocketPeer\"", 'it''s', "# WebSocketPeer", """
a "WebSocketPeer" in a
longer \""" string"""]
var _WebSocketPeer := 0
var WebSocketPeer_2 := 0
var ÄWebSocketPeer := 0
var by_path := $WebSocketPeer
var unique := %WebSocketPeer
var deep := $Net/WebSocketPeer
var got := get_node("RustWebSocketPeer")
var typed: Array[RustWebSocketPeer] = []
var table: Dictionary = {RustWebSocketPeer.STATE_OPEN: "RustWebSocketPeer"}
var made := ClassDB.instantiate(
	"RustWebSocketPeer") as RustWebSocketPeer
func f(peer: RustWebSocketPeer = null) -> RustWebSocketMultiplayerPeer:
	if peer is not RustWebSocketPeer or peer is RustWebSocketMultiplayerPeer: # RustWebSocketPeer, (RustWebSocketPeer).
		return null
	var lambda := func(a: RustWebSocketPeer) -> int: return a.get_ready_state() \
		if a.get_ready_state() == RustWebSocketPeer.State.STATE_OPEN else RustWebSocketPeer.WRITE_MODE_TEXT
	return RustWebSocketMultiplayerPeer.new() if lambda.is_valid() else null
SCRIPT
}
ends_as_before() { [[ $(tail -c 8 "$copy/net/no_end.gd") == $'.new()\t ' ]]; }

find_godot
ensure_addon
make_scratch
log=$scratch/log
make_project
before=$(files)
check "a dry run says that there is something to do" migrate 1 --to=rust --dry-run
check "it shows the line" says 'res://net/client.gd:3: var socket := WebSocketPeer.new() -> var socket := RustWebSocketPeer.new()'
check "it warns of C#" says 'hazard: res://Bot.cs names WebSocketPeer'
check "it warns of is" says 'hazard: res://net/strings.gd:10: is:'
check "it warns of extends" says 'hazard: res://net/strings.gd:11: extends:'
check "it warns of is not" says 'hazard: res://net/odd.gd:18: is:'
check "it warns of a string that may be a node's name" says 'hazard: res://net/odd.gd:12: text:'
check "and of a node path" says 'hazard: res://net/odd.gd:2: text:'
check "it warns of a class that extends one" says 'hazard: res://net/child.gd:1: extends:'
check "it warns of a fake" says 'hazard: res://net/fake.gd:3: a fake: it has functions of a peer (get_ready_state, send_text, get_close_code)'
check "a class that extends a peer is no fake" lacks_hazard net/child.gd 'fake'
check "one with two such names is none" lacks_hazard net/wrapper.gd 'fake'
check "it warns of a web preset" says 'hazard: res://export_presets.cfg has a web preset'
check "it counts" says '8 files, '
check "a dry run changes nothing" is_as_before
printf 'class_name RustWebSocketPeer\nextends Node\n' >"$copy/net/taken.gd"
check "a dry run with a class that has the new name" migrate 1 --to=rust --dry-run
check "it warns of it" says 'hazard: res://net/taken.gd:1: declaration: '
rm "$copy/net/taken.gd"
check "an option that does not exist is refused" migrate 2 --to=rust --what
check "without a direction nothing is done" migrate 2
chmod a-w "$copy/net/crlf.gd"
check "a read-only file is refused" migrate 2 --to=rust
check "and nothing is changed" is_as_before
chmod u+w "$copy/net/crlf.gd"
check "to ours" migrate 0 --to=rust
check "eight files are changed, no other" changed_nothing_else
check "a comment is changed" has net/client.gd '# a RustWebSocketPeer'
check "names that contain it are not" has net/client.gd 'MyWebSocketPeer'
check "a string that is the name is" has net/strings.gd '"RustWebSocketPeer"'
check "one that contains it is not" has net/strings.gd '"a WebSocketPeer of players"'
check "the name of a node is not" has net/scene.tscn 'node name="WebSocketPeer"'
check "the script in a scene is" has net/scene.tscn 'RustWebSocketPeer.new()'
check "odd spellings are as they should be" is_as_wanted
check "a text without a line end has none" ends_as_before
check "carriage returns and bytes that are no UTF-8 stay" has net/bytes.gd $'\rvar a: RustWebSocketPeer\r# \xff\xfe RustWebSocketPeer'
check "line ends stay" has net/crlf.gd $'RustWebSocketMultiplayerPeer\r'
check "the old files are kept" compgen -G "$copy/.godot/rust_websocket/before-*.zip" >/dev/null
check "a second time there is nothing to do" migrate 0 --to=rust --dry-run
check "back to the engine's" migrate 0 --to=engine
check "there and back are the same bytes" is_as_before
check "with addons too" migrate 0 --to=rust --include-addons
check "the other addon is changed" has addons/other/other.gd 'RustWebSocketPeer'
check "and back" migrate 0 --to=engine --include-addons
check "they are the same bytes" is_as_before
printf '\nfunc g() -> void:\n\tsocket = RustWebSocketPeer.new()\n\tsocket.get_packets()\n' >>"$copy/net/client.gd"
check "a dry run back" migrate 1 --to=engine --dry-run net/client.gd
check "it warns of members that only ours have" says 'the engine'"'"'s classes have no get_packets'
check "it warns of what cannot come back" says 'has the new name already'
finish
