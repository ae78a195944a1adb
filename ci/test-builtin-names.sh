#!/usr/bin/env bash
# The addon built with --builtin-names, in an engine that has the classes itself: it must say so in one sentence, stay
# out of the way, and leave the engine and its own WebSocketPeer working.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

find_godot
make_scratch
project=$scratch
"$root_dir/ci/build.sh" --builtin-names --into "$project/addons/rust_websocket"

printf 'config_version=5\n\n[application]\n\nconfig/name="Builtin names"\n' >"$project/project.godot"
mkdir "$project/.godot"
echo "res://addons/rust_websocket/rust_websocket.gdextension" >"$project/.godot/extension_list.cfg"
cat >"$project/use.gd" <<'SCRIPT'
extends SceneTree


func _initialize() -> void:
	var peer := WebSocketPeer.new()
	print("peer is ", peer.get_class(), " in state ", peer.get_ready_state(), ", ours is ", ClassDB.class_exists("RustWebSocketPeer"))
	quit()
SCRIPT

status=0
timeout 60 "$GODOT" --headless --path "$project" -s res://use.gd >"$project/log" 2>&1 || status=$?
said() { [[ $(grep -c "$1" "$project/log") == "$2" ]]; }

check "the engine ends well (it ended with $status)" test "$status" -eq 0
check "one sentence says why the addon is not loaded" said 'Rust WebSocket is not loaded' 1
check "nothing is registered over the engine's classes" said 'already registered\|already exists' 0
check "the engine's own class works" said '^peer is WebSocketPeer in state 3, ours is false$' 1
check "nothing crashed" said 'Program crashed\|panicked\|handle_crash' 0
if ((failed > 0)); then cat "$project/log"; fi
finish
