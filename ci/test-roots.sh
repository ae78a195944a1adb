#!/usr/bin/env bash
# Whom a client trusts when a script names nobody: the suite's cases about default roots, on the engine's own classes and
# on ours, in projects that differ in the setting network/tls/certificate_bundle_override, which the engine reads when it
# starts.
#
#   ci/test-roots.sh      needs the addon in godot-project/addons (ci/build.sh puts it there)
#
# Logs stay in build/test-roots/. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

project=$root_dir/godot-project
logs=$root_dir/build/test-roots
[[ -f $project/addons/rust_websocket/rust_websocket.gdextension ]] || die "the addon is not built: run ci/build.sh first."
find_godot
mkdir -p "$logs"
rm -f "$logs"/*.log
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0

# make_project NAME VALUE: the sample project's tests and addon, with that value of the setting; without one if empty.
make_project() {
  mkdir "$scratch/$1"
  cp -r "$project/tests" "$project/addons" "$scratch/$1/"
  printf '%s\n' 'config_version=5' '' '[application]' '' 'config/name="Default roots"' 'run/flush_stdout_on_print=true' >"$scratch/$1/project.godot"
  [[ -z $2 ]] || printf '%s\n' '' '[network]' '' "tls/certificate_bundle_override=\"$2\"" >>"$scratch/$1/project.godot"
  prepare_project "$scratch/$1"
}

# run_cases PROJECT IMPL EXPECTATION: runs the cases; client() has to show what is expected in that project.
run_cases() {
  local name=$1-$2 log=$logs/$1-$2.log code=0 problems totals
  say "default roots '$1', class: $2"
  timeout --kill-after=10 120 "$GODOT" --headless --path "$scratch/$1" -s res://tests/run.gd -- "impl=$2" "filter=tls_default_roots" >"$log" 2>&1 || code=$?
  totals=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1) || totals="0 passed, 0 failed"
  passed=$((passed + $(cut -d ' ' -f 1 <<<"$totals")))
  failed=$((failed + $(cut -d ' ' -f 3 <<<"$totals")))
  problems=$(
    grep '^FAIL ' "$log" | sed "s/^FAIL /FAIL $name: /" || true
    # The engine says when it starts that the bundle is missing, whatever the class.
    sed '/^ERROR: Cannot open X509Certificate.*no_such_file/,+1d' "$log" |
      awk -v run="$name" -v impl="$2" -v other="$2" -v exit_code="$code" -f "$root_dir/ci/engine-log.awk"
    grep -qxF "SAW tls_default_roots.$3" "$log" || echo "FAIL $name: did not show '$3'"
  )
  if [[ -n $problems ]]; then
    echo "$problems"
    failed=$((failed + $(wc -l <<<"$problems")))
  fi
}

make_project bundle res://tests/fixtures/tls/bundle.crt
make_project missing res://no_such_file.crt
make_project none ""
for impl in builtin rust; do
  run_cases bundle "$impl" "default_roots.client = in"
  run_cases missing "$impl" "missing_bundle.closed = true"
  run_cases none "$impl" "default_roots.client = refused"
done
echo "$passed passed, $failed failed"
((failed == 0))
