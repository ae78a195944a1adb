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

logs=$root_dir/build/test-roots
has_addon || die "the addon is not built: run ci/build.sh first."
only_one_run
find_godot
mkdir -p "$logs"
rm -f "$logs"/*.log
make_scratch

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
  local log=$logs/$1-$2.log
  say "default roots '$1', class: $2"
  # The engine says when it starts that the bundle is missing, whatever the class.
  known_errors='/^ERROR: Cannot open X509Certificate.*no_such_file/,+1d' \
    run_suite "$log" "$scratch/$1" "impl=$2" filter=tls_default_roots
  grep -qxF "SAW tls_default_roots.$3" "$log" || fail "$1-$2: did not show '$3'"
}

make_project bundle res://tests/fixtures/tls/bundle.crt
make_project missing res://no_such_file.crt
make_project none ""
for impl in builtin rust; do
  run_cases bundle "$impl" "default_roots.client = in"
  run_cases missing "$impl" "missing_bundle.closed = true"
  run_cases none "$impl" "default_roots.client = refused"
done
finish
