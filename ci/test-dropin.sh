#!/usr/bin/env bash
# The addon as a user gets it: an empty project with nothing but addons/rust_websocket/, and a client and a server
# written for the engine's own WebSocketPeer, in which only the name of the class is changed.
#
#   ci/test-dropin.sh              needs the addon in godot-project/addons (ci/build.sh puts it there)
#   ci/test-dropin.sh --builtin    the same project with the engine's own class, to check the test itself
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

class=RustWebSocketPeer
[[ ${1:-} != --builtin ]] || class=WebSocketPeer
[[ $class == WebSocketPeer ]] || has_addon || die "the addon is not built: run ci/build.sh first."

# What the pages tell a user to do is what is done below.
commands=$(sed -n '/^# COMMANDS/,/^# END/p' "${BASH_SOURCE[0]}" | grep -v '^# ')
for page in README.md docs/ci.md; do
  # The first block of code that mentions the list of extensions.
  shown=$(awk '/^ *```/ { if (code && block ~ /extension_list/) { printf "%s", block; exit } code = !code; block = ""; next }
    code { sub(/^ +/, ""); block = block $0 "\n" }' "$root_dir/$page")
  [[ -n $shown && $shown == "$commands" ]] || die "the commands for a project that no editor has opened: $page has others than this test."
done

find_godot
godot() { timeout 120 "$GODOT" "$@"; }
make_scratch
project=$scratch

# The user's project: two scripts and a scene, and the addon as it is.
for script in main client; do
  sed "s/WebSocketPeer/$class/g" "$root_dir/godot-project/tests/dropin/$script.gd" >"$project/$script.gd"
done
printf '%s\n' '[gd_scene load_steps=2 format=3]' '' '[ext_resource type="Script" path="res://main.gd" id="1"]' '' \
  '[node name="Main" type="Node"]' 'script = ExtResource("1")' >"$project/main.tscn"
printf '%s\n' 'config_version=5' '' '[application]' '' 'config/name="Drop-in"' 'run/main_scene="res://main.tscn"' >"$project/project.godot"
if [[ $class != WebSocketPeer ]]; then
  mkdir "$project/addons"
  cp -r "$addon" "$project/addons/"
fi

cd "$project"
log=$project/log.txt
{
# COMMANDS
mkdir -p .godot
echo "res://addons/rust_websocket/rust_websocket.gdextension" > .godot/extension_list.cfg
godot --headless --import
# END
} >"$log" 2>&1 || { cat "$log" >&2; die "the commands for a project's CI failed."; }
[[ $class != WebSocketPeer ]] || rm -f .godot/extension_list.cfg

godot --headless --quit-after 2000 >"$log" 2>&1 || { cat "$log" >&2; die "the project did not run."; }
expected="A client comes.
Packet: Hello from a $class.
Server got: Thank you.
WebSocket closed with code: 1000, reason: Good bye.. Clean: true"
actual=$(grep -E '^(A client|Packet|Server got|WebSocket closed|Unable)' "$log" || true)
if [[ $actual != "$expected" ]] || grep -qE 'ERROR|WARNING: .*leaked' "$log"; then
  cat "$log" >&2
  die "the project did not do what it does with the engine's own class."
fi
say "passed: a project with nothing but the addon works as with the engine's own class"
echo "1 passed, 0 failed"
