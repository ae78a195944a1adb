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
addon=$root_dir/godot-project/addons/rust_websocket
[[ $class == WebSocketPeer || -f $addon/rust_websocket.gdextension ]] || die "the addon is not built: run ci/build.sh first."

# What the README tells a user to do is what is done below.
in_readme=$(awk '/^## In your project/ { here = 1 } here && /^```/ { block++; next } here && block == 1 { print } block == 2 { exit }' "$root_dir/README.md")
in_script=$(sed -n '/^# README: In your/,/^# README: end/p' "${BASH_SOURCE[0]}" | grep -v '^# README')
[[ -n $in_readme && $in_readme == "$in_script" ]] || die "the README's commands for a project's CI are not those of this test."

find_godot
godot() { timeout 120 "$GODOT" "$@"; }
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT

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
# README: In your project's CI
mkdir -p .godot
echo "res://addons/rust_websocket/rust_websocket.gdextension" > .godot/extension_list.cfg
godot --headless --import
# README: end
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
