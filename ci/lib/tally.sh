# shellcheck shell=bash
# Counting what passed and what failed. A test script's last line is "N passed, N failed".

passed=0
failed=0

pass() { passed=$((passed + 1)); }

# Counts a failure and says what failed; shows the beginning of the log $2, if one is named.
fail() {
  failed=$((failed + 1))
  echo "FAIL $1"
  [[ -z ${2:-} ]] || grep -vE '^(Godot Engine|Initialize godot-rust|$)' "$2" | head -n 40 || true
}

# check WHAT COMMAND...: passed if the command succeeds.
check() {
  local what=$1
  shift
  if "$@"; then pass; else fail "$what"; fi
}

# Prints the lines of $1, if there are any, and counts each as a failure.
count_failures() {
  [[ -n $1 ]] || return 0
  echo "$1"
  failed=$((failed + $(wc -l <<<"$1")))
}

# Adds the last line "N passed, N failed" of the log $1; a log without one counts as one failure.
add_totals() {
  local p f
  read -r p f < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$1" | tail -n 1) || true
  passed=$((passed + ${p:-0})) failed=$((failed + ${f:-1}))
}

# Adds the lines "ok ..." of the log $1.
add_oks() { passed=$((passed + $(grep -c '^ok ' "$1" || true))); }

# What an engine or the library complains about in the log $1.
complaints() { grep -nE 'ERROR|WARNING|FAIL|panicked|[Ll]eaked|still in use|handle_crash|Segmentation' "$1" || true; }

# The closing line; succeeds if nothing failed and something ran.
finish() {
  echo "$passed passed, $failed failed"
  ((failed == 0 && passed > 0))
}
