#!/usr/bin/env bash
# Plays the arena on a fleet, on this machine: HAProxy on one wss:// port in front of three headless servers (a room for each
# path, a room stays on one server, PROXY headers, health checks), nats-server for a lobby and chat that cross servers, and
# 24 bots in six rooms.
#
#   ci/demo-fleet.sh [--seconds=N] [--bots=N] [--mute]
#
#   --seconds=N   how long the bots play, 60 if not given
#   --bots=N      how many, 24 if not given
#   --mute        one bot counts a line that it does not say, so that this script has to fail
#
# After a third of the time one server gets SIGTERM: it drains, sends its players away with 1012 and ends, and a new
# process takes its place. After another third one is killed (SIGKILL) and not replaced. The bots come back by the policy of
# RustWebSocketClient. At the end a table: joins, lines said and heard, longest outage of each bot.
#
# The exit code is 0 if every line has arrived that had to, everybody came back, and no process has reported an error. Installs
# Debian's haproxy and nats-server when they are missing, which needs root. Loopback and free ports only.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=60 bots=24 mute="" rooms=(red blue ruby sand gold jade) # two for each server, by the hash of HAProxy
for option in "$@"; do
  case $option in
    --seconds=*) seconds=${option#*=} ;;
    --bots=*) bots=${option#*=} ;;
    --mute) mute=--mute ;;
    *) die "unknown option '$option' (known: --seconds=N, --bots=N, --mute)." ;;
  esac
