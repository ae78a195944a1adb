#!/usr/bin/env bash
# Checks that the library looks up nothing that an engine module registers, so that it loads in engines compiled
# without modules: rust/extension/godot-api.json against the engine's own word on which class belongs to which module.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

find_godot
make_scratch
# --doctool sorts the class reference by module; merging into an empty folder is what makes it print warnings.
mkdir "$scratch/reference"
timeout 120 "$GODOT" --headless --doctool "$scratch/reference" >"$scratch/log" 2>&1 || die "the engine did not write its class reference."
[[ -f $scratch/reference/modules/websocket/doc_classes/WebSocketPeer.xml ]] ||
  die "the engine's class reference does not name the websocket module: this engine was compiled without it, use one that has it."
cd "$scratch"
timeout 60 "$GODOT" --headless -s "$root_dir/ci/cut-api.gd" -- "check=$root_dir/rust/extension/godot-api.json" "modules=$scratch/reference"
