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
has() { grep -qF -- "$2" "$copy/$1" || { cat "$copy/$1"; return 1; }; }
is_as_before() { diff <(echo "$before") <(files); }
changed_nothing_else() { [[ $(files | diff <(echo "$before") - | grep -c '^>') == 4 ]]; }

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
check "it counts" says '4 files, '
check "a dry run changes nothing" is_as_before
check "an option that does not exist is refused" migrate 2 --to=rust --what
check "without a direction nothing is done" migrate 2
chmod a-w "$copy/net/crlf.gd"
check "a read-only file is refused" migrate 2 --to=rust
check "and nothing is changed" is_as_before
chmod u+w "$copy/net/crlf.gd"
check "to ours" migrate 0 --to=rust
check "four files are changed, no other" changed_nothing_else
check "a comment is changed" has net/client.gd '# a RustWebSocketPeer'
check "names that contain it are not" has net/client.gd 'MyWebSocketPeer'
check "a string that is the name is" has net/strings.gd '"RustWebSocketPeer"'
check "one that contains it is not" has net/strings.gd '"a WebSocketPeer of players"'
check "the name of a node is not" has net/scene.tscn 'node name="WebSocketPeer"'
check "the script in a scene is" has net/scene.tscn 'RustWebSocketPeer.new()'
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
