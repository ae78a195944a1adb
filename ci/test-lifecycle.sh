#!/usr/bin/env bash
# What needs a process of its own: the engine quits in every state a connection can be in, an editor reloads the
# extension under live connections, a reader stops in the middle of a flood, many connections leave nothing behind, the
# monitors of the process follow its connections, and a signal ends a server in good order. A server at the limit of open
# files leaves some to the game.
#
#   ci/test-lifecycle.sh [quit] [reload] [flood] [endurance] [monitors] [descriptors] [drain]    all of them, or some
#   CYCLES=N ci/test-lifecycle.sh endurance             N connections after the warm-up instead of 10 000
#
# Needs the addon in godot-project/addons (ci/build.sh puts it there), cargo for the slow link of rust/bench and, for name
# lookups that are not answered, a C compiler and glibc. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A quit, in milliseconds. It takes a few hundred; a machine that does other things may need longer, a hang is longer still.
longest_quit=${LONGEST_QUIT:-5000}

milliseconds() { local now=${EPOCHREALTIME/[.,]/}; echo $((now / 1000)); }

# Builds what makes name lookups slow; without it they are answered, and the tests still hold.
slow_lookups() {
  slow=$scratch/slow_lookup.so
  "${CC:-cc}" -shared -fPIC -o "$slow" "$project/tests/lifecycle/slow_lookup.c" 2>"$scratch/cc.log" && return
  say "no slow name lookups on this system"
  slow=
}

# ---- quitting

quit_in() { # $1 the state
  local log=$scratch/quit-$1.log code=0 at=0 took
  start "$log" env LOOKUP_SECONDS=60 "LD_PRELOAD=$slow" timeout --kill-after=5 60 "$GODOT" --headless --path "$project" \
    -s res://tests/lifecycle/quit.gd -- "$1"
  wait_for_line "$log" '^QUITTING$' 60 "$pid" || true # judged below
  at=$(milliseconds)
  wait "$pid" || code=$?
  took=$(($(milliseconds) - at))
  if ((code != 7)); then fail "quitting, $1: exit code $code instead of 7" "$log"
  elif [[ -n $(complaints "$log") ]]; then fail "quitting, $1: something was printed" "$log"
  elif ((took > longest_quit)); then fail "quitting, $1: took $took ms" "$log"
  else pass; fi
  say "quitting, $1: $took ms"
}

