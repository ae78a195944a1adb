# shellcheck shell=bash
# Locks between scripts that run at the same time. They are the kernel's, so a script that dies leaves none behind.
# Where there is no flock (it is part of Linux's util-linux), nothing is locked.

# Waits for the lock $1 (a file), says so if that takes time, and runs the command that follows. What it starts in the
# background does not hold the lock.
with_lock() {
  local file=$1 descriptor status=0
  shift
  if ! command -v flock >/dev/null; then "$@"; return; fi
  mkdir -p "$(dirname "$file")"
  exec {descriptor}>>"$file"
  if ! flock -n "$descriptor"; then
    say "waiting for another script that is at the same (${file##*/})"
    flock "$descriptor"
  fi
  # Not by `{descriptor}>&-`, which would close it for good. The command is called as it is, not tested: one that fails
  # ends the script under `set -e`, and the kernel unlocks.
  eval '"$@"' "$descriptor>&-"
  status=$?
  exec {descriptor}>&-
  return "$status"
}

# Waits until no other run of this script is under way in this checkout, since they would share their logs. Holds for
# the rest of the script; $run_lock is the descriptor, which background processes have to close.
only_one_run() {
  command -v flock >/dev/null || return 0
  local file
  file=$root_dir/build/locks/$(basename "$0" .sh)
  mkdir -p "${file%/*}"
  exec {run_lock}>>"$file"
  flock -n "$run_lock" && return 0
  say "waiting for another run of this script in this checkout"
  flock "$run_lock"
}

# Copies file $1 to $2 in one step, so that nobody reads half of it; a file that is the same stays untouched.
install_file() {
  ! cmp -s "$1" "$2" || return 0
  cp "$1" "$2.new.$$" && mv -f "$2.new.$$" "$2"
}
