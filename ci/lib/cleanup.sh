# shellcheck shell=bash
# What has to be undone when a script ends, however it ends.

exit_commands=()

run_exit_commands() {
  local status=$? index
  trap - EXIT
  # A child that is stopped before it has become its program would come by here too.
  [[ $exit_commands_of == "$BASHPID" ]] || exit "$status"
  for ((index = ${#exit_commands[@]} - 1; index >= 0; index--)); do eval "${exit_commands[index]}" || true; done
  exit "$status"
}

# Runs the command line $1 when this shell ends; the newest comes first. A subshell inherits none of them.
at_exit() {
  if ((${#exit_commands[@]} == 0)) || [[ ${exit_commands_of:-} != "$BASHPID" ]]; then
    exit_commands=() exit_commands_of=$BASHPID
    trap run_exit_commands EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
  fi
  exit_commands+=("$1")
}

# Sets $scratch to a new folder that goes when the script ends.
make_scratch() {
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/rust-websocket.XXXXXX") || die "cannot make a temporary folder."
  at_exit "rm -rf '$scratch'"
}
