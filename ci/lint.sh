#!/usr/bin/env bash
# Formatting, lints and documentation of the Rust crates, shell scripts, links between pages; no warning passes.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

say "formatting"
cargo fmt --all --check || die "run 'cargo fmt' first."
say "lints"
cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
cargo clippy --locked --package rust_websocket --features builtin-names --quiet -- -D warnings
say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items --quiet
say "shell scripts"
for script in ci/*.sh ci/*/*.sh .ci/run; do bash -n "$script"; done
if command -v shellcheck >/dev/null; then shellcheck -x -S warning ci/*.sh ci/cross/library.sh ci/cross/wine.sh .ci/run; fi
say "links"
ci/check-links.sh
