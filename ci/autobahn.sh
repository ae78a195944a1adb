#!/usr/bin/env bash
# Runs the Autobahn WebSocket test suite and compares what it says with godot-project/tests/autobahn/expected.json.
#
#   ci/autobahn.sh                          what the continuous integration runs: cases 1 to 10, and a part of 12 and 13
#   ci/autobahn.sh all                      all 517 cases (half an hour on two cores); before a release
#   ci/autobahn.sh server '12.1.*' 9.7.1    these cases, on one testee
#   ci/autobahn.sh --class=WebSocketPeer .. the engine's own class instead of ours, without compression
#
# Testees, all of them if none is named: server (a GDScript server, accept_stream), client (a GDScript client,
# connect_to_url), rust (rust/bench's echo server, the same listener and protocol without an engine).
# Reports for people: build/autobahn/TESTEE/index.html. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

reports=$root_dir/build/autobahn
class=RustWebSocketPeer
compression=1
testees=()
cases=()
part=cases

for argument in "$@"; do
  case $argument in
    server | client | rust) testees+=("$argument") ;;
    ci | all) part=$argument ;;
    --class=*) class=${argument#--class=}; compression=0 ;;
    [1-9]*) cases+=("$argument") ;;
    *) die "unknown argument '$argument' (known: server, client, rust, ci, all, --class=NAME, case numbers)." ;;
  esac
done
((${#testees[@]})) || testees=(server client rust)
if ((${#cases[@]} == 0)) && [[ $part == cases ]]; then part=ci; fi
case $part in
  # Of compression every set of payloads and parameters, with the sizes that are quick: messages of 16 bytes to 4 KiB,
  # and 8 KiB in fragments.
  ci) cases=('1.*' '2.*' '3.*' '4.*' '5.*' '6.*' '7.*' '9.*' '10.*' 12.{1..5}.{1..5} 12.{1..5}.11 13.{1..7}.{1..5} 13.{1..7}.11) ;;
  all) cases=('*') ;;
esac

# Writes the suite's configuration for testee $1 with `$2`, the key that says where.
write_spec() {
  python3 - "$reports/$1" "$1" "$2" "${cases[@]}" >"$reports/$1.json" <<'PYTHON'
import json, sys
folder, agent, where, *cases = sys.argv[1:]
spec = {"outdir": folder, "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
if where.startswith("servers="):
    spec["servers"] = [{"agent": agent, "url": where[8:]}]
else:
    spec["url"] = where
print(json.dumps(spec))
PYTHON
}

run_against_server() {
  local testee=$1
  write_spec "$testee" "servers=ws://127.0.0.1:$port"
  "$wstest" -m fuzzingclient -s "$reports/$testee.json" >"$reports/$testee.suite.log" 2>&1
}

run_server() {
  start_server "$reports/server.log" "$GODOT" --headless --path "$project" -s res://tests/autobahn/server.gd -- "class=$class" "compression=$compression"
  run_against_server server
}

run_rust() {
  start_server "$reports/rust.log" "$echo_server" --compression
  run_against_server rust
}

run_client() {
  local url
  url=ws://127.0.0.1:$(free_port)
  write_spec client "$url"
  start "$reports/client.suite.log" "$wstest" --webport=0 -m fuzzingserver -s "$reports/client.json"
  wait_for_port "${url##*:}" || die "the suite's server does not listen."
  "$GODOT" --headless --path "$project" -s res://tests/autobahn/client.gd -- "class=$class" "compression=$compression" "url=$url" agent=client \
    >"$reports/client.log" 2>&1
}

# One testee in a process of its own, which ends what it has started.
run_testee() {
  rm -rf "${reports:?}/$1" "$reports/$1".*
  "run_$1"
}

only_one_run
wstest=$("$root_dir/ci/install-autobahn.sh") || die "no Autobahn test suite: see the line above."
mkdir -p "$reports"
if [[ " ${testees[*]} " != " rust " ]]; then
  find_godot
  [[ $class == WebSocketPeer ]] || ensure_addon
  prepare_project "$project"
fi
if [[ " ${testees[*]} " == *" rust "* ]]; then
  build_echo_server
fi

say "running ${testees[*]}: ${cases[*]}"
runs=()
for testee in "${testees[@]}"; do
  (run_testee "$testee") &
  runs+=($!)
done
for index in "${!runs[@]}"; do
  wait "${runs[index]}" || { echo "FAIL the suite did not run to its end with ${testees[index]}"; failed=1; }
done
python3 "$root_dir/ci/autobahn/judge.py" "$project/tests/autobahn/expected.json" "$part" "$failed" \
  "${testees[@]/#/$reports/}"
