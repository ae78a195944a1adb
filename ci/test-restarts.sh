#!/usr/bin/env bash
# Kills a server again and again, as a crash would, and starts it at the same port: every RustWebSocketClient has to come back
# each time, on peers of both classes, and nothing may be left over. Then a round of the sample project whose server is
# killed.
#
#   ci/test-restarts.sh [N]    how many restarts, 20 if not given
#
# Needs the addon in godot-project/addons (ci/build.sh puts it there). Logs stay in build/test-restarts/. The last line is
# "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

logs=$root_dir/build/test-restarts
restarts=${1:-20}
if [[ ! $restarts =~ ^[1-9][0-9]{0,3}$ ]]; then die "a number of restarts is needed, not '$restarts'."; fi

start_server_life() {
  start "$logs/server.log" "$GODOT" --headless --path "$project" -s res://tests/restarts/server.gd -- "port=$port" "life=$1"
  server=$pid
}

# Kills the server $restarts times, each time when all clients have come back.
restart_again_and_again() {
  local life
  for ((life = 1; life <= restarts + 1; life++)); do
    start_server_life "$life"
    if ! wait_for_line "$logs/clients.log" "^READY $life\$" 60 "$clients"; then
      fail "not everybody came back after restart $((life - 1))" "$logs/clients.log"
      return
    fi
    pass
    ((life % 20)) || say "$life"
    kill -KILL "$server"
    wait "$server" 2>/dev/null || true
  done
}

# A failed attempt is said once a minute: the server is down.
says_nothing() {
  local found
  found=$(complaints "$1" | grep -vE '^[0-9]+:(FAIL|ok) |WARNING: RustWebSocketPeer: connecting to .* failed: ') || true
  [[ -z $found ]] || { head -n 20 <<<"$found"; return 1; }
}

find_godot
ensure_addon
prepare_project "$project"
mkdir -p "$logs"
# Outgoing connections cannot take it while the server is down.
port=$(free_port)
say "$restarts restarts"
start "$logs/clients.log" "$GODOT" --headless --path "$project" -s res://tests/restarts/clients.gd -- "port=$port" "lives=$((restarts + 1))"
clients=$pid
restart_again_and_again
check "the clients end" wait_for_line "$logs/clients.log" '^CLIENTS DONE$' 10 "$clients"
code=0
wait "$clients" || code=$?
check "they end well" test "$code" == 0
add_oks "$logs/clients.log"
count_failures "$(grep '^FAIL ' "$logs/clients.log" || true)"
check "they complain of nothing and leave nothing over" says_nothing "$logs/clients.log"
say "a round of the sample project"
check "the demo goes on after a restart" "$root_dir/ci/demo.sh" --restart --bots=4 >"$logs/demo.log" 2>&1
finish
