#!/usr/bin/env bash
# Runs the test suite in the engine: on the engine's own classes, on ours, and with one as client and the other as
# server; what the cases saw must differ only where godot-project/tests/differences.txt says so.
#
#   ci/test-engine.sh [FILTER]                   everything; FILTER: parts of case names, separated by commas
#   ci/test-engine.sh --builtin-only [FILTER]    the engine's own classes alone, nothing is built
#   ci/test-engine.sh --no-build [FILTER]        everything, on the addon as it was built last
#
# Logs stay in build/test-engine/. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

builtin_only=false
build=true
case ${1:-} in
  --builtin-only) builtin_only=true; build=false; shift ;;
  --no-build) build=false; shift ;;
  -*) die "unknown option '$1' (known: --builtin-only, --no-build)." ;;
esac
filter=${1:-}
project=$root_dir/godot-project
logs=$root_dir/build/test-engine
passed=0
failed=0

# Runs the suite with the classes $2 (clients) and $3 (servers) and judges its log: build/test-engine/$1.log.
run_suite() {
  local name=$1 impl=$2 other=$3 log=$logs/$1.log code=0 problems totals
  say "running the suite: clients $impl, servers $other"
  timeout --kill-after=10 "${SUITE_TIMEOUT:-240}" "$GODOT" --headless --path "$project" -s res://tests/run.gd \
    -- "impl=$impl" "other=$other" "filter=$filter" >"$log" 2>&1 || code=$?
  problems=$(grep '^FAIL ' "$log" | sed "s/^FAIL /FAIL $name: /" || true)
  [[ -z $problems ]] || echo "$problems"
  totals=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1) || totals="0 passed, 0 failed"
  passed=$((passed + $(cut -d ' ' -f 1 <<<"$totals")))
  failed=$((failed + $(cut -d ' ' -f 3 <<<"$totals")))
  count_failures "$(awk -v run="$name" -v impl="$impl" -v other="$other" -v exit_code="$code" -f "$root_dir/ci/engine-log.awk" "$log")"
}

# Compares the built-in's log with another one, in a mode of engine-compare.awk: $1 the mode, $2 the other run.
compare() {
  count_failures "$(awk -v mode="$1" -f "$root_dir/ci/engine-compare.awk" file=1 "$project/tests/differences.txt" \
    file=2 "$logs/builtin.log" file=3 "$logs/${2:-builtin}.log" | sort)"
}

# Prints the lines of $1, if any, and counts each as a failure.
count_failures() {
  [[ -n $1 ]] || return 0
  echo "$1"
  failed=$((failed + $(wc -l <<<"$1")))
}

find_godot
mkdir -p "$logs"
rm -f "$logs"/*.log
if $build; then "$root_dir/ci/build.sh"; fi
$builtin_only || [[ -f $project/addons/rust_websocket/rust_websocket.gdextension ]] || die "the addon is not built: run ci/build.sh first."
prepare_project "$project"
run_suite builtin builtin builtin
if $builtin_only; then
  compare list
else
  run_suite rust rust rust
  run_suite rust-client rust builtin
  run_suite rust-server builtin rust
  compare both rust
  compare mixed rust-client
  compare mixed rust-server
fi
((passed > 0)) || count_failures "FAIL no case ran: does a case's name contain '$filter'?"
echo "$passed passed, $failed failed"
((failed == 0))