run_quit() {
  local states state
  states=$("$GODOT" --headless --path "$project" -s res://tests/lifecycle/quit.gd -- list 2>&1 | sed -n 's/^STATES //p')
  [[ -n $states ]] || die "the states to quit in are not listed."
  for state in $states; do quit_in "$state"; done
}

# ---- reloading

# A project of its own, with the addon and the plugin that reloads it.
make_editor_project() {
  local plugin=$1/addons/reload
  mkdir -p "$plugin" "$1/.godot"
  cp -r "$addon" "$1/addons/"
  cp "$project/tests/lifecycle/reload_plugin.gd" "$plugin/plugin.gd"
  printf '[plugin]\n\nname="Reload"\ndescription=""\nauthor=""\nversion="1"\nscript="plugin.gd"\n' >"$plugin/plugin.cfg"
  printf 'config_version=5\n\n[application]\n\nconfig/name="Reload"\n\n[editor_plugins]\n\nenabled=PackedStringArray("%s")\n' \
    "res://addons/reload/plugin.cfg" >"$1/project.godot"
  echo "res://addons/rust_websocket/rust_websocket.gdextension" >"$1/.godot/extension_list.cfg"
}

reload_with() { # $1 a name, the rest are the plugin's arguments
  local name=$1 editor=$scratch/$1 log=$scratch/$1.log code=0
  shift
  make_editor_project "$editor"
  # The user's editor settings are none of this test's business.
  LOOKUP_SECONDS=3 LD_PRELOAD=$slow XDG_CONFIG_HOME=$scratch XDG_DATA_HOME=$scratch XDG_CACHE_HOME=$scratch \
    timeout --kill-after=5 120 "$GODOT" --headless --editor --path "$editor" -- "$@" >"$log" 2>&1 || code=$?
  add_oks "$log"
  if ((code != 7)) || ! grep -qx 'RELOAD DONE' "$log"; then fail "$name: exit code $code instead of 7" "$log"
  elif [[ -n $(complaints "$log") ]]; then fail "$name: something was printed" "$log"
  else pass; fi
}

run_reload() {
  reload_with reload
  [[ -z $slow ]] || reload_with unload-during-a-lookup lookup
}

# ---- memory

run_flood() {
  local log=$scratch/flood.log code=0
  timeout --kill-after=5 120 "$GODOT" --headless --path "$project" -s res://tests/lifecycle/flood.gd >"$log" 2>&1 || code=$?
  add_oks "$log"
  if ((code != 0)) || [[ -n $(complaints "$log") ]]; then fail "flood: exit code $code" "$log"; fi
}

run_endurance() {
  local log=$scratch/endurance.log code=0
  timeout --kill-after=5 300 "$GODOT" --headless --path "$project" -s res://tests/lifecycle/endurance.gd -- "${CYCLES:-10000}" \
    >"$log" 2>&1 || code=$?
  grep ' cycles in ' "$log" >&2 || true
  add_oks "$log"
  if ((code != 0)) || [[ -n $(complaints "$log") ]]; then fail "endurance: exit code $code" "$log"; fi
}

run_monitors() {
  local log=$scratch/monitors.log code=0
  timeout --kill-after=5 60 "$GODOT" --headless --path "$project" -s res://tests/lifecycle/monitors.gd >"$log" 2>&1 || code=$?
  add_oks "$log"
  # Refused on purpose: a URL that is none, and what a full buffer does not take.
  if ((code != 0)) || [[ -n $(complaints <(sed -E '/^ERROR: (The URL .no url. cannot|Peer [0-9]+: The outbound buffer is full)/d' "$log")) ]]; then
    fail "monitors: exit code $code" "$log"
  fi
}

# ---- ending on a signal

# Starts a server of tests/lifecycle/drain.gd in the mode $2 with the arguments from $3 on; its log is $1.
drain_server() {
  local log=$1
  shift
  start_server "$log" "$GODOT" --headless --path "$project" -s res://tests/lifecycle/drain.gd -- "$@"
  server=$pid
}

# How many of the lines that begin with $2 the log $1 has, in their columns $3, sorted.
columns() { grep "^$2 " "$1" | cut -d ' ' -f "$3" | sort; }

# The process $2 ends within fifteen seconds with the exit code $1.
exits_with() {
  local code=0 deadline=$((SECONDS + 15))
  while is_running "$2" && ((SECONDS < deadline)); do sleep 0.05; done
  ! is_running "$2" || { echo "it still runs" >&2; return 1; }
  wait "$2" || code=$?
  ((code == $1)) || { echo "exit code $code instead of $1" >&2; return 1; }
}

# Starts a link to the port $1 that takes so many bytes a second of what a server sends, and sets $port to its own.
slow_link_to() {
  local result=$scratch/slow-link-$1
  start "$scratch/slow-link-$1.log" "$SLOW_LINK" "to=$1" "rate=$2" buffer=65536 seconds=60 "result=$result"
  wait_for_line "$result" '^port ' 10 "$pid" || die "the slow link does not listen."
  port=$(sed -n 's/^port //p' "$result")
}

# A signal $2 during traffic, at a server with the mode and arguments $3 whose clients have the arguments from $4 on; with
# `link=N` they are behind a link of N bytes a second each.
drains_on() {
  local name=$1 signal=$2 log=$scratch/drain-$1.log theirs=$scratch/drain-$1-clients.log compared=2-3 answer direct
  local -a mode
  read -ra mode <<<"$3"
  shift 3
  [[ ${mode[0]} != listener ]] || compared=3 # no ids
  drain_server "$log" grace=2 "${mode[@]}"
  direct=$port
  if [[ ${1:-} == link=* ]]; then slow_link_to "$port" "${1#link=}" && shift; fi
  start "$theirs" timeout --kill-after=5 60 "$GODOT" --headless --path "$project" -s res://tests/lifecycle/drain.gd -- \
    clients "port=$port" count=4 "$@"
  wait_for_line "$theirs" '^IN$' 40 "$pid" || true # judged below
  sleep 0.5 # traffic of some frames
  kill "-$signal" "$server"
  check "$name: the drain starts" wait_for_line "$log" '^DRAINING$' 5
  answer=$(python3 "$root_dir/ci/fleet/client.py" "$direct" 127.0.0.1 "" || true)
  check "$name: a newcomer is told to come back" test "${answer#* }" = "503 Retry-After: 5"
  check "$name: exit code 0" exits_with 0 "$server"
  wait "$pid" || true # judged by what it printed
  check "$name: all see 1012" test "$(grep -c '^GOT [0-9]* [0-9]* 1012 an update$' "$theirs")" = 4
  check "$name: every accepted message has arrived" test "$(columns "$log" SENT "$compared")" = \
    "$(columns "$theirs" GOT "$compared")"
  check "$name: none is lost" test "$(grep -c LOST "$theirs")" = 0
  count_failures "$(complaints "$log")$(complaints "$theirs")"
}

# Whether the process $1 catches SIGTERM (15) or SIGINT (2).
catches() { (((0x$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status") >> ($2 - 1)) & 1)); }

run_drain() {
  local mode
  drains_on SIGTERM TERM server
  drains_on SIGINT INT server
  drains_on "a slow reader" TERM server slow=yes
  # 3 s of the link, of which the grace period is one; more than the system takes off the process at once.
  drains_on "a slow link" TERM "server last=190 grace=1" link=2000000
  drains_on RustWebSocketServer TERM listener raw=yes
  drain_server "$scratch/drain-empty.log" server grace=60
  kill -TERM "$server"
  check "nobody is in: the drain ends at once" exits_with 0 "$server"
  drain_server "$scratch/drain-many.log" many grace=60
  check "members that left without a signal: nobody waits for them" exits_with 0 "$server"
  add_oks "$scratch/drain-many.log"
  count_failures "$(grep '^FAIL' "$scratch/drain-many.log")"
  count_failures "$(complaints "$scratch/drain-many.log")"
  for mode in plain freed; do
    drain_server "$scratch/drain-$mode.log" "$mode"
    if [[ -d /proc/self ]]; then check "$mode: no handler" is_uncaught "$server"; fi
    kill -TERM "$server"
    check "$mode: SIGTERM ends the engine as ever" exits_with 143 "$server"
  done
  drain_server "$scratch/drain-moved.log" moved
  kill -TERM "$server"
  check "moved: a signal that no node takes up ends the engine as ever" exits_with 143 "$server"
  drain_server "$scratch/drain-succeeded.log" moved successor=yes
  kill -TERM "$server"
  check "moved: the next scene's node takes it up" exits_with 0 "$server"
  check "moved: and drains" grep -q '^DRAINING$' "$scratch/drain-succeeded.log"
  count_failures "$(complaints "$scratch/drain-moved.log")$(complaints "$scratch/drain-succeeded.log")"
  drain_server "$scratch/drain-twice.log" server grace=1e300
  start "$scratch/drain-twice-clients.log" timeout --kill-after=5 60 "$GODOT" --headless --path "$project" \
    -s res://tests/lifecycle/drain.gd -- clients "port=$port" count=1
  wait_for_line "$scratch/drain-twice-clients.log" '^IN$' 40 "$pid" || true
  kill -TERM "$server"
  check "twice: the drain starts" wait_for_line "$scratch/drain-twice.log" '^DRAINING$' 5
  sleep 0.5
  check "twice: it goes on while somebody is in" is_running "$server"
  kill -INT "$server"
  check "twice: the second signal ends it" exits_with 130 "$server"
  stop "$pid"
}

is_uncaught() { ! catches "$1" 15 && ! catches "$1" 2; }

run_descriptors() {
  local log=$scratch/descriptors.log clients=$scratch/clients.log code=0
  # shellcheck disable=SC2016 # the inner shell's
  start_server "$log" bash -c 'ulimit -n 128 && exec timeout --kill-after=5 90 "$@"' - \
    "$GODOT" --headless --path "$project" -s res://tests/lifecycle/descriptors.gd -- server
  local server=$pid
  timeout --kill-after=5 90 "$GODOT" --headless --path "$project" -s res://tests/lifecycle/descriptors.gd -- clients "$port" \
    >"$clients" 2>&1 || fail "descriptors: the clients fail" "$clients"
  wait "$server" || code=$?
  add_oks "$log"
  # Of the one that the script makes itself the line is wanted, with where it was.
  sed -i '/^ERROR: create_server: cannot listen .*no file descriptors left/,/ _process (/d' "$log"
  if ((code != 0)) || [[ $(complaints "$log" | grep -vc 'WARNING: The server on port [0-9]* accepts nobody for now: ') != 0 ]]; then
    fail "descriptors: exit code $code" "$log"
  elif [[ $(complaints "$log" | wc -l) != 1 ]] || grep -qi backtrace "$log"; then
    fail "descriptors: not told in one line" "$log"
  else pass; fi
}

parts=("$@")
if ((${#parts[@]} == 0)); then parts=(quit reload flood endurance monitors descriptors drain); fi
for part in "${parts[@]}"; do
  declare -F "run_$part" >/dev/null || die "unknown part '$part' (known: quit, reload, flood, endurance, monitors, descriptors, drain)."
done
find_godot
ensure_addon
prepare_project "$project"
make_scratch
slow_lookups
if [[ " ${parts[*]} " == *" drain "* ]]; then need python3 python3 && build_slow_link; fi
for part in "${parts[@]}"; do "run_$part"; done
finish
