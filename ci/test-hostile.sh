#!/usr/bin/env bash
# Hostile peers against a headless server, each with a bystander: all of its messages have to come back, and the server may
# spend no more processor time and memory on the others within one of its round trips than ci/hostile-attacks.tsv says.
# Honest clients come and go meanwhile, and what was taken is given back when the attackers have gone.
#
#   ci/test-hostile.sh [--seconds N] [SERVER|CLASS...]   all attacks, 4 seconds each, on a release build; or those of some
#                                                        servers (plain, tls, few, streams, pipes) or classes
#   ci/test-hostile.sh --short                           some of them, a second each, on the addon that is there
#   ci/test-hostile.sh --soak MINUTES                    all attacks on one process again and again, in random order, while honest
#                                                        clients come and go; what it holds behind the last round is compared
#                                                        with what it held behind the first
#   ci/test-hostile.sh --implementation builtin          the engine's own classes; nothing but the table is asked of them
#
# Time is the processor's, of the threads that serve sockets, so that a busy machine does not count. Servers: a multiplayer
# server (plain), one with TLS, one that may open few files, peers over accept_stream (streams), and streams that a
# RustWebSocketServer takes in (pipes). Linux only. Results go to
# build/hostile/. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

form=full seconds=4 settle=90 impl=ours minutes=0 filters=()
while (($#)); do
  case $1 in
    --short) form=short seconds=1 settle=1 ;;
    --soak) form=soak settle=0 minutes=${2:?--soak needs a number of minutes}; shift ;;
    --seconds) seconds=${2:?--seconds needs a number}; shift ;;
    --implementation) impl=${2:?--implementation needs builtin or ours}; shift ;;
    -*) die "unknown option '$1' (known: --short, --soak MINUTES, --seconds N, --implementation builtin|ours)." ;;
    *) filters+=("$1") ;;
  esac
  shift
done
[[ $impl == ours || $impl == builtin ]] || die "--implementation is builtin or ours, not '$impl'."
[[ -r /proc/self/schedstat ]] || die "this needs Linux: processor time of threads is read from /proc."

target_dir=${CARGO_TARGET_DIR:-$root_dir/target}
results=$root_dir/build/hostile
few_files=256
hang=10
[[ $form != short ]] || hang=3
declare -A server_pid server_log server_ports said

# ---- servers

# Starts the server $1 unless it runs.
need_server() {
  local name=$1 log=$results/server-$1.log arguments=(compression=1 "impl=$impl") limit="" preload=""
  [[ -z ${server_pid[$name]:-} ]] || ! is_running "${server_pid[$name]}" || return 0
  case $name in
    streams | pipes) arguments+=(fps=60) ;;
    few) limit=$few_files ;;
    # What the allocator keeps of what was freed depends on what came before what, and may be much more than what is looked for.
    soak) preload=$target_dir/release/examples/libgive_back.so ;;
  esac
  start "$log" env ${preload:+"LD_PRELOAD=$preload"} \
    bash -c 'ulimit -n "$0"; exec "$@"' "${limit:-$(ulimit -n)}" "$GODOT" --headless --path "$project" \
    -s res://tests/hostile/server.gd -- "${arguments[@]}"
  wait_for_line "$log" '^LISTENING' 40 "$pid" || die "the server did not listen."
  server_pid[$name]=$pid server_log[$name]=$log said[$name]=$(wc -l <"$log")
  server_ports[$name]=$(sed -n 's/^LISTENING //p' "$log")
}

# The process that answers for server $1: the ones with and without TLS share one.
process_of() { case $1 in tls) echo plain ;; soak-*) echo soak ;; *) echo "$1" ;; esac; }

