#!/usr/bin/env bash
# Plays the sample project: one server and some bots, each a process of its own, on this machine.
#
#   ci/demo.sh [--impl=rust|builtin] [--seconds=N] [--bots=N]   plays a round and checks what has arrived
#   ci/demo.sh --restart [--impl=...] [...]                     the same, but the server is killed at half-time and started again
#   ci/demo.sh --slow-client [--seconds=N] [--bots=N]           one bot behind a slow link: how old is what it sees
#   ci/demo.sh --window [--impl=...] [--bots=N]                 opens the game to play against the bots
#
#   --impl=IMPL   our classes (rust) or the engine's own (builtin); rust is the default
#   --seconds=N   the round's length, 12 if not given (--slow-client: 6)
#   --bots=N      how many bots play, 8 if not given (--slow-client, --window: 3)
#   --mute        one bot counts chat lines that it does not send, so that this script has to fail
#
# Two bots leave at half-time and another one comes. With --restart all stay: their connections break at half-time, they connect
# again, and the round goes on. With --slow-client all stay too, the server sends more than a link of 32 KiB a second carries, and
# the last bot has such a link: one round without unreliable_lifetime, and one with 0.1 s. The exit code is 0 if every process has ended by itself,
# none has reported an error, and everything that was sent has arrived where it had to.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

impl=rust seconds="" bots="" window=false restart=false slow=false mute=""
leavers=2 joiners=1

for option in "$@"; do
  case $option in
    --impl=rust | --impl=builtin) impl=${option#*=} ;;
    --seconds=*) seconds=${option#*=} ;;
    --bots=*) bots=${option#*=} ;;
    --window) window=true ;;
    --restart) restart=true ;;
    --slow-client) slow=true ;;
    --mute) mute=--mute ;;
    *) die "unknown option '$option' (known: --impl=rust|builtin, --seconds=N, --bots=N, --restart, --slow-client, --window, --mute)." ;;
  esac
