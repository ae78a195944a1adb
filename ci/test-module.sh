#!/usr/bin/env bash
# The addon in place of the engine's websocket module: in an engine that was compiled without it, the library built with
# --builtin-names carries the whole engine suite, the sample project and the class reference under the engine's own names.
#
#   ci/test-module.sh [FILTER]     FILTER: parts of case names, separated by commas
#
# The engine is built first if it is not there (ci/build-engine-without-websocket.sh: a quarter of an hour to an hour), or
# ENGINE_WITHOUT_WEBSOCKET names one. What the cases see is compared with the engine's own classes in a stock engine.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

filter=${1:-}
logs=$root_dir/build/test-module

only_one_run
find_godot
stock=$GODOT
other=${ENGINE_WITHOUT_WEBSOCKET:-$("$root_dir/ci/build-engine-without-websocket.sh")}
make_scratch
mkdir -p "$logs"
rm -f "$logs"/*.log
without=$scratch/project

# The sample project with the engine's names in place of ours.
cp -R "$project" "$without"
rm -rf "$without/.godot" "$without/addons"
grep -rlE 'RustWebSocket(Multiplayer)?Peer' "$without/demo" "$without/examples" | while read -r file; do
  sed -Ei 's/RustWebSocket(Multiplayer)?Peer/WebSocket\1Peer/g' "$file"
done
"$root_dir/ci/build.sh" --builtin-names --into "$without/addons/rust_websocket"

in_stock() { timeout 120 "$stock" --headless --path "$without" "$@"; }
in_other() { timeout 120 "$other" --headless --path "$without" "$@"; }
no_complaints() { [[ -z $(complaints "$1") ]]; }

# Without the addon's list of extensions the stock engine runs its own classes.
GODOT=$stock
run_suite "$logs/builtin.log" "$without" impl=builtin "filter=$filter"
check "a stock engine records its classes" in_stock -s res://tests/classdb.gd -- "record=$scratch/classes.txt"

GODOT=$other
prepare_project "$without"
build_slow_link
run_suite "$logs/rust.log" "$without" impl=rust names=engine "recorded=$scratch/classes.txt" "filter=$filter"
count_failures "$(awk -v mode=both -f "$root_dir/ci/engine-compare.awk" file=1 "$without/tests/differences.txt" \
  file=2 "$logs/builtin.log" file=3 "$logs/rust.log" | sort)"

say "members as in a stock engine"
in_other -s res://tests/classdb.gd -- "against=$scratch/classes.txt" >"$logs/classdb.log" 2>&1 || true
grep -A 2 '^FAIL' "$logs/classdb.log" || true
add_totals "$logs/classdb.log"

say "help pages"
(cd "$without" && in_other --doctool "$scratch" --gdextension-docs) >"$logs/doctool.log" 2>&1 || true
check "the class reference is written under the engine's names" test -s "$scratch/doc_classes/WebSocketPeer.xml"
check "and speaks of them" bash -c "! grep -q 'RustWebSocket\(Multiplayer\)\?Peer' '$scratch'/doc_classes/WebSocket*.xml"

say "the sample project"
check "a round of the sample project" env GODOT="$other" RUST_WEBSOCKET_PROJECT="$without" \
  "$root_dir/ci/demo.sh" --impl=builtin --seconds=6 --bots=4
finish
