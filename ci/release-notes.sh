#!/usr/bin/env bash
# Prints what CHANGELOG.md says of a version, and checks that this is the version of the sources: release-notes.sh v1.2.3
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=${1:?"the tag of the release is missing, for instance v1.2.3"}
version=${version#v}
sources=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root_dir/Cargo.toml" | head -n 1)
[[ $version == "$sources" ]] || die "the tag says $version, but Cargo.toml says $sources."
notes=$(awk -v heading="## [$version]" 'index($0, heading) == 1 { here = 1; next } here && (/^## / || /^\[.*\]:/) { exit } here { print }' "$root_dir/CHANGELOG.md")
[[ $notes == *[![:space:]]* ]] || die "CHANGELOG.md has no section '## [$version]', or an empty one: rename [Unreleased] to it."
printf '%s\n' "$notes"
