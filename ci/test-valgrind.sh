#!/usr/bin/env bash
# Runs the tests of what passes packets to the engine, which takes them by raw pointers, under valgrind: there a packet that is freed
# while a thread still reads it is an error, and elsewhere mostly luck.
#
#   ci/test-valgrind.sh
#
# Linux only. The last line is cargo's.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

(($# == 0)) || die "it has no options."
need valgrind valgrind
cd "$root_dir"
# Any target: what runs is the test program alone.
cargo test --locked --quiet --package rust_websocket --lib \
  --config 'target."cfg(all())".runner = "valgrind --quiet --error-exitcode=9"' raw_packet
