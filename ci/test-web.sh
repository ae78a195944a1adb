#!/usr/bin/env bash
# What a project that names the addon's classes becomes in a browser, as far as that shows without one: a pack exported
# for the web runs in the Linux release template, which has no library beside it, against native servers. Neither export
# nor game may complain, and nothing may be left behind, not even by an export that fails or by an editor that dies.
#
#   ci/test-web.sh      needs the addon in godot-project/addons (ci/build.sh puts it there)
#
# Logs stay in build/test-web/. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

logs=$root_dir/build/test-web
class=RustWebSocketPeer

# A copy of the sample project: demo, addon, and the subjects, which begin in a scene of their own.
make_project() {
  copy=$scratch/project
  mkdir -p "$copy/tests"
  cp -R "$project"/{addons,demo,project.godot} "$copy/"
  cp -R "$project/tests/web" "$copy/tests/"
  sed "s/WebSocketPeer/$class/g; s|^@export var websocket_url := .*|var websocket_url := OS.get_environment(\"WEB_URL\")|" \
    "$project/tests/dropin/client.gd" >"$copy/tests/web/subjects/dropin.gd"
  sed -i 's|^run/main_scene=.*|run/main_scene="res://tests/web/main.tscn"|' "$copy/project.godot"
  write_presets >"$copy/export_presets.cfg"
  prepare_project "$copy"
}

# Web, the same with the manifest left out by the user, and with the engine's switch for extensions.
write_presets() {
  local number=0 name exclude extensions
  while IFS='|' read -r name exclude extensions; do
    printf '[preset.%d]\n\nname="%s"\nplatform="Web"\nrunnable=true\nexport_filter="all_resources"\n' "$number" "$name"
    printf 'include_filter=""\nexclude_filter="%s"\nexport_path=""\nscript_export_mode=2\n\n' "$exclude"
    printf '[preset.%d.options]\n\nvariant/extensions_support=%s\nvariant/thread_support=false\n\n' "$number" "$extensions"
    number=$((number + 1))
  done <<'PRESETS'
Plain||false
Excluded|addons/rust_websocket/*.gdextension|false
Extensions||true
PRESETS
}

# What must be as it was: the project's files, and the editor's lists of extensions and classes.
fingerprint() {
  (cd "$copy" && find . -path ./.godot -prune -o -type f -exec md5sum {} + &&
    md5sum .godot/extension_list.cfg .godot/global_script_class_cache.cfg) | sort -k 2
}

is_as_before() { diff <(echo "$before") <(fingerprint); }
is_silent() {
  local found
  # Debian's release template says this of every container that is freed, whatever the game is.
  found=$(complaints "$1" | grep -v "Attempt to disconnect a nonexistent connection from .* callable: ''") || true
  [[ -z $found ]] || { head <<<"$found"; return 1; }
}
says() { grep -qE -- "$2" "$1" || { tail -n 15 "$1"; return 1; }; }

# export_pack PRESET LOG [PATH]: for the preset, into the program's pack.
export_pack() {
  timeout 180 "$GODOT" --headless --path "$copy" --export-pack "$1" "${3:-$out/game.pck}" >"$2" 2>&1
}

# The template, and the pack beside it under its name: without the library, which a browser has not either. Debian's
# template may need the loader that came with it.
make_program() {
  local template lib
  template=$("$root_dir/ci/install-godot.sh" --template)
  lib=$(dirname "$GODOT")/root/usr/lib/x86_64-linux-gnu
  out=$scratch/out
  mkdir "$out"
  cp "$template" "$out/game.x86_64"
  program=(./game.x86_64)
  if ! (cd "$out" && ./game.x86_64 --headless --version >/dev/null 2>&1); then
    cp "$lib/ld-linux-x86-64.so.2" "$out/game"
    program=(./game --library-path "$lib:$lib/pulseaudio:$lib/blas:$lib/lapack" ./game.x86_64)
  fi
}

# play SUBJECT LOG [ARGUMENT...]
play() {
  local subject=$1 log=$2
  shift 2
  (cd "$out" && WEB_SUBJECT=$subject WEB_URL=ws://127.0.0.1:$raw_port WEB_MULTIPLAYER_URL=ws://127.0.0.1:$multiplayer_port \
    timeout 60 "${program[@]}" --headless -- "$@") >"$log" 2>&1
}

start_native_server() {
  start "$logs/server.log" timeout 300 "$GODOT" --headless --path "$project" -s res://tests/web/server.gd
  wait_for_line "$logs/server.log" '^server: listening on ' 30 || die "the native server does not start."
  read -r raw_port multiplayer_port < <(sed -n 's/^server: listening on \([0-9]*\) and \([0-9]*\)$/\1 \2/p' "$logs/server.log")
}

check_preset() {
  local preset=$1 log=$logs/$1
  check "$preset: exports" export_pack "$preset" "$log-export.log"
  check "$preset: the export says nothing" is_silent "$log-export.log"
  check "$preset: nothing is left behind" is_as_before
  check "$preset: names, ends" play names "$log-names.log"
  check "$preset: names, is through" says "$log-names.log" '^WEB DONE$'
  check "$preset: names, everything holds" lacks_line "$log-names.log" '^WEB FAIL'
  check "$preset: names, says nothing else" is_silent "$log-names.log"
  check "$preset: the engine's example, ends" play dropin "$log-dropin.log"
  check "$preset: the engine's example, is greeted" says "$log-dropin.log" '^Packet: Hello from a RustWebSocketPeer\.$'
  check "$preset: the engine's example, closes" says "$log-dropin.log" '^WebSocket closed with code: 1000, reason: Good bye\.\. Clean: true$'
  check "$preset: the engine's example, says nothing else" is_silent "$log-dropin.log"
  check "$preset: the node, ends" play node "$log-node.log"
  check "$preset: the node, comes back" says "$log-node.log" '^node: closed 4012 restarting true WebSocketPeer$'
  check "$preset: the node, closes" says "$log-node.log" '^node: closed 1000 Good bye\. true WebSocketPeer$'
  check "$preset: the node, says nothing else" is_silent "$log-node.log"
}

fails() { ! "$@"; }
lacks_line() { ! grep -E -- "$2" "$1"; }

# A bot in the pack and a native one, on a native server.
check_demo() {
  local url
  start "$logs/demo-server.log" timeout 120 "$GODOT" --headless --path "$project" res://demo/server/server.tscn -- \
    --players=2 --seconds=4
  wait_for_line "$logs/demo-server.log" 'listening on ws://' 30 || die "the demo's server does not start."
  url=$(sed -n 's/.*listening on \(ws:[^ ]*\).*/\1/p' "$logs/demo-server.log")
  start "$logs/demo-native.log" timeout 60 "$GODOT" --headless --path "$project" -- --bot "--url=$url" --name=Native
  check "demo: the bot in the pack ends well" play demo "$logs/demo-web.log" --bot "--url=$url" --name=Browser
  check "demo: it has played" says "$logs/demo-web.log" '^report: .*"chat_heard":\[[^]]'
  check "demo: it says nothing else" is_silent "$logs/demo-web.log"
  check "demo: the server lets it in" says "$logs/demo-server.log" '^server: Browser joined$'
  check "demo: the server has no complaints" is_silent "$logs/demo-server.log"
}