done
if $window && $restart; then die "--restart plays a round and checks it, without a window."; fi
if $slow && { $window || $restart || [[ $impl != rust ]]; }; then die "--slow-client plays rounds of its own, on our classes."; fi
if $slow; then leavers=0 joiners=0; fi
if [[ -z $seconds ]]; then if $slow; then seconds=6; else seconds=12; fi; fi
restarted=""
if $restart; then leavers=0 joiners=0 restarted=--restarted; fi
if [[ -z $bots ]]; then if $window || $slow; then bots=3; else bots=8; fi; fi
if [[ ! $seconds =~ ^[0-9]{1,4}$ ]] || ((10#$seconds < 4)); then die "--seconds needs a number from 4 on, not '$seconds'."; fi
[[ $bots =~ ^[0-9]{1,3}$ ]] || die "--bots needs a number, not '$bots'."
if ! $window && ((10#$bots <= leavers)); then die "--bots needs at least $((leavers + 1)), since $leavers of them leave at half-time."; fi
if $window && [[ -z ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; then die "there is no display to open a window on."; fi
if $restart && ((10#$seconds < 8)); then die "--restart needs a round of 8 seconds or more, not $seconds."; fi
if $restart && ((10#$bots < 2)); then die "--restart needs at least 2 bots, who have to see each other."; fi
seconds=$((10#$seconds)) bots=$((10#$bots))

logs=$(mktemp -d "${TMPDIR:-/tmp}/rust-websocket-demo.XXXXXX") || die "cannot make a temporary folder."
pids=() names=()
keep_logs=false
# shellcheck disable=SC2016 # evaluated when the script ends
at_exit 'if $keep_logs; then say "all logs are in $logs"; else rm -rf "$logs"; fi'

# shellcheck disable=SC2034 # read at the end
give_up() { keep_logs=true; die "$*"; }

# Starts the engine with the scene $2 and the arguments from $3 on; its log and its process are called $1.
play() {
  local name=$1 scene=$2
  shift 2
  start "$logs/$name.log" "$GODOT" --headless --path "$project" "res://demo/$scene" -- "--impl=$impl" "$@"
  pids+=("$pid") names+=("$name")
}

start_bot() {
  local number=$1
  shift
  play "bot-$number" client/client.tscn "--url=$url" "--name=Bot-$number" "$@"
}

# Sets $line to the next whole line that the server has printed; fails when there is none yet.
half_line="" line=""
next_line() {
  local piece
  if IFS= read -r piece <&3; then
    line=$half_line$piece half_line=""
  else
    half_line+=$piece
    return 1
  fi
}

# Starts the server, as its first or again, and sets $url to what it says that it listens on.
start_game_server() {
  local name=$1 before=${pids[0]:-} log=$logs/$1.log
  shift
  play "$name" server/server.tscn "$@"
  # It is the first of them, whenever it was started.
  if [[ -n $before ]]; then
    pids[0]=$pid names[0]=$name
    unset 'pids[-1]' 'names[-1]'
  fi
  wait_for_line "$log" 'listening on ws://' 30 "${pids[0]}" || give_up "the server did not start to listen."
  exec 3<"$log"
  url="" half_line=""
  while [[ -z $url ]]; do
    if next_line && [[ $line =~ listening\ on\ (ws://[^ ]+) ]]; then url=${BASH_REMATCH[1]} && echo "$line"; fi
  done
}

# Kills the server as a crash would, and starts another one at the same port, which goes on with the round.
restart_server() {
  say "killing the server"
  kill -KILL "${pids[0]}"
  wait "${pids[0]}" 2>/dev/null || true # ended by a signal, as it was meant to
  mv "$logs/server.log" "$logs/server-killed.log"
  # Down long enough that some attempts to come back fail.
  sleep 0.5
  say "starting it again"
  start_game_server server "${server_options[@]}"
}

# Shows what the server prints until it ends, and sends in the latecomer at half-time.
follow_server() {
  local deadline=$((SECONDS + seconds + 120))
  while true; do
    if next_line; then
      case $line in
        *half-time*)
          echo "$line"
          if $restart; then restart_server; elif ! $slow; then start_bot $((bots + 1)); fi
          ;;
        "server: "*) echo "$line" ;;
      esac
    elif is_running "${pids[0]}"; then
      ((SECONDS < deadline)) || give_up "the server did not end within $((seconds + 120)) s."
      sleep 0.1
    else
      break
    fi
  done
}

# Every process has to end by itself, and well.
wait_for_all() {
  local deadline=$((SECONDS + 20)) index code failed=""
  for index in "${!pids[@]}"; do
    while is_running "${pids[index]}" && ((SECONDS < deadline)); do sleep 0.1; done
    if is_running "${pids[index]}"; then
      failed+=" ${names[index]} (still running)"
      continue
    fi
    code=0
    wait "${pids[index]}" || code=$?
    ((code == 0)) || failed+=" ${names[index]} (exit code $code)"
  done
  [[ -z $failed ]] || say "did not end well:$failed"
  [[ -z $failed ]]
}

# No process may have complained.
check_logs() {
  local complaints
  # grep fails when it finds nothing, which is the good case; the last line judges.
  complaints=$(grep -nE 'ERROR:|\[panic|panicked at|[Ll]eaked|CrashHandler' "$logs"/*.log | head -n 40) || true
  [[ -z $complaints ]] || echo "${complaints//"$logs/"/}" >&2
  [[ -z $complaints ]]
}

play_round() {
  local number failed=false
  server_options=("--players=$bots" "--seconds=$seconds" "--joins=$((bots + joiners))")
  # Where outgoing connections cannot take it while the server is down.
  if $restart; then server_options+=("--port=$(free_port)" "--state=$logs/round.json"); fi
  start_game_server server "${server_options[@]}"
  say "starting $bots bots"
  for ((number = 1; number <= bots; number++)); do
    if ((number <= leavers)); then
      start_bot "$number" "--leave-after=$((seconds / 2))"
    else
      # shellcheck disable=SC2086 # the option or nothing
      start_bot "$number" $mute
      mute=""
    fi
  done
  follow_server
  wait_for_all || failed=true
  echo
  timeout 60 "$GODOT" --headless --path "$project" -s res://demo/check/report.gd -- \
    "--logs=$logs" "--bots=$bots" "--leavers=$leavers" "--joiners=$joiners" ${restarted:+"$restarted"} >"$logs/report.log" 2>&1 || failed=true
  # Only shows the report, which was judged above.
  grep -vE '^Godot Engine|^$' "$logs/report.log" || true
  echo
  check_logs || failed=true
  if $failed; then give_up "not everything went as it had to."; fi
  say "everything has arrived, no process has reported an error"
}

# A round with an unreliable_lifetime of $1 ms, whose last bot has a slow link; sets $age to how old the states were that it got,
# in seconds (95th percentile), and $states to how many.
play_behind_slow_link() {
  local number link failed=false
  pids=() names=()
  start_game_server server "--players=$bots" "--seconds=$seconds" "--joins=$bots" "--lifetime=$1" --crowd >/dev/null
  start "$logs/link.log" "$SLOW_LINK" "to=${url##*:}" seconds=300
  link=$pid
  wait_for_line "$logs/link.log" '^port ' 10 "$link" || give_up "the slow link does not listen."
  for ((number = 1; number <= bots; number++)); do
    if ((number == bots)); then url=ws://127.0.0.1:$(awk '$1 == "port" { print $2 }' "$logs/link.log"); fi
    start_bot "$number"
  done
  follow_server >/dev/null
  wait_for_all || failed=true
  stop "$link"
  check_logs || failed=true
  if $failed; then give_up "not everything went as it had to."; fi
  read -r age states < <(sed -nE 's/^report: .*"crowd":\{"age":([0-9.]+),"states":([0-9]+).*/\1 \2/p' "$logs/bot-$bots.log")
}

play_with_slow_client() {
  local age="" states="" before
  build_slow_link
  say "a round of $seconds s without unreliable_lifetime; $bots bots, one of them behind a link of 32 KiB a second"
  play_behind_slow_link 0
  say "it got $states states, up to $age s old (95 of 100)"
  before=$age
  # TCP takes a new link for a quicker one now and then, and fills it for the seconds that a round lasts: one more round then.
  for _ in 1 2; do
    say "the same with unreliable_lifetime = 100"
    play_behind_slow_link 100
    say "it got $states states, up to $age s old (95 of 100)"
    if awk -v before="$before" -v age="$age" 'BEGIN { exit !(age > 0 && age < 0.6 && before > 1) }'; then return 0; fi
  done
  give_up "the states should be old without it, and not with it."
}

play_in_window() {
  local number
  start_game_server server "--players=$((bots + 1))"
  for ((number = 1; number <= bots; number++)); do start_bot "$number"; done
  say "opening the window; closing it ends the game"
  "$GODOT" --path "$project" -- "--impl=$impl" "--url=$url" "--name=${USER:-You}" >"$logs/window.log" 2>&1 ||
    { tail -n 5 "$logs/window.log" >&2; give_up "the game did not end well."; }
}

find_godot
say "building the addon"
"$root_dir/ci/build.sh" || die "the addon could not be built: see above."
prepare_project "$project"
if $window; then play_in_window; elif $slow; then play_with_slow_client; else play_round; fi