done
if [[ ! $seconds =~ ^[0-9]{1,4}$ ]] || ((10#$seconds < 24)); then die "--seconds needs a number from 24 on, not '$seconds'."; fi
if [[ ! $bots =~ ^[0-9]{1,3}$ ]] || ((10#$bots < ${#rooms[@]})); then die "--bots needs a number from ${#rooms[@]} on, not '$bots'."; fi
seconds=$((10#$seconds)) bots=$((10#$bots))

fixtures=$project/tests/fixtures/tls
hosts=3 # processes that the bots share
names=(one two three) ports=() clients=()
declare -A process_of=()

logs=$(mktemp -d "${TMPDIR:-/tmp}/rust-websocket-fleet.XXXXXX") || die "cannot make a temporary folder."
keep_logs=false
# shellcheck disable=SC2016 # evaluated when the script ends
at_exit 'if $keep_logs; then say "all logs are in $logs"; else rm -rf "$logs"; fi'

# shellcheck disable=SC2034 # read at the end
give_up() { keep_logs=true; die "$*"; }

play() {
  local log=$1
  shift
  start "$log" env "NATS_GAME_PASSWORD=$password" "$GODOT" --headless --path "$project" -s res://demo/fleet/main.gd -- "$@"
}

# Starts server $1 (one, two, three) on its port; $2 tells its processes apart.
start_arena() {
  local name=$1 log=$logs/server-$1$2.log
  play "$log" server "--name=$name" "--port=${ports[$(index_of "$name")]}" "--nats=wss://localhost:$nats_port" "--ca=$fixtures/root.crt"
  process_of[$name]=$pid
  wait_for_line "$log" "^$name: speaks with NATS" 40 "$pid" || give_up "server $name did not start."
}

index_of() {
  local index
  for index in "${!names[@]}"; do [[ ${names[index]} != "$1" ]] || echo "$index"; done
}

start_nats() {
  local clients_port
  clients_port=$(free_port) nats_port=$(free_port)
  configure_nats "$clients_port" "$nats_port" "$fixtures/chain.crt" "$fixtures/leaf.key" >"$logs/nats.conf"
  start "$logs/nats.log" env "NATS_GAME_PASSWORD=$password" nats-server -c "$logs/nats.conf"
  wait_for_port "$nats_port" || give_up "nats-server did not start."
}

start_haproxy() {
  proxy_port=$(free_port)
  cat "$fixtures/ec_chain.crt" "$fixtures/ec_leaf.key" >"$logs/haproxy.pem"
  configure haproxy-fleet.cfg "s/bind :443,\[::\]:443/bind 127.0.0.1:$proxy_port/" "s#/etc/haproxy/game.example.pem#$logs/haproxy.pem#" \
    "s/127\.0\.0\.1:9081/127.0.0.1:${ports[0]}/" "s/127\.0\.0\.1:9082/127.0.0.1:${ports[1]}/" \
    "s/127\.0\.0\.1:9083/127.0.0.1:${ports[2]}/" >"$logs/haproxy.cfg"
  start "$logs/haproxy.log" haproxy -db -f "$logs/haproxy.cfg"
  wait_for_port "$proxy_port" || give_up "HAProxy did not start."
}

start_bots() {
  local host first=1 count log list
  list=$(IFS=,; echo "${rooms[*]}")
  for ((host = 1; host <= hosts; host++)); do
    count=$(((bots - first + 1) / (hosts - host + 1))) log=$logs/bots-$host.log
    # shellcheck disable=SC2086 # the option or nothing
    play "$log" bots $mute "--url=wss://localhost:$proxy_port" "--ca=$fixtures/root.crt" "--rooms=$list" "--first=$first" "--count=$count" \
      "--total=$bots" "--seconds=$seconds"
    mute=""
    clients+=("$pid")
    first=$((first + count))
  done
}

# One line with the sums of what the bots' processes have said last.
show_progress() {
  local host sums
  sums=$(for ((host = 1; host <= hosts; host++)); do grep '^STATUS' "$logs/bots-$host.log" | tail -n 1 || true; done |
    awk '{ i += $2; s += $3; h += $4 } END { printf "%2d of %d in | %4d lines said | %5d heard", i, '"$bots"', s, h }')
  printf 'fleet: %3d s | %s\n' $((SECONDS - began)) "$sums"
  [[ $sums == *" of "* && ${sums%% of *} -eq $bots ]]
}

play_until() { while ((SECONDS - began < $1)); do sleep 1; show_progress || true; done; }

# Ends server $1 as an update would, and starts it again.
drain() {
  local name=$1 code=0 deadline=$((SECONDS + 20))
  say "server $name gets SIGTERM"
  kill -TERM "${process_of[$name]}"
  while is_running "${process_of[$name]}" && ((SECONDS < deadline)); do sleep 0.2; done
  ! is_running "${process_of[$name]}" || give_up "server $name did not drain within 20 s."
  wait "${process_of[$name]}" || code=$?
  ((code == 0)) || give_up "server $name ended with exit code $code after its drain."
  grep -q "^$name: end" "$logs/server-$name.log" || give_up "server $name did not say that it has drained."
  say "server $name has drained; a new process takes its place"
  start_arena "$name" -new
}

kill_server() {
  say "server $1 is killed"
  kill -KILL "${process_of[$1]}"
  wait "${process_of[$1]}" 2>/dev/null || true # ended by a signal, as it was meant to
}

wait_for_bots() {
  local deadline=$((SECONDS + seconds + 30)) process code failed=false
  for process in "${clients[@]}"; do
    while is_running "$process" && ((SECONDS < deadline)); do sleep 1; show_progress || true; done
    ! is_running "$process" || give_up "the bots did not end."
    code=0
    wait "$process" || code=$?
    ((code == 0)) || failed=true
  done
  ! $failed || give_up "bots ended with an error."
}

# A client says which connection was lost, which it was; all else is an error.
check_logs() {
  local found
  # grep fails when it finds nothing, which is the good case; the last line judges.
  found=$(grep -nE 'ERROR|\[panic|panicked at|[Ll]eaked|CrashHandler|gives up|twice|was not passed on|NATS: ' "$logs"/{server,bots}-*.log |
    grep -vE 'WARNING: RustWebSocket' | head -n 20) || true
  [[ -z $found ]] || echo "${found//"$logs/"/}" >&2
  [[ -z $found ]]
}

need haproxy haproxy
need nats-server nats-server
find_godot
ensure_addon
prepare_project "$project"
password=of-this-run-$RANDOM$RANDOM
for _ in "${names[@]}"; do ports+=("$(free_port)"); done
start_nats
say "starting three servers behind HAProxy"
for name in "${names[@]}"; do start_arena "$name" ""; done
start_haproxy
sleep 1.5 # health checks
say "starting $bots bots"
began=$SECONDS
start_bots
until show_progress; do
  ((SECONDS - began < 60)) || give_up "not all bots have come in."
  sleep 1
done
began=$SECONDS
play_until $((seconds / 3))
on_one=$(grep -c 'opened room' "$logs/server-one.log" || true) on_two=$(grep -c 'opened room' "$logs/server-two.log" || true)
((on_one > 0 && on_two > 0)) || give_up "HAProxy has sent no room to a server: one has $on_one, two has $on_two."
drain one
play_until $((seconds * 2 / 3))
kill_server two
wait_for_bots
echo
failed=false
timeout 60 "$GODOT" --headless --path "$project" -s res://demo/check/fleet_report.gd -- "--logs=$logs" "--bots=$bots" \
  "--rooms=${#rooms[@]}" "--returned=$(((on_one + on_two) * (bots / ${#rooms[@]})))" >"$logs/report.log" 2>&1 || failed=true
# Only shows the report, which was judged above.
grep -vE '^Godot Engine|^Initialize godot-rust|^$|^[0-9]+ passed' "$logs/report.log" || true
check_logs || failed=true
if $failed; then give_up "not everything went as it had to."; fi
say "every line has arrived, everybody came back"
tail -n 1 "$logs/report.log" # for ci/test.sh
