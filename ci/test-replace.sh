#!/usr/bin/env bash
# A project that names the engine's classes runs on ours with the setting rust_websocket/replace_engine_classes, and not one
# of its files changes.
#
#   ci/test-replace.sh      needs the addon in godot-project/addons (ci/build.sh puts it there)
#
# The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Every odd spelling; each script adds what its peer is to what main.gd prints.
make_project() {
  copy=$scratch/project
  mkdir -p "$copy/net" "$copy/addons/lobby" "$copy/.godot"
  cp -R "$addon" "$copy/addons/"
  cat >"$copy/project.godot" <<'PROJECT'
config_version=5

[application]

config/name="Replace"
run/main_scene="res://main.tscn"

[autoload]

Net="*res://net/autoload.gd"
PROJECT
  cat >"$copy/main.tscn" <<'SCENE'
[gd_scene load_steps=3 format=3]

[ext_resource type="Script" path="res://main.gd" id="1"]

[sub_resource type="GDScript" id="2"]
script/source = "extends Node
func kind() -> String:
	return WebSocketPeer.new().get_class()
"

[node name="Main" type="Node"]
script = ExtResource("1")

[node name="WebSocketPeer" type="Node" parent="."]
script = SubResource("2")
SCENE
  cat >"$copy/main.gd" <<'SCRIPT'
extends Node
# WebSocketPeer in a comment stays.
const NAME := "WebSocketPeer"
const Typed := preload("res://net/typed.gd")


func _ready() -> void:
	print("autoload: ", Net.peer.get_class())
	print("embedded: ", $WebSocketPeer.kind())
	print("typed: ", Typed.new().make().get_class())
	print("multiplayer: ", WebSocketMultiplayerPeer.new().get_class())
	print("by name: ", ClassDB.instantiate(NAME).get_class())
	print("derived: ", Derived.new().get_class(), " ", Derived.new() is WebSocketPeer)
	print("sentence: ", "a WebSocketPeer of players")
	print("state: ", WebSocketPeer.STATE_CLOSED)
	print("own files: ", DirAccess.get_files_at("res://net").has("typed.gd"))
	print("crlf: ", load("res://net/crlf.gd").new().peer.get_class())
	var other: Object = load("res://addons/lobby/lobby.gd").new()
	print("addon: ", other.peer.get_class())
	print("line: ", get_stack()[0].line if not get_stack().is_empty() else 20)
	print("REPLACE END")
	get_tree().quit()
SCRIPT
  printf 'extends Node\nvar peer := WebSocketPeer.new()\n' >"$copy/net/autoload.gd"
  printf 'extends RefCounted\nfunc make(peer: WebSocketPeer = WebSocketPeer.new()) -> WebSocketPeer:\n\treturn peer\n' >"$copy/net/typed.gd"
  printf 'class_name Derived\nextends WebSocketPeer\n' >"$copy/net/derived.gd"
  printf '\xef\xbb\xbfextends RefCounted\r\nvar peer: WebSocketPeer = WebSocketPeer.new()\r\n' >"$copy/net/crlf.gd"
  printf 'extends RefCounted\nvar peer := WebSocketPeer.new()\n' >"$copy/addons/lobby/lobby.gd"
  printf 'class Bot { Godot.WebSocketPeer peer; }\n' >"$copy/Bot.cs"
  echo "res://addons/rust_websocket/rust_websocket.gdextension" >"$copy/.godot/extension_list.cfg"
  printf '.godot/\n' >"$copy/.gitignore"
  timeout 120 "$GODOT" --headless --path "$copy" --import >"$scratch/import.log" 2>&1 ||
    { tail -n 20 "$scratch/import.log" >&2; die "the project cannot be imported."; }
}

# Everything but the cache: bytes and times.
state() {
  (cd "$copy" && find . -path ./.godot -prune -o -type f -printf '%p %s %T@\n' | sort
    find . -path ./.godot -prune -o -type f -exec md5sum {} + | sort -k 2)
}

# The setting takes this value, or is not there.
set_setting() {
  sed -i '/^\[rust_websocket\]$/,$d' "$copy/project.godot"
  [[ $1 == none ]] || printf '[rust_websocket]\n\nreplace_engine_classes=%s\n' "$1" >>"$copy/project.godot"
}

run() {
  timeout 60 "$GODOT" --headless --path "$copy" "$@" >"$log" 2>&1 || { tail -n 20 "$log"; return 1; }
  # What is not reached is a warning, and what fails an error of the addon's own: each is looked for by itself.
  grep -q '^REPLACE END$' "$log" && [[ -z $(grep -v 'rust_websocket/replace_engine_classes' "$log" >"$log.rest"; complaints "$log.rest") ]] || { tail -n 40 "$log"; return 1; }
}
says() { grep -qxF -- "$1" "$log" || { cat "$log"; return 1; }; }
mentions() { grep -qF -- "$1" "$log" || { cat "$log"; return 1; }; }
is_silent_of() { ! grep -F -- "$1" "$log"; }
is_as_before() { diff <(echo "$before") <(state); }
cached() { find "$copy/.godot/rust_websocket" -name 'replaced-*' 2>/dev/null | sort; }
has_one_pack() { [[ $(cached | grep -c 'pck$') == 1 && $(ls -A "$copy/.godot/rust_websocket" | wc -l) == 1 ]] || { ls -lA "$copy/.godot/rust_websocket"; return 1; }; }

