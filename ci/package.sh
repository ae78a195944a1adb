#!/usr/bin/env bash
# Makes a release: build/release/rust-websocket-VERSION.zip with addons/rust_websocket/ for every platform, as one unpacks
# it into a project; beside it the symbols, a list of what the libraries are made of (SBOM, CycloneDX) and SHA256SUMS.
#
#   ci/package.sh                       linux-x86_64, linux-arm64, windows-x86_64 and macos; fails where one cannot be built
#   ci/package.sh --incomplete          leaves out what cannot be built here, and says so
#   ci/package.sh --only PLATFORM...    these alone; android-arm64 and android-x86_64 can be named too
#   ci/package.sh --build-only PLATFORM...  builds these into build/release/parts/, for --assemble
#   ci/package.sh --assemble            builds nothing: takes what other machines have put into build/release/parts/
#
# Two runs on the same commit and machine give the same bytes. Progress goes to stderr. docs/releasing.md says the rest.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$root_dir/ci/cross/tools.sh"

required=(linux-x86_64 linux-arm64 windows-x86_64 macos)
release=$root_dir/build/release
parts=$release/parts
platforms=() incomplete=false build=true assemble=true missing=()

while (($#)); do
  case $1 in
    --only) incomplete=true ;;
    --build-only) incomplete=true assemble=false ;;
    --incomplete) incomplete=true ;;
    --assemble) build=false ;;
    -*) die "unknown option '$1' (known: --only, --build-only, --incomplete, --assemble)." ;;
    *) platforms+=("$1") ;;
  esac
  shift
done
if ((${#platforms[@]} == 0)); then platforms=("${required[@]}"); elif ! $incomplete; then die "platforms are named after --only or --build-only."; fi

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root_dir/Cargo.toml" | head -n 1)
name=rust-websocket-$version
# The commit and its time stand for the sources: they date the files, and parts of different sources are not mixed.
commit=$(git -C "$root_dir" describe --always --dirty --abbrev=40 --match='' 2>/dev/null || echo unknown)
SOURCE_DATE_EPOCH=$(git -C "$root_dir" log -1 --format=%ct 2>/dev/null || echo 315532800)
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC

# Finds out what can be built before the first minute is spent; the reasons come from library.sh.
check_platforms() {
  local platform possible=()
  for platform in "${platforms[@]}"; do
    if "$root_dir/ci/cross/library.sh" --can "$platform"; then possible+=("$platform"); else
      say "$platform cannot be built here: see the line above."
      missing+=("$platform")
    fi
  done
  $incomplete || ((${#missing[@]} == 0)) ||
    die "a release holds every platform: build ${missing[*]} elsewhere (docs/releasing.md), or leave it out with --incomplete."
  ((${#possible[@]})) || die "nothing can be built here."
  platforms=("${possible[@]}")
}

build_parts() {
  local platform
  for platform in "${platforms[@]}"; do
    rm -rf "${parts:?}/$platform"
    "$root_dir/ci/cross/library.sh" "$platform" "$parts/$platform"
    echo "$commit" >"$parts/$platform/commit"
  done
}

# Sets $platforms to those that other machines have built.
find_parts() {
  local platform
  platforms=()
  for platform in "$parts"/*/; do
    platform=$(basename "$platform")
    [[ $(cat "$parts/$platform/commit" 2>/dev/null) == "$commit" ]] || die "$parts/$platform was not built from this commit ($commit)."
    platforms+=("$platform")
  done
  for platform in "${required[@]}"; do
    [[ -d $parts/$platform ]] || missing+=("$platform")
  done
  $incomplete || ((${#missing[@]} == 0)) || die "a release holds every platform, but ${missing[*]} is not in $parts (--incomplete allows that)."
}

targets() {
  local platform
  for platform in "${platforms[@]}"; do
    case $platform in
      linux-x86_64) echo x86_64-unknown-linux-gnu ;;
      linux-arm64) echo aarch64-unknown-linux-gnu ;;
      windows-x86_64) echo x86_64-pc-windows-gnu ;;
      macos) echo aarch64-apple-darwin x86_64-apple-darwin ;;
      android-arm64) echo aarch64-linux-android ;;
      android-x86_64) echo x86_64-linux-android ;;
    esac
  done
}

# Fills $1 as the addon folder. Its manifest names only the libraries that are there.
stage() {
  local addon=$1 platform
  cp -R "$root_dir/addon/." "$addon/"
  cp "$root_dir/LICENSE" "$addon/LICENSE.txt"
  # shellcheck disable=SC2046
  "$root_dir/ci/third-party.sh" $(targets) >"$addon/THIRD-PARTY-LICENSES.txt"
  for platform in "${platforms[@]}"; do
    find "$parts/$platform" -maxdepth 1 -type f ! -name commit -exec cp {} "$addon/" \;
  done
  awk -v folder="$addon" '
    /^\[/ { section = $1 }
    section == "[libraries]" && /^[a-z].*"/ {
      file = $0
      sub(/^[^"]*"/, "", file); sub(/".*/, "", file)
      if (system("test -f \"" folder "/" file "\"") != 0) next
    }
    { print }' "$root_dir/addon/rust_websocket.gdextension" >"$addon/rust_websocket.gdextension"
}

# The folder $1 as the archive $2: names in order, one date, no owners.
pack() {
  local folder=$1 archive=$2
  find "$folder" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
  find "$folder" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  rm -f "$archive"
  (cd "$folder" && find . -type f | sed 's|^\./||' | sort | zip -q -9 -X -D "$archive" -@)
}

# What is compiled into the libraries, crate by crate, from a copy: the tool writes beside the manifests that it reads.
write_sbom() {
  local copy=$1
  mkdir -p "$copy"
  cp -R "$root_dir"/{Cargo.toml,Cargo.lock,rust} "$copy/"
  (cd "$copy" && cargo cyclonedx --quiet --format json --target all --manifest-path rust/extension/Cargo.toml --override-filename sbom) ||
    die "the list of what the libraries are made of could not be written."
  sed "s|$copy|.|g" "$copy/rust/extension/sbom.json" >"$release/$name.cdx.json"
}

only_one_run
if $build; then check_platforms; else find_parts; fi
if $build; then build_parts; fi
if ! $assemble; then
  say "built: ${platforms[*]}, in $parts"
  exit 0
fi

need zip zip
use_cyclonedx || die "cargo-cyclonedx could not be installed."
make_scratch
mkdir -p "$scratch/addon/addons/rust_websocket" "$scratch/symbols"
rm -f "$release"/*.zip "$release"/*.json "$release/SHA256SUMS"
say "packing ${platforms[*]}"
stage "$scratch/addon/addons/rust_websocket"
for platform in "${platforms[@]}"; do cp -R "$parts/$platform/symbols" "$scratch/symbols/$platform"; done
pack "$scratch/addon" "$release/$name.zip"
pack "$scratch/symbols" "$release/$name-symbols.zip"
write_sbom "$scratch/sbom"
(cd "$release" && sha256sum "$name.zip" "$name-symbols.zip" "$name.cdx.json" >SHA256SUMS)
if ((${#missing[@]})); then say "INCOMPLETE: ${missing[*]} is not in it"; fi
say "$release/$name.zip holds ${platforms[*]}"
