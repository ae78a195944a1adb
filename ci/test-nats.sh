#!/usr/bin/env bash
# The sample project's NATS client (godot-project/demo/fleet): what it reads, cut anywhere; then against Debian's nats-server
# (installed when it is missing, which needs root), with TLS and credentials as in ci/fleet/nats.conf, and without TLS.
#
#   ci/test-nats.sh      needs the addon in godot-project/addons (ci/build.sh puts it there)
#
# Uses free ports of this machine only. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fixtures=$project/tests/fixtures/tls

# Runs the script $1 of tests/nats with the arguments from $3 on; its log is $2.
run() {
  local script=$1 log=$scratch/$2.log code=0
  shift 2
  timeout --kill-after=5 240 "$GODOT" --headless --path "$project" -s "res://tests/nats/$script.gd" -- "$@" >"$log" 2>&1 || code=$?
  judge "$log" "$code"
}

# Counts what the log $1 of a script that has ended with $2 says.
judge() {
  add_oks "$1"
  count_failures "$(grep '^FAIL ' "$1" || true)"
  # A certificate that is not trusted, and a server that is not there, are warned of once.
  count_failures "$(complaints "$1" | grep -vE '[0-9]+:FAIL |WARNING: RustWebSocketPeer: ' || true)"
  check "$(basename "$1" .log) ends well" test "$2" == 0
}

start_nats() { start "$scratch/nats-$1.log" env "NATS_GAME_PASSWORD=$password" nats-server -c "$scratch/$1.conf"; }

with_tls() {
  local listener websocket tests
  listener=$(free_port) websocket=$(free_port)
  configure_nats "$listener" "$websocket" "$fixtures/chain.crt" "$fixtures/leaf.key" >"$scratch/tls.conf"
  start_nats tls
  local server=$pid
  check "nats-server starts" wait_for_port "$websocket"
  start "$scratch/with-tls.log" timeout --kill-after=5 240 "$GODOT" --headless --path "$project" -s res://tests/nats/server.gd -- \
    "url=wss://localhost:$websocket" user=game "pass=$password" "ca=$fixtures/root.crt" restarts=yes
  tests=$pid
  if wait_for_line "$scratch/with-tls.log" '^RESTART' 150 "$tests"; then
    kill -KILL "$server"
    wait "$server" 2>/dev/null || true
    start_nats tls
  fi
  local code=0
  wait "$tests" || code=$?
  judge "$scratch/with-tls.log" "$code"
}

without_tls() {
  local websocket
  websocket=$(free_port)
  printf 'listen: "127.0.0.1:%s"\nwebsocket { listen: "127.0.0.1:%s", no_tls: true }\nauthorization { token: "a token" }\n' \
    "$(free_port)" "$websocket" >"$scratch/plain.conf"
  start_nats plain
  check "nats-server starts without TLS" wait_for_port "$websocket"
  run server without-tls "url=ws://127.0.0.1:$websocket" "token=a token"
}

find_godot
ensure_addon
prepare_project "$project"
make_scratch
password=of-this-run-$RANDOM
run parser parser
need nats-server nats-server
with_tls
without_tls
finish
