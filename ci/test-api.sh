#!/usr/bin/env bash
# Checks what the library looks up in the engine when it is loaded (rust/extension/godot-api.json):
# nothing that an engine module registers, so that it loads in engines compiled without modules, by the engine's own word
# on which class belongs to which module; and nothing that one of the versions from 4.3 on does not have, by what those
# versions have written about themselves: the crate gdextension-api, which gdext brings along, holds that. The engine
# that is installed is asked too.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

api=$root_dir/rust/extension/godot-api.json

modules() {
  # --doctool sorts the class reference by module; merging into an empty folder is what makes it print warnings.
  mkdir "$scratch/reference"
  timeout 120 "$GODOT" --headless --doctool "$scratch/reference" >"$scratch/log" 2>&1 || die "the engine did not write its class reference."
  [[ -f $scratch/reference/modules/websocket/doc_classes/WebSocketPeer.xml ]] ||
    die "the engine's class reference does not name the websocket module: this engine was compiled without it, use one that has it."
  (cd "$scratch" && timeout 60 "$GODOT" --headless -s "$root_dir/ci/cut-api.gd" -- "check=$api" "modules=$scratch/reference") 2>&1 |
    tee "$scratch/modules.log" || true
  add_totals "$scratch/modules.log"
}

# Whether the engine that wrote the file $2 has everything: $1 is its name.
version() {
  local log=$scratch/$1.log
  [[ -f $2 ]] || { fail "there is no description of Godot $1 ($2)"; return 0; }
  (cd "$scratch" && timeout 60 "$GODOT" --headless -s "$root_dir/ci/check-api.gd" -- "api=$api" "engine=$2") >"$log" 2>&1 || true
  sed -n "s/^FAIL /FAIL in Godot $1 /p" "$log"
  add_totals "$log"
}

# The check itself: what is missing in 4.2 has to be noticed.
notices() {
  [[ $(timeout 60 "$GODOT" --headless -s "$root_dir/ci/check-api.gd" -- "api=$api" "engine=$1" 2>&1) == *"FAIL there is no method PackedVector4Array"* ]]
}

find_godot
make_scratch
modules
versions=$(cd "$root_dir" && cargo metadata --locked --format-version 1 | grep -o '"manifest_path":"[^"]*/gdextension-api-[^"]*"' | cut -d '"' -f 4)
versions=$(dirname "$versions")/src
for number in 4.3 4.4 4.5 4.6; do version "$number" "$versions/$number/extension_api.json"; done
check "an engine that lacks something is noticed" notices "$versions/4.2/extension_api.json"
(cd "$scratch" && timeout 60 "$GODOT" --headless --dump-extension-api) >"$scratch/log" 2>&1 || true
version installed "$scratch/extension_api.json"
finish
