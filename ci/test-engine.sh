#!/usr/bin/env bash
# Runs the test suite in the engine: on the engine's own classes, on ours, and with one as client and the other as
# server; what the cases saw must differ only where godot-project/tests/differences.txt says so.
#
#   ci/test-engine.sh [FILTER]                   everything; FILTER: parts of case names, separated by commas
#   ci/test-engine.sh --builtin-only [FILTER]    the engine's own classes alone, nothing is built
#   ci/test-engine.sh --ours [FILTER]            our classes alone, for the inner loop: quick, and compares with the list
#   ci/test-engine.sh --no-build [...]           on the addon as it was built last; goes before the others
#
# Logs stay in build/test-engine/. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build=true runs=all
while [[ ${1:-} == -* ]]; do
  case $1 in
    --builtin-only) runs=builtin; build=false ;;
    --ours) runs=ours ;;
    --no-build) build=false ;;
    *) die "unknown option '$1' (known: --builtin-only, --ours, --no-build)." ;;
  esac
  shift
done
filter=${1:-}
logs=$root_dir/build/test-engine

# Runs the suite with the classes $2 (clients) and $3 (servers) and judges its log: build/test-engine/$1.log.
run() {
  say "running the suite: clients $2, servers $3"
  run_suite "$logs/$1.log" "$project" "impl=$2" "other=$3" "filter=$filter"
}

# Compares logs in a mode of engine-compare.awk: $1 the mode, $2 the run that is compared with the built-in's.
compare() {
  local reference=builtin
  [[ $1 != ours ]] || reference=$2
  count_failures "$(awk -v mode="$1" -f "$root_dir/ci/engine-compare.awk" file=1 "$project/tests/differences.txt" \
    file=2 "$logs/$reference.log" file=3 "$logs/$2.log" | sort)"
}

only_one_run
find_godot
mkdir -p "$logs"
rm -f "$logs"/*.log
if $build; then "$root_dir/ci/build.sh"; fi
[[ $runs == builtin ]] || has_addon || die "the addon is not built: run ci/build.sh first."
prepare_project "$project"
[[ $runs == builtin ]] || build_slow_link
case $runs in
  builtin)
    run builtin builtin builtin
    compare list builtin
    ;;
  ours)
    run rust rust rust
    compare ours rust
    ;;
  all)
    run builtin builtin builtin
    run rust rust rust
    run rust-client rust builtin
    run rust-server builtin rust
    compare both rust
    compare mixed rust-client
    compare mixed rust-server
    ;;
esac
((passed > 0)) || count_failures "FAIL no case ran: does a case's name contain '$filter'?"
finish