all_are() {
  local kind=$1 line
  for line in "autoload: $kind" "embedded: $kind" "typed: $kind" "by name: $kind" "derived: $kind true" "crlf: $kind" \
    "multiplayer: ${kind/Peer/MultiplayerPeer}" "sentence: a WebSocketPeer of players" "state: 3" "own files: true" "line: 20"; do
    says "$line" || return 1
  done
}

find_godot
ensure_addon
template=$("$root_dir/ci/install-godot.sh" --template)
make_scratch
log=$scratch/log
make_project
before=$(state)

check "without the setting it runs" run
check "on the engine's classes" all_are WebSocketPeer
check "nothing is cached" test ! -e "$copy/.godot/rust_websocket"

set_setting true
before=$(state)
check "with the setting it runs" run
check "on ours: autoload, embedded, typed, derived, by name" all_are RustWebSocketPeer
check "addons are left alone" says "addon: WebSocketPeer"
check "what is not reached is said: C#" mentions "Bot.cs is C#"
check "and addons" mentions "addons/lobby is an addon"
check "no file has changed" is_as_before
check "there is one pack in the cache, and nothing else" has_one_pack
pack=$(cached)
check "again" run
check "on ours again" all_are RustWebSocketPeer
check "what is not reached is said once" is_silent_of "is C#"
check "the pack is the same" test "$(cached)" == "$pack"

printf '\nfunc more() -> String:\n\treturn "more"\n' >>"$copy/net/autoload.gd"
sed -i 's|print("REPLACE END")|print(Net.more())\n\tprint("REPLACE END")|' "$copy/main.gd"
check "a script that is newer is seen" run
check "by what it does" says "more"
check "the old pack is gone" has_one_pack
check "it is another one" test "$(cached)" != "$pack"

printf '[rust_websocket]\n\nreplace_engine_classes=true\nreplace_engine_classes_in_addons=true\n' >"$copy/override.cfg"
check "addons too, if the setting says so" run
check "the addon's peer is ours" says "addon: RustWebSocketPeer"
rm "$copy/override.cfg"

cat >"$copy/tool.gd" <<'SCRIPT'
extends SceneTree
func _init() -> void:
	print("script: ", WebSocketPeer.new().get_class())
	print("REPLACE END")
	quit()
SCRIPT
check "a script that is run with -s" run -s res://tool.gd
check "is on ours" says "script: RustWebSocketPeer"
rm -f "$copy/tool.gd" "$copy/tool.gd.uid"

# Eight processes at once, from an empty cache.
together() {
  local index pids=() failures=0
  rm -rf "$copy/.godot/rust_websocket"
  for index in {1..8}; do
    timeout 60 "$GODOT" --headless --path "$copy" >"$scratch/together-$index.log" 2>&1 &
    pids+=($!)
  done
  for index in "${pids[@]}"; do wait "$index" || failures=$((failures + 1)); done
  for index in {1..8}; do
    grep -q '^autoload: RustWebSocketPeer$' "$scratch/together-$index.log" ||
      { cat "$scratch/together-$index.log"; failures=$((failures + 1)); }
  done
  ((failures == 0))
}
check "eight start at once with nothing cached" together
check "one pack is left" has_one_pack

echo garbage >"$(cached)"
check "a pack that is broken" run
check "does not keep the project from running" mentions "The project runs on the engine's own classes."
check "on the engine's" says "autoload: WebSocketPeer"
check "next time it is made anew" run
check "and ours are back" says "autoload: RustWebSocketPeer"

rm -rf "$copy/.godot/rust_websocket"
echo "no folder" >"$copy/.godot/rust_websocket"
check "a cache that cannot be written" run
check "is said in one line, with what follows" mentions "The project runs on the engine's own classes."
rm "$copy/.godot/rust_websocket"

# export MODE: for Linux, with scripts as text (0) or as tokens (1, 2: compressed).
export_game() {
  rm -rf "$scratch/exported"
  mkdir "$scratch/exported"
  sed "s|^custom_template/release=.*|custom_template/release=\"$template\"|; s|^script_export_mode=.*|script_export_mode=$1|" \
    "$project/export_presets.cfg" >"$copy/export_presets.cfg"
  timeout 120 "$GODOT" --headless --path "$copy" --export-release Linux "$scratch/exported/game.x86_64" >"$log" 2>&1 || { tail -n 30 "$log"; return 1; }
  rm "$copy/export_presets.cfg"
  [[ -s $scratch/exported/game.pck && -z $(complaints "$log") ]] || { tail -n 30 "$log"; return 1; }
}

run_game() {
  run_exported "$scratch/exported" game >"$log" 2>&1 || { tail -n 20 "$log"; return 1; }
  grep -q '^REPLACE END$' "$log" && [[ -z $(complaints "$log") ]] || { tail -n 40 "$log"; return 1; }
}
holds_no_comment_of_ours() { ! grep -aq 'RustWebSocketPeer in a comment' "$scratch/exported/game.pck"; }

before=$(state)
for mode in 0 1 2; do
  check "an export with scripts in mode $mode" export_game "$mode"
  if ((mode == 0)); then
    check "says nothing of text" is_silent_of "as text"
  else
    check "says which scripts are in it as text" mentions "as text, since names are replaced in it: "
  fi
  check "leaves the project as it was" is_as_before
  check "the exported game runs" run_game
  check "on ours" all_are RustWebSocketPeer
  check "comments are as they were" holds_no_comment_of_ours
done

set_setting none
check "an export without the setting" export_game 0
check "runs" run_game
check "on the engine's classes" all_are WebSocketPeer
check "without the setting again" run
check "it is on the engine's classes" says "autoload: WebSocketPeer"
finish
