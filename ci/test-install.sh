#!/usr/bin/env bash
# Two installations of the engine at once, into an empty cache folder, as when two scripts run side by side on a fresh
# machine: one downloads, the other waits, and both have an engine that runs. Downloads about 150 MB.
#
# The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# One script on a fresh machine: installs the engine, then runs it. Its result is in the file $1.
fresh_machine() {
  local engine
  engine=$(env -u GODOT "PATH=$bare_path" "RUST_WEBSOCKET_CACHE=$scratch/cache" "$root_dir/ci/install-godot.sh") || return 1
  "$engine" --headless --version >"$1"
}

is_version() { grep -qE '^4\.[0-9]+' "$1"; }

make_scratch
# Without an engine on the PATH, which would be taken.
bare_path=$PATH
for program in godot godot4; do
  while found=$(PATH=$bare_path command -v "$program"); do
    bare_path=$(tr ':' '\n' <<<"$bare_path" | grep -vxF "$(dirname "$found")" | paste -sd : -)
  done
done

(fresh_machine "$scratch/first") & first=$!
(fresh_machine "$scratch/second") & second=$!
check "the first installation" wait "$first"
check "the second installation, at the same time" wait "$second"
check "the first engine runs" is_version "$scratch/first"
check "the second engine runs" is_version "$scratch/second"
check "nothing of the installation is left over" test ! -e "$scratch/cache/godot/new" -a ! -e "$scratch/cache/godot/archives"
finish
