#!/usr/bin/env bash
# Measures the engine's own classes and ours side by side, in the same engine, with the same scripts and load.
#
#   ci/bench.sh [--quick] [--rounds=N] [--seconds=N] [--no-build] [--publish] [SCENARIO...]
#
# SCENARIO: a file of godot-project/bench/scenarios without its ending, or `servers`; all but `scale` and `capacity` if none is given.
# `capacity` adds clients until a frame takes too long; `scale` takes one server of ours to 10 000 clients; `servers` compares echo servers without an engine: of the same crates, and
# of other libraries. --quick: one round of a second each. The order of the two changes from round to round.
#
# Results go to build/bench/: results.md and servers.md (tables), results.json (every number), results.svg, fresh.svg, servers.svg
# and scale.svg (charts); with --publish to docs/benchmark too, where the README shows them: what was published of scenarios that
# this run has not measured stays, with the date of its own run. Runs by hand, on a machine that does nothing else: nothing here
# passes or fails.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rounds=5 seconds=3 build=true publish=false impls=(builtin rust)
scenarios=()
while (($#)); do
  case $1 in
    --quick) rounds=1 seconds=1 ;;
    --rounds=*) rounds=${1#*=} ;;
    --seconds=*) seconds=${1#*=} ;;
    --no-build) build=false ;;
    --publish) publish=true ;;
    --rust-only) impls=(rust) ;;
    -*) die "unknown option '$1' (known: --quick, --rounds=N, --seconds=N, --no-build, --publish, --rust-only)." ;;
    *) scenarios+=("$1") ;;
  esac
  shift
done

