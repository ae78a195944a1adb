#!/usr/bin/env bash
# What needs a process of its own: the engine quits in every state a connection can be in, an editor reloads the
# extension under live connections, a reader stops in the middle of a flood, many connections leave nothing behind, and the
# monitors of the process follow its connections. A server at the limit of open files leaves some to the game.
#
#   ci/test-lifecycle.sh [quit] [reload] [flood] [endurance] [monitors] [descriptors]    all of them, or some
#   CYCLES=N ci/test-lifecycle.sh endurance             N connections after the warm-up instead of 10 000
#
# Needs the addon in godot-project/addons (ci/build.sh puts it there) and, for name lookups that are not answered, a C
# compiler and glibc. The last line is "N passed, N failed".
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
  if ((code != 0)) || [[ $(complaints "$log" | grep -vc 'WARNING: The server on port [0-9]* accepts nobody for now: ') != 0 ]]; then
    fail "descriptors: exit code $code" "$log"
  elif [[ $(complaints "$log" | wc -l) != 1 ]] || grep -qi backtrace "$log"; then
    fail "descriptors: not told in one line" "$log"
  else pass; fi
}

parts=("$@")
if ((${#parts[@]} == 0)); then parts=(quit reload flood endurance monitors descriptors); fi
for part in "${parts[@]}"; do
  declare -F "run_$part" >/dev/null || die "unknown part '$part' (known: quit, reload, flood, endurance, monitors, descriptors)."
done
find_godot
ensure_addon
prepare_project "$project"
make_scratch
slow_lookups
for part in "${parts[@]}"; do "run_$part"; done
finish
