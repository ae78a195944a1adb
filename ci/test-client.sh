#!/usr/bin/env bash
# Runs the suite of RustWebSocketClient, the node that stays connected, on peers of the engine's own class and of ours.
#
#   ci/test-client.sh [FILTER]    FILTER: a part of case names
#
# Needs the addon in godot-project/addons (ci/build.sh puts it there). Logs stay in build/test-client/. The last line is
# "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

logs=$root_dir/build/test-client
filter=${1:-}

run_on() {
  local impl=$1 log=$logs/$1.log code=0
  say "running the suite: $impl"
  timeout --kill-after=10 "${SUITE_TIMEOUT:-300}" "$GODOT" --headless --path "$project" -s res://tests/client/run.gd \
    -- "impl=$impl" "filter=$filter" >"$log" 2>&1 || code=$?
  add_oks "$log"
  count_failures "$(awk -v run="$impl" -v exit_code="$code" -f "$root_dir/ci/client-log.awk" "$log")"
}

find_godot
ensure_addon
mkdir -p "$logs"
prepare_project "$project"
run_on rust
run_on builtin
finish