results=$root_dir/build/bench
measurements=$results/measurements.tsv
target_dir=${CARGO_TARGET_DIR:-$root_dir/target}
if ((${#scenarios[@]} == 0)); then
  for file in "$project"/bench/scenarios/*.gd; do
    name=$(basename "$file" .gd)
    [[ $name == scale || $name == capacity ]] || scenarios+=("$name")
  done
  scenarios+=(servers)
fi
for name in "${scenarios[@]}"; do
  [[ $name == servers || -f $project/bench/scenarios/$name.gd ]] || die "there is no scenario '$name' in godot-project/bench/scenarios."
done

# Runs scenario $1 on $2 in round $3 with $4 clients (0: the scenario's own number) and notes what it measured.
measure() {
  local scenario=$1 impl=$2 round=$3 clients=$4 log=$results/$1-$2-$3-$4.log
  if ! timeout --kill-after=5 150 "$target_dir/release/starter" "$GODOT" --headless --path "$project" -s res://bench/run.gd -- \
    "scenario=$scenario" "impl=$impl" "seconds=$seconds" "clients=$clients" "dir=$results" >"$log" 2>&1 ||
    ! grep -q '^BENCH DONE$' "$log"; then
    say "  $impl did not finish; see ${log#"$root_dir/"}"
    return 0
  fi
  # Shows what else was printed; nothing is what is hoped for, and then grep fails.
  grep -vE '^(BENCH |Godot Engine|Initialize godot-rust|$)' "$log" >&2 || true
  awk -v OFS='\t' -v s="$scenario" -v i="$impl" -v r="$round" -v c="$clients" \
    '/^BENCH [a-z]/ { print s, i, r, c, $2, $3 }' "$log" >>"$measurements"
  # Points of a chart (name@seconds) are for the report.
  say "  $impl: $(awk '/^BENCH [a-z]/ && $2 !~ /@/ { printf "%s%s %.4g", sep, $2, $3; sep = ", " }' "$log")"
}

# Builds the servers of other libraries, and finds Node's; what is not to be had is not measured.
prepare_servers() {
  servers=("rust $target_dir/release/echo_server --spin")
  say "building the servers of other libraries"
  if (cd "$root_dir/rust/bench/servers" && CARGO_TARGET_DIR=$target_dir/bench-servers cargo build --locked --quiet --release); then
    servers+=("fastwebsockets $target_dir/bench-servers/release/fastwebsockets")
    servers+=("tokio-tungstenite $target_dir/bench-servers/release/tokio_tungstenite")
  else
    say "  they do not build, and are left out"
  fi
  if lacks "the server of Node's ws" "node with npm" has_npm; then return 0; fi
  npm_site peers/node "$root_dir/ci/peers/package.json" ws
  servers+=("ws env NODE_PATH=$site node $root_dir/ci/peers/ws_echo.js")
}

# Puts each load on each server, in round $1.
measure_servers() {
  local round=$1 entry name command load metric cpu_metric clients window size log before
  for entry in "${servers[@]}"; do
    read -r name command <<<"$entry"
    log=$results/servers-$name-$round.log
    for load in "messages_per_s cpu_us 100 8 64" "messages_per_s_1kib - 100 8 1024" "messages_per_s_turns cpu_us_turns 100 1 64" \
      "messages_per_s_one - 1 256 64"; do
      read -r metric cpu_metric clients window size <<<"$load"
      # shellcheck disable=SC2086 # a command with its arguments
      start_server "$log" $command
      before=$(cpu_seconds "$pid")
      "$target_dir/release/load" clients "port=$port" "clients=$clients" "window=$window" "size=$size" "seconds=$seconds" at-once=4 \
        >>"$log" 2>&1
      awk -v OFS='\t' -v i="$name" -v r="$round" -v m="$metric" -v c="$cpu_metric" -v cpu="$(cpu_seconds "$pid") $before" '
        BEGIN { split(cpu, at, " ") }
        $1 == "echoes" { echoes = $2 } $1 == "seconds" { seconds = $2 }
        END {
          if (seconds > 0) print "servers", i, r, 0, m, echoes / seconds
          if (echoes > 0 && c != "-") print "servers", i, r, 0, c, (at[1] - at[2]) * 1e6 / echoes
        }' "$log" >>"$measurements"
      stop "$pid"
    done
    say "  $name: $(awk -F '\t' -v i="$name" -v r="$round" \
      '$1 == "servers" && $2 == i && $3 == r { printf "%s%s %.4g", sep, $5, $6; sep = ", " }' "$measurements")"
  done
}

# Prints the processor time that the process $1 has used.
cpu_seconds() {
  # The second field is the program's name in parentheses, which may contain blanks.
  sed 's/.*) //' "/proc/$1/stat" | awk -v tick="$(getconf CLK_TCK)" '{ print ($12 + $13) / tick }'
}

# Says on what this was measured.
title() {
  local cpu
  cpu=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1 || true)
  echo "$(date -u +%F), Godot $("$GODOT" --headless --version 2>/dev/null | tail -n 1 | cut -d . -f 1-3), $(nproc) x ${cpu:-unknown processor}, $rounds rounds of $seconds s"
}

only_one_run
find_godot
mkdir -p "$results"
rm -f "$results"/*.log "$results"/load-*.txt "$results"/*.svg "$results"/servers.md
if $build; then "$root_dir/ci/build.sh" --release; fi
(cd "$root_dir" && cargo build --locked --quiet --release --package rust-websocket-bench)
prepare_project "$project"
[[ " ${scenarios[*]} " != *" servers "* ]] || prepare_servers
: >"$measurements"
# A server and its clients need a file each; where the limit stays, only the large scenarios suffer.
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true

for ((round = 1; round <= rounds; round++)); do
  for name in "${scenarios[@]}"; do
    say "round $round of $rounds: $name"
    if [[ $name == servers ]]; then
      measure_servers "$round"
    elif [[ $name == scale ]]; then
      for clients in 1000 3000 10000; do measure scale rust "$round" "$clients"; done
    elif ((round % 2)); then
      for impl in "${impls[@]}"; do measure "$name" "$impl" "$round" 0; done
    else
      for ((i = ${#impls[@]} - 1; i >= 0; i--)); do measure "$name" "${impls[i]}" "$round" 0; done
    fi
  done
done
published=$root_dir/docs/benchmark/results.json
$publish && [[ -f $published ]] || published=""
"$target_dir/release/report" "$root_dir/ci/bench-scenarios.tsv" "$measurements" "$results" "$(title)" ${published:+"$published"}
cat "$results/results.md"
if $publish; then
  mkdir -p "$root_dir/docs/benchmark"
  cp "$results"/results.{md,json,svg} "$root_dir/docs/benchmark/"
  for file in fresh.svg scale.svg servers.md servers.svg; do
    [[ ! -f $results/$file ]] || cp "$results/$file" "$root_dir/docs/benchmark/"
  done
fi
say "the results are in ${results#"$root_dir/"}/: results.md, results.json, results.svg"
