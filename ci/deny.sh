#!/usr/bin/env bash
# Checks the dependency tree against deny.toml: licences, bans, sources. Installs cargo-deny if it is missing, which
# takes some minutes; that is why ci/test.sh does not call it. Run it when Cargo.lock changes.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

command -v cargo >/dev/null || die "cargo is missing: install Rust 1.94 or newer (https://rustup.rs)."
if ! cargo deny --version >/dev/null 2>&1; then
  say "installing cargo-deny (once, a few minutes)"
  cargo install --locked --quiet cargo-deny || die "cargo-deny could not be installed."
fi
cargo deny --workspace --all-features check bans licenses sources
