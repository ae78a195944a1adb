#!/usr/bin/env bash
# Compares every member of the addon's classes, as ClassDB shows it, with the engine's own classes.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

project=$root_dir/godot-project
find_godot
[[ -f $project/addons/rust_websocket/rust_websocket.gdextension ]] || "$root_dir/ci/build.sh"
prepare_project "$project"
timeout 60 "$GODOT" --headless --path "$project" -s res://tests/classdb.gd
