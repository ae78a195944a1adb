# shellcheck shell=bash
# Processes that a test runs beside itself: started, waited for, and stopped by their ids, whatever ends the script.

background=()

is_running() { kill -0 "$1" 2>/dev/null; }

# Starts the program `$2...` in the background with its output in the file $1 and sets $pid. It is stopped when this shell
# ends. A function would run in a shell of its own, which is stopped in its stead: name the program itself.
start() {
  local log=$1
  shift
  # A subshell ends what it has started itself, not what its parent has.
  [[ ${background_of:-} == "$BASHPID" ]] || { background=() background_of=$BASHPID; at_exit stop_all; }
  : >"$log"
  # What outlives this script must not hold its lock (see only_one_run).
  eval '"$@" >"$log" 2>&1' ${run_lock:+"$run_lock>&-"} '&'
  pid=$!
  background+=("$pid")
}

# Ends the processes $@: asks them, and after three seconds makes them.
stop() {
  local process deadline=$((SECONDS + 3))
  for process in "$@"; do kill "$process" 2>/dev/null || true; done
  for process in "$@"; do
    while is_running "$process" && ((SECONDS < deadline)); do sleep 0.05; done
    kill -KILL "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
}

# Ends everything that this shell has started.
stop_all() {
  stop "${background[@]}"
  background=()
}

# Waits until a line of file $1 matches the extended expression $2: for $3 seconds (40), and, if $4 names a process, only
# while that runs. Shows the end of the file if it does not come.
wait_for_line() {
  local file=$1 pattern=$2 deadline=$((SECONDS + ${3:-40})) process=${4:-} gone=false
  until grep -qE -- "$pattern" "$file" 2>/dev/null; do
    if $gone || ((SECONDS >= deadline)); then
      tail -n 5 "$file" >&2 || true
      return 1
    fi
    # Looked at once more after it has ended: its last lines count.
    if [[ -n $process ]] && ! is_running "$process"; then gone=true; else sleep 0.05; fi
  done
}

# Waits until somebody listens on the local port $1, for $2 seconds (40).
wait_for_port() {
  local deadline=$((SECONDS + ${2:-40}))
  until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

# Starts a server that prints "LISTENING port", and sets $port (and $pid): arguments as for `start`.
start_server() {
  local log=$1
  start "$@"
  wait_for_line "$log" '^LISTENING *[0-9]+' 40 "$pid" || die "a server did not listen: ${*:2}"
  # shellcheck disable=SC2034 # the caller's
  port=$(sed -nE 's/^LISTENING *([0-9]+).*/\1/p' "$log" | head -n 1)
}

# Prints a port that nobody listens on, below those that the kernel gives to outgoing connections.
free_port() {
  local candidate
  while true; do
    candidate=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || { echo "$candidate"; return 0; }
  done
}
