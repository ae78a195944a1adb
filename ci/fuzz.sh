#!/usr/bin/env bash
# Fuzzes everything that reads bytes from the network or from scripts, starting from the stored inputs.
#
#   ci/fuzz.sh [SECONDS]           every target, 20 seconds each if no number is given
#   ci/fuzz.sh TARGET [SECONDS]    one target, ten minutes if no number is given; --list names them
#
# What is found stays in build/fuzz/TARGET/; inputs that reach new code are kept beside it. An input that failed once
# belongs into rust/fuzz/seeds/TARGET/, which every run tries first. `cargo fuzz run TARGET` in rust/fuzz works too.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fuzz=$root_dir/rust/fuzz
mapfile -t targets < <(cd "$fuzz/fuzz_targets" && printf '%s\n' *.rs | sed 's/\.rs$//')
seconds=20
if [[ ${1:-} == --list ]]; then printf '%s\n' "${targets[@]}"; exit 0; fi
if [[ ${1:-} =~ ^[a-z_]+$ ]]; then
  [[ -f $fuzz/fuzz_targets/$1.rs ]] || die "there is no target '$1' (known: ${targets[*]})."
  targets=("$1") seconds=600
  shift
fi
[[ ${1:-} =~ ^[0-9]*$ ]] || die "'$1' is no number of seconds."
seconds=${1:-$seconds}

# Optimised, with overflow checks and assertions, and with the counters that libFuzzer steers by.
say "building the targets"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root_dir/target}/fuzz
export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
host=$(rustc -vV | sed -n 's/^host: //p')
# The target is named so that build scripts, which have no such counters to link with, are left alone.
(cd "$root_dir" && cargo build --locked --release --quiet --package rust-websocket-fuzz --bins --target "$host") ||
  die "the targets do not build."

# Runs target $1.
run_target() {
  local target=$1 folder=$root_dir/build/fuzz/$1
  mkdir -p "$folder/corpus" "$folder/found"
  "$CARGO_TARGET_DIR/$host/release/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=20000 \
    -print_final_stats=1 -artifact_prefix="$folder/found/" "$folder/corpus" "$fuzz/seeds/$target" >"$folder/log" 2>&1
}

# Says how many inputs target $1 tried, which ended with $2.
judge() {
  local target=$1 status=$2 log=$root_dir/build/fuzz/$1/log tried
  tried=$(sed -nE 's/^stat::number_of_executed_units: *([0-9]+)/\1/p' "$log")
  if ((status == 0)) && ((${tried:-0} > 0)); then
    say "$target: ${tried} inputs"
    pass
  else
    grep -E 'panicked|assert|left:|right:|ERROR|Test unit written' -A 2 "$log" | head -n 20 || tail -n 5 "$log"
    fail "$target: see $log"
  fi
}

# Each is one thread: as many at a time as there are processors.
at_once=$(nproc)
for ((first = 0; first < ${#targets[@]}; first += at_once)); do
  running=()
  for target in "${targets[@]:first:at_once}"; do
    run_target "$target" &
    running+=("$target $!")
  done
  for entry in "${running[@]}"; do
    status=0
    wait "${entry#* }" || status=$?
    judge "${entry% *}" "$status"
  done
done
finish
