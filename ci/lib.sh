# shellcheck shell=bash
# What the scripts in this folder share; sourced, not run:
#
#   . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Engines and tools that are installed once, for all checkouts of this user.
cache_dir=${RUST_WEBSOCKET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rust-websocket}

# Prints one line of progress, under the name of the running script, to stderr.
say() { echo "$(basename "$0" .sh): $*" >&2; }

# Prints one sentence and ends the script with an error.
die() { say "$*"; exit 1; }

. "$root_dir/ci/lib/cleanup.sh"
. "$root_dir/ci/lib/locks.sh"
. "$root_dir/ci/lib/process.sh"
. "$root_dir/ci/lib/tally.sh"
. "$root_dir/ci/lib/install.sh"
. "$root_dir/ci/lib/debian.sh"
. "$root_dir/ci/lib/engine.sh"
. "$root_dir/ci/lib/display.sh"
. "$root_dir/ci/lib/fleet.sh"