# Sets $target to the arguments that lead an attack to server $1.
aim_at() {
  local process ports
  process=$(process_of "$1")
  need_server "$process"
  read -ra ports <<<"${server_ports[$process]}"
  target=("pid=${server_pid[$process]}")
  case $1 in
    *tls) target+=("port=${ports[1]}" tls=1) ;;
    *streams) target+=("port=${ports[2]}" raw=1) ;;
    *pipes) target+=("port=${ports[3]}" raw=1) ;;
    *) target+=("port=${ports[0]}") ;;
  esac
}

# ---- attacks

# Attacks server $1 with $3 peers of class $2; the limits and options are $4... What was measured is in $measured.
attack() {
  local server=$1 class=$2 peers=$3 ping=$4 message=$5 memory=$6 options=${7//HANG/$hang} log process kind name value
  process=$(process_of "$server")
  aim_at "$server"
  log=$results/$server-$class${options:+-${options%%=*}}.txt
  # shellcheck disable=SC2086 # none, or several words
  timeout $((180 + hang)) "${urgently[@]}" "$attack" run "class=$class" "peers=$peers" "seconds=$seconds" "settle=$settle" "${target[@]}" $options >"$log" 2>&1 || true
  unset measured
  declare -gA measured=()
  while read -r name value; do measured[$name]=$value; done <"$log"
  judge "$server" "$class" "$ping" "$message" "$memory" "$options" "$process"
  # Attackers leave megabytes in the kernel, which are still read when they have gone. There is no time for that here.
  if [[ $form == short ]] && ((${measured[left_descriptors]:-0} > 0)); then
    stop "${server_pid[$process]}"
    server_pid[$process]=
  fi
}

# What $1 (ping or message) has cost on the threads that serve. That is the I/O thread, and the main thread, which serves sockets too
# while its script polls in a tight loop. Where the script is kept busy ($message is -), its thread's time says nothing. Over streams
# that polls move, a round trip waits for the main thread's next frame, and its time alone counts.
serving() {
  local io=${measured[$1_io_ms]:-} main=${measured[$1_main_ms]:-}
  if [[ -z $io$main ]]; then return; fi
  if [[ $impl == builtin || $2 == *streams || $2 == *pipes ]]; then echo "$main"
  elif [[ $message == - ]]; then echo "$io"
  else awk -v io="$io" -v main="$main" 'BEGIN { printf "%.3f\n", io + main }'; fi
}

# What was not measured exceeds every limit.
exceeds() { [[ $2 != - ]] && awk -v got="${1:-1e99}" -v limit="$2" -v factor="${3:-1}" 'BEGIN { exit !(got > limit * factor) }'; }

# Compares what was measured with the limits, counts, and prints a line of the table.
judge() {
  local server=$1 class=$2 ping=$3 message=$4 memory=$5 options=$6 process=$7 wrong=() verdict=ok lines longest
  [[ ${measured[lost]:-1} == 0 ]] || wrong+=("the bystander lost its connection or a message: ${measured[error]:-it did not finish}")
  [[ -z ${measured[crashed]:-} ]] || wrong+=("the server has ended")
  ! exceeds "$(serving ping "$server")" "$ping" "$factor" || wrong+=("$(serving ping "$server") ms within a ping, $ping allowed")
  ! exceeds "$(serving message "$server")" "$message" "$factor" || wrong+=("$(serving message "$server") ms within a message, $message allowed")
  ! exceeds "${measured[memory_mib]:-}" "$memory" || wrong+=("${measured[memory_mib]} MiB more, $memory allowed")
  # The engine's own listening socket has a short queue. A server without files takes nobody in, unless handshakes that hang make way.
  if [[ $server == plain || $server == tls || "$server $class" == "few silent" ]] && ((${measured[visitors_failed]:-0} > 0)); then
    wrong+=("${measured[visitors_failed]} of ${measured[visitors]} honest clients did not get in: ${measured[visitors_error]}")
  fi
  ((${measured[refused_files]:-0} == 0)) || wrong+=("a file could not be opened ${measured[refused_files]} times")
  for kind in descriptors threads objects; do
    [[ $form != full ]] || ((${measured[left_$kind]:-0} <= 0)) || wrong+=("${measured[left_$kind]} $kind are not given back")
  done
  count_lines "$process"
  find_longest
  ((lines <= (seconds > hang ? seconds : hang) * 4 + 20)) || wrong+=("the server printed $lines lines")
  if ((${#wrong[@]})); then verdict=$([[ $impl == ours ]] && echo FAIL || echo 'over the limits'); fi
  printf '%-8s %-20s %6s  %8s %8s %8s %8s  %7s/%-4s %5s  %s\n' "$server" "$class${options:+ ${options%%=*}}" "$peers" \
    "$(serving ping "$server")" "$(serving message "$server")" "$longest" "${measured[memory_mib]:-}" \
    "${measured[visitors_failed]:-}" "${measured[visitors]:-}" "$lines" "$([[ -z ${measured[crashed]:-} ]] && echo $verdict || echo crashed)" |
    tee -a "$table"
  settle_verdict "$server $class${options:+ $options}"
}

# Counts $wrong: failures of ours; whatever the built-in does is a number.
settle_verdict() {
  local reason
  if ((${#wrong[@]} == 0)) || [[ $impl == builtin ]]; then pass; return; fi
  for reason in "${wrong[@]}"; do fail "$1: $reason"; done
}

# Sets $lines to how many server $1 has printed since this was asked last.
count_lines() {
  local now
  now=$(wc -l <"${server_log[$1]}")
  lines=$((now - ${said[$1]}))
  said[$1]=$now
}

# Sets $longest to the most within one round trip, in milliseconds.
find_longest() {
  longest=$(printf '%s\n' "${measured[ping_longest_ms]:-}" "${measured[message_longest_ms]:-}" | sort -n | tail -n 1)
}

heading() {
  printf '%-8s %-20s %6s  %8s %8s %8s %8s  %12s %5s\n' server class peers 'ping ms' 'msg ms' 'longest' 'MiB' 'not in/came' lines | tee "$table"
}

# Whether an attack of server $1 and class $2 is asked for.
is_wanted() {
  local filter
  ((${#filters[@]})) || return 0
  for filter in "${filters[@]}"; do [[ $filter != "$1" && $filter != "$2" ]] || return 0; done
  return 1
}

# The built-in classes know no compression: such frames are one more error of the protocol to them.
is_known() { [[ $impl == ours || $1 != pipes && $2 != *_blocks && $2 != *compressed && $2 != bombs ]]; }

run_attacks() {
  local server class peers short ping message memory options
  heading
  while IFS=$'\t' read -r server class peers short ping message memory options <&3; do
    [[ $server != \#* ]] && is_wanted "$server" "$class" && is_known "$server" "$class" || continue
    [[ $form != short ]] || peers=$short
    ((peers == 0)) || attack "$server" "$class" "$peers" "$ping" "$message" "$memory" "${options:-}"
  done 3<"$root_dir/ci/hostile-attacks.tsv"
}

# ---- soak

# Sets what the server holds as $held[...], once it is the same ten times in ten seconds, or after two minutes.
take_stock() {
  local before="" now same=0 round name value
  aim_at soak-plain
  for ((round = 0; round < 120 && same < 10; round++)); do
    now=$("$attack" state "${target[@]}") || die "the server does not answer: see ${server_log[soak]}."
    if [[ ${now/resident_kib*/} == "$before" ]]; then same=$((same + 1)); else same=0; fi
    before=${now/resident_kib*/}
    sleep 1
  done
  unset held
  declare -gA held=()
  while read -r name value; do held[$name]=$value; done <<<"$now"
  say "after $((SECONDS / 60)) minutes: ${held[objects]} objects, ${held[descriptors]} descriptors, ${held[threads]} threads, ${held[resident_kib]} KiB"
}

# One round: each attack of the table once, in random order, while honest clients come and go at all ports. A round is as long as
# another and asks for as much, so that memory that is larger behind a later one is kept for nothing.
attack_in_turn() {
  local server class peers message options row rows visitors=() name
  mapfile -t rows < <(grep -vE '^(#|few)' "$root_dir/ci/hostile-attacks.tsv" | shuf)
  for name in plain tls streams pipes; do
    aim_at "soak-$name"
    start "$results/visitors-$name.txt" "$attack" visit peers=2 "seconds=$((2 * ${#rows[@]}))" hang=10 "${target[@]}"
    visitors+=("$pid")
  done
  seconds=1
  for row in "${rows[@]}"; do
    IFS=$'\t' read -r server class peers _ _ message _ options <<<"$row"
    attack "soak-$server" "$class" "$peers" - - - "${options:-}"
  done
  wait "${visitors[@]}"
  for name in plain tls streams pipes; do judge_visitors "$name"; done
}

judge_visitors() {
  local log=$results/visitors-$1.txt came failed
  came=$(sed -n 's/^visitors //p' "$log") failed=$(sed -n 's/^visitors_failed //p' "$log")
  say "$1: ${came:-0} honest clients came, ${failed:-?} of them in vain"
  # The engine's own listening socket has a short queue.
  if ((${came:-0} > 0)) && { [[ $1 == streams || $1 == pipes ]] || ((failed == 0)); }; then pass
  else fail "honest clients were kept out ($1)" "$log"; fi
}

# Behind the first round everybody who keeps memory has it; what is held then is to be held at the end, and no more.
soak() {
  local -A first
  local kind round ends_at=$((SECONDS + minutes * 60))
  hang=3
  heading
  for ((round = 0; round < 2 || SECONDS < ends_at; round++)); do
    attack_in_turn
    take_stock
    ((round)) || for kind in "${!held[@]}"; do first[$kind]=${held[$kind]}; done
  done
  for kind in objects descriptors threads; do
    check "$kind: ${first[$kind]} before, ${held[$kind]} after" test "${held[$kind]}" -le "${first[$kind]}"
  done
  check "KiB of memory: ${first[resident_kib]} before, ${held[resident_kib]} after" \
    test "${held[resident_kib]}" -le $((first[resident_kib] + 16384))
}

# ---- preparations

# Sets $urgently to what has the bystander run as soon as it has something to read: while it waits for a processor, the server works
# on, and that would count as if the bystander had had to wait for it. None of the threads it starts are so urgent.
find_urgency() {
  urgently=()
  if chrt --reset-on-fork --fifo 1 true 2>/dev/null; then urgently=(chrt --reset-on-fork --fifo 1)
  else say "not allowed to run the bystander before others: what it waits for a processor counts (root may)"; fi
}

# A debug build's own code is ten to thirty times as slow, and what a turn costs is counted, not measured.
find_factor() {
  factor=1
  if cmp -s "$addon/librust_websocket.so" "$target_dir/debug/librust_websocket.so"; then
    factor=20
    say "a debug build: $factor times the processor time is allowed"
  fi
}

build() {
  local profile=release
  if [[ $form == short ]]; then
    profile=debug
    ensure_addon
    (cd "$root_dir" && cargo build --locked --quiet --package rust-websocket-bench) || die "the attackers could not be built."
  else
    "$root_dir/ci/build.sh" --release
    (cd "$root_dir" && cargo build --locked --quiet --release --package rust-websocket-bench --bins --examples) || die "the attackers could not be built."
  fi
  attack=$target_dir/$profile/attack
}

only_one_run
find_godot
build
prepare_project "$project"
mkdir -p "$results"
rm -f "$results"/*.txt "$results"/*.log
table=$results/table-$impl.txt
find_factor
find_urgency
# Attackers and server need a file for each connection.
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
if [[ $form == soak ]]; then soak; else run_attacks; fi
finish