# Into a folder that does not exist.
check_failed_export() {
  check "an export into a folder that is not there fails" fails export_pack Plain "$logs/failed.log" "$scratch/nowhere/game.pck"
  check "a failed export leaves nothing behind" is_as_before
}

# An editor that is killed in the middle; the next one has everything again.
check_killed_editor() {
  local plugin=$copy/addons/sleeper settings=$copy/project.godot
  cp "$settings" "$scratch/settings"
  mkdir "$plugin"
  printf '[plugin]\n\nname="Sleeper"\ndescription=""\nauthor=""\nversion="1"\nscript="plugin.gd"\n' >"$plugin/plugin.cfg"
  cp "$project/tests/web/sleeper_plugin.gd" "$plugin/plugin.gd"
  printf '\n[editor_plugins]\n\nenabled=PackedStringArray("res://addons/sleeper/plugin.cfg")\n' >>"$settings"
  start "$logs/killed.log" timeout 120 "$GODOT" --headless --path "$copy" --export-pack Plain "$out/killed.pck"
  check "an export stands still" wait_for_line "$logs/killed.log" '^SLEEPING$' 60
  kill_with_children "$pid"
  rm -rf "$plugin"
  mv "$scratch/settings" "$settings"
  # The first import of an extension that is not in the list ends with a crash of the engine's, after its work is done.
  (timeout 120 "$GODOT" --headless --path "$copy" --import >"$logs/after.log" 2>&1) 2>/dev/null || true
  check "after an editor was killed the next one has everything again" is_as_before
}

# Ends the process $1, which waits for a child (timeout), and that child, at once.
kill_with_children() {
  local child
  for child in $(ps -o pid= --ppid "$1"); do kill -KILL "$child" 2>/dev/null || true; done
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

find_godot
ensure_addon
prepare_project "$project"
mkdir -p "$logs"
rm -f "$logs"/*.log
make_scratch
make_project
make_program
before=$(fingerprint)
start_native_server
for preset in Plain Excluded Extensions; do
  say "preset $preset"
  check_preset "$preset"
done
say "the demo"
check_demo
check_failed_export
check_killed_editor
finish
