# shellcheck shell=bash
# The engine, the addon, and the sample project.

# RUST_WEBSOCKET_PROJECT: another copy of it.
project=${RUST_WEBSOCKET_PROJECT:-$root_dir/godot-project}
addon=$project/addons/rust_websocket

# Sets GODOT to an engine's executable, installing one if there is none.
find_godot() {
  GODOT=$("$root_dir/ci/install-godot.sh") || die "no usable Godot: see the line above."
  export GODOT
}

has_addon() { [[ -f $addon/rust_websocket.gdextension ]]; }

# Builds the addon unless there is one, whose scripts are brought up to date: a check of scripts that were changed since is none.
ensure_addon() {
  if has_addon; then install_scripts_into "$addon"; else "$root_dir/ci/build.sh" || die "the addon could not be built."; fi
}

# Puts what the addon holds beside its library into folder $1.
install_scripts_into() {
  local file
  (cd "$root_dir/addon" && find . -type f) | while read -r file; do
    mkdir -p "$(dirname "$1/$file")"
    install_file "$root_dir/addon/$file" "$1/$file"
  done
}

# Builds the echo server without an engine, which other programs are tried on, and sets $echo_server.
build_echo_server() {
  (cd "$root_dir" && cargo build --locked --quiet --package rust-websocket-bench) || die "the echo server could not be built."
  # shellcheck disable=SC2034 # the caller's
  echo_server=${CARGO_TARGET_DIR:-$root_dir/target}/debug/echo_server
}

# Builds the slow link that cases of the engine suite and the demo send through and sets $SLOW_LINK, which names it to both, unless
# that does already.
build_slow_link() {
  [[ -z ${SLOW_LINK:-} ]] || return 0
  (cd "$root_dir" && cargo build --locked --quiet --package rust-websocket-bench --bin slow_link) || die "the slow link could not be built."
  export SLOW_LINK=${CARGO_TARGET_DIR:-$root_dir/target}/debug/slow_link
}

# Makes the project in folder $1 ready to run: $GODOT then finds its global classes and, if the addon is
# there, its extension. Does nothing when it has done so since the project last changed.
prepare_project() {
  [[ -f $1/project.godot ]] || die "$1 is no Godot project."
  mkdir -p "$1/.godot" || die "cannot write into $1."
  with_lock "$1/.godot/prepare.lock" import_project "$1"
}

import_project() {
  local project=$1 cache=$1/.godot log
  local manifest=addons/rust_websocket/rust_websocket.gdextension list=$1/.godot/extension_list.cfg
  # Without this list the first run does not know the extension, and the first import crashes when it ends.
  if [[ -f $project/$manifest ]]; then
    if ! grep -qxF "res://$manifest" "$list" 2>/dev/null; then
      echo "res://$manifest" >>"$list"
      rm -f "$cache/prepared"
    fi
  else
    rm -f "$list"
  fi
  if [[ -f $cache/prepared && -z $(find "$project" -name .godot -prune -o -newer "$cache/prepared" \
    \( -type d -o -name '*.gd' -o -name '*.tscn' -o -name 'project.godot' -o -name '*.gdextension' \) -print) ]]; then
    return 0
  fi
  say "importing ${project#"$root_dir/"}"
  log=$cache/import.log
  timeout "${IMPORT_TIMEOUT:-180}" "$GODOT" --headless --path "$project" --import >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    die "Godot could not import the project; the whole output is in $log."
  }
  if grep -A 1 'SCRIPT ERROR' "$log" >&2; then die "a script of the project has an error."; fi
  touch "$cache/prepared"
}

# Runs the engine suite once and counts what it says: its log is $1, its project $2, its arguments (impl=, other=, filter=)
# the rest. A run that prints an error that no case announces fails too (engine-log.awk); $known_errors, if set, is a sed
# script that takes out what the engine itself prints; $SUITE_PATIENCE is what the cases' waits are multiplied with.
run_suite() {
  local log=$1 folder=$2 impl=builtin other="" argument name code=0
  shift 2
  for argument in "$@"; do
    case $argument in impl=*) impl=${argument#*=} ;; other=*) other=${argument#*=} ;; esac
  done
  name=$(basename "$log" .log)
  timeout --kill-after=10 "${SUITE_TIMEOUT:-240}" "$GODOT" --headless --path "$folder" -s res://tests/run.gd \
    -- "$@" "patience=${SUITE_PATIENCE:-1}" >"$log" 2>&1 || code=$?
  grep '^FAIL ' "$log" | sed "s/^FAIL /FAIL $name: /" || true # counted by the suite's own last line
  if grep -qE '^[0-9]+ passed, [0-9]+ failed$' "$log"; then add_totals "$log"; fi
  count_failures "$(sed "${known_errors:-}" "$log" |
    awk -v run="$name" -v impl="$impl" -v other="${other:-$impl}" -v exit_code="$code" -f "$root_dir/ci/engine-log.awk")"
}

# Runs the exported program $1/$2.x86_64, headless, with the arguments that follow behind `--`. Debian's template may need the
# loader that came with it. It runs from the program's folder, under the program's name, because the engine looks for pack and
# libraries beside the file that was started.
run_exported() (
  local name=$2 lib; lib=$(dirname "$GODOT")/root/usr/lib/x86_64-linux-gnu
  cd "$1" || return
  shift 2
  if "./$name.x86_64" --headless --version >/dev/null 2>&1; then
    timeout 60 "./$name.x86_64" --headless -- "$@"
  else
    cp "$lib/ld-linux-x86-64.so.2" "$name"
    timeout 60 "./$name" --library-path "$lib:$lib/pulseaudio:$lib/blas:$lib/lapack" "./$name.x86_64" --headless -- "$@"
  fi
)
