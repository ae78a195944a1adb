#!/usr/bin/env bash
# Runs the suite of RustWebSocketClient, the node that stays connected, on peers of the engine's own class and of ours.
#
#   ci/test-client.sh [FILTER]    FILTER: a part of case names
#
# Needs the addon in godot-project/addons (ci/build.sh puts it there). Logs stay in build/test-client/. The last line is
# "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

project=$root_dir/godot-project
logs=$root_dir/build/test-client
filter=${1:-}
passed=0 failed=0

run_suite() {
  local impl=$1 log=$logs/$1.log code=0 problems count
  say "running the suite: $impl"
  timeout --kill-after=10 "${SUITE_TIMEOUT:-300}" "$GODOT" --headless --path "$project" -s res://tests/client/run.gd \
    -- "impl=$impl" "filter=$filter" >"$log" 2>&1 || code=$?
  problems=$(awk -v run="$impl" -v exit_code="$code" -f "$root_dir/ci/client-log.awk" "$log")
  count=$(grep -c '^ok ' "$log" || true)
  passed=$((passed + count))
  if [[ -n $problems ]]; then
    echo "$problems"
    failed=$((failed + $(wc -l <<<"$problems")))
  fi
}

find_godot
[[ -f $project/addons/rust_websocket/rust_websocket.gdextension ]] || "$root_dir/ci/build.sh"
mkdir -p "$logs"
prepare_project "$project"
run_suite rust
run_suite builtin
if ((passed == 0)); then echo "FAIL no case ran"; failed=$((failed + 1)); fi
echo "$passed passed, $failed failed"
((failed == 0))
