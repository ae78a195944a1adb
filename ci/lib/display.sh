# shellcheck shell=bash
# A display for programs with windows, on machines that have none: Xvfb, with OpenGL by the processor (Mesa, which comes
# with it).

# Starts a display of $1 (1600x1000) pixels and sets DISPLAY. Its log is $2.
start_display() {
  local size=${1:-1600x1000} log=$2
  need Xvfb xvfb
  start "$log" Xvfb -displayfd 1 -screen 0 "${size}x24" -nolisten tcp -noreset
  wait_for_line "$log" '^[0-9]+$' 20 "$pid" || die "Xvfb does not start."
  DISPLAY=:$(grep -m 1 -xE '[0-9]+' "$log")
  export DISPLAY LIBGL_ALWAYS_SOFTWARE=1
  unset WAYLAND_DISPLAY
}

# Makes the folder $1 the home of an editor: nobody's own settings count, and its dialogs are part of its window, so that a
# picture of the window shows them.
make_editor_home() {
  local minor
  minor=$("$GODOT" --headless --version | sed -nE 's/^4\.([0-9]+).*/\1/p' | tail -n 1)
  mkdir -p "$1/godot"
  {
    printf '[gd_resource type="EditorSettings" format=3]\n\n[resource]\n'
    printf 'interface/editor/single_window_mode = true\ninterface/editor/editor_language = "en"\n'
    printf 'interface/theme/preset = "%s"\ninterface/theme/color_preset = "%s"\n' "${2:-Default}" "${2:-Default}"
    # Without it every frame counts as a change of the window, and the editor never rests.
    printf 'interface/editor/update_continuously = false\nnetwork/connection/network_mode = 0\n'
  } >"$1/godot/editor_settings-4.$minor.tres"
}

# Runs an editor with the project $1 and the home $2; its output goes into the log $3.
run_editor() {
  local folder=$1 home=$2 log=$3
  shift 3
  HOME=$home XDG_CONFIG_HOME=$home XDG_DATA_HOME=$home XDG_CACHE_HOME=$home timeout --kill-after=10 "${EDITOR_TIMEOUT:-180}" \
    "$GODOT" --editor --path "$folder" --rendering-driver opengl3 --audio-driver Dummy "$@" >"$log" 2>&1
}
