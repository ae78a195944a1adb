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

project=$root_dir/godot-project
reports=$root_dir/build/autobahn
class=RustWebSocketPeer
compression=1
testees=()
cases=()
part=cases
started=()

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

stop_started() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
}

# Starts `$@` with its output in file $1; the process ends with this script.
start() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 &
  started+=($!)
}

# Waits for a line that begins with $2 in file $1 and prints what follows it.
wait_for() {
  local count
  for ((count = 0; count < 300; count++)); do
    if grep -q "^$2" "$1" 2>/dev/null; then sed -n "s/^$2 *//p" "$1" | head -n 1; return 0; fi
    sleep 0.1
  done
  cat "$1" >&2
  return 1
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

godot() { exec "$GODOT" --headless --path "$project" "$@"; }

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
  local testee=$1 port
  port=$(wait_for "$reports/$testee.log" LISTENING) || die "the testee '$testee' does not listen."
  write_spec "$testee" "servers=ws://127.0.0.1:$port"
  "$wstest" -m fuzzingclient -s "$reports/$testee.json" >"$reports/$testee.suite.log" 2>&1
}

run_server() {
  start "$reports/server.log" godot -s res://tests/autobahn/server.gd -- "class=$class" "compression=$compression"
  run_against_server server
}

run_rust() {
  start "$reports/rust.log" "$root_dir/target/release/echo_server" --compression
  run_against_server rust
}

run_client() {
  local url
  url=ws://127.0.0.1:$(free_port)
  write_spec client "$url"
  start "$reports/client.suite.log" "$wstest" --webport=0 -m fuzzingserver -s "$reports/client.json"
  wait_until_listening "${url##*:}"
  # Not by `godot`, whose exec would replace this shell, which has the suite's server to end.
  "$GODOT" --headless --path "$project" -s res://tests/autobahn/client.gd -- "class=$class" "compression=$compression" "url=$url" agent=client \
    >"$reports/client.log" 2>&1
}

wait_until_listening() {
  local count
  for ((count = 0; count < 300; count++)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  die "the suite's server does not listen."
}

# One testee in a process of its own, which ends what it has started.
run_testee() {
  trap stop_started EXIT
  rm -rf "${reports:?}/$1" "$reports/$1".*
  "run_$1"
}

wstest=$("$root_dir/ci/install-autobahn.sh") || die "no Autobahn test suite: see the line above."
mkdir -p "$reports"
if [[ " ${testees[*]} " != " rust " ]]; then
  find_godot
  [[ -f $project/addons/rust_websocket/rust_websocket.gdextension || $class == WebSocketPeer ]] || "$root_dir/ci/build.sh"
  prepare_project "$project"
fi
if [[ " ${testees[*]} " == *" rust "* ]]; then
  (cd "$root_dir" && cargo build --locked --release --package rust-websocket-bench --target-dir target) ||
    die "the echo server could not be built."
fi

say "running ${testees[*]}: ${cases[*]}"
runs=()
for testee in "${testees[@]}"; do
  (run_testee "$testee") &
  runs+=($!)
done
failed=0
for index in "${!runs[@]}"; do
  wait "${runs[index]}" || { echo "FAIL the suite did not run to its end with ${testees[index]}"; failed=1; }
done
python3 "$root_dir/ci/autobahn/judge.py" "$project/tests/autobahn/expected.json" "$part" "$failed" \
  "${testees[@]/#/$reports/}"
