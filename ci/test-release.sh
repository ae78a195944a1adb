#!/usr/bin/env bash
# A release as a user gets it: what ci/package.sh has put into build/release/, or the folder that is named.
#
#   ci/test-release.sh                  everything: its files, its libraries, and the Linux one in use: in an empty project,
#                                       under the whole engine suite, in a Debian 11
#   ci/test-release.sh --quick          the same with a few cases of the suite only
#   ci/test-release.sh --use-only       in use alone, on any system and in any engine (GODOT)
#   ci/test-release.sh [...] FOLDER     a release that lies elsewhere
#
# Libraries of other platforms are only looked at; ci/test-arm64.sh and ci/test-windows.sh run them. The suite is compared
# with the engine's own classes in the version for which the differences are written down, 4.6; in others it runs on
# ours alone. Ends with "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$root_dir/ci/cross/tools.sh"
. "$root_dir/ci/cross/look.sh"

compared=4.6
suite= # every case
look=true
release=$root_dir/build/release

while (($#)); do
  case $1 in
    --quick) suite=peer_basics,mp_packets ;;
    --use-only) look=false ;;
    -*) die "unknown option '$1' (known: --quick, --use-only)." ;;
    *) release=$1 ;;
  esac
  shift
done

manifest_files() { sed -nE '/^\[libraries\]/,$s/^[a-z][a-z0-9_.]* *= *"(.*)"$/\1/p' "$addon/rust_websocket.gdextension" | sort -u; }
library_files() { (cd "$addon" && find . -name '*.so' -o -name '*.dll' -o -name '*.dylib' | sed 's|^\./||' | sort); }

check_files() {
  local file library
  check "the checksums fit" eval '(cd "$release" && sha256sum --quiet -c SHA256SUMS)'
  check "everything lies under addons/rust_websocket" same addons/rust_websocket "$(unzip -Z1 "$zip" | cut -d / -f 1,2 | sort -u)"
  for file in LICENSE.txt THIRD-PARTY-LICENSES.txt README.md; do check "$file is there" test -s "$addon/$file"; done
  check "the manifest names the libraries that are there, and no other" same "$(library_files)" "$(manifest_files)"
  check "each platform has a debug and a release line" same "$(grep -c '^[a-z]*\.debug' "$addon/rust_websocket.gdextension")" \
    "$(grep -c '^[a-z]*\.release' "$addon/rust_websocket.gdextension")"
  check "the manifest asks for Godot 4.3" grep -q '^compatibility_minimum = "4.3"$' "$addon/rust_websocket.gdextension"
  check "the SBOM names the library and rustls" eval 'grep -q "\"name\": *\"rust_websocket\"" "$release"/*.cdx.json && grep -q "\"name\": *\"rustls\"" "$release"/*.cdx.json'
  for library in $(library_files); do check "the symbols of $library are kept, and fit" symbols_fit "$library"; done
}

# The symbols of the library $1 are in the archive beside the release. A library names its file and that file's checksum
# (.gnu_debuglink: the name, zeros up to a multiple of four bytes, the checksum), but for macOS, where a debugger goes by
# an identifier.
symbols_fit() {
  case $1 in *.dylib) symbols_of_macos_fit "$1"; return ;; esac
  unzip -p "$release"/*-symbols.zip "*/$1.debug" >"$scratch/symbols"
  python3 - "$addon/$1" "$scratch/symbols" <<'PYTHON'
import pathlib, struct, sys, zlib
library, symbols = map(pathlib.Path, sys.argv[1:])
name = library.name.encode() + b".debug\0"
link = name + bytes(-len(name) % 4) + struct.pack("<I", zlib.crc32(symbols.read_bytes()))
sys.exit(symbols.stat().st_size == 0 or link not in library.read_bytes())
PYTHON
}

# There are two libraries in one, with a file of symbols for each, alone or in a bundle.
symbols_of_macos_fit() {
  local files=()
  unzip -q -d "$scratch" "$release"/*-symbols.zip 'macos/*'
  mapfile -t files < <(find "$scratch/macos" -type f \( -name '*.dylib' -o -path '*/DWARF/*' \))
  same "$(python3 "$root_dir/ci/cross/macho.py" identifiers "$addon/$1")" "$(python3 "$root_dir/ci/cross/macho.py" identifiers "${files[@]}")"
}

# A checkout in which other machines have built the Linux library alone, as ci/package.sh sees it.
make_partial_checkout() {
  local part=$scratch/partial/build/release/parts/linux-x86_64
  mkdir -p "$part/symbols"
  tar -C "$root_dir" -cf - ./Cargo.toml ./ci | tar -C "$scratch/partial" -xf -
  # In a folder that is no repository the sources have no name.
  echo unknown >"$part/commit"
  touch "$part/librust_websocket.so"
}

# Succeeds if the command fails and says $1.
refused() { local said; ! said=$("${@:2}" 2>&1) && [[ $said == *"$1"* ]] || { echo "$said"; false; }; }

check_refusals() {
  local package=$scratch/partial/ci/package.sh
  make_partial_checkout
  check "a release that lacks a platform is refused" refused "linux-arm64 windows-x86_64 macos is not in" \
    env GIT_CEILING_DIRECTORIES="$scratch" "$package" --assemble
  echo another >"$scratch/partial/build/release/parts/linux-x86_64/commit"
  check "a part of other sources is refused" refused "was not built from this commit" \
    env GIT_CEILING_DIRECTORIES="$scratch" "$package" --assemble --incomplete
}

# A Debian 11 has glibc 2.31: its own loader runs a program that loads the library.
check_old_glibc() {
  local lib=$cross_dir/bullseye/lib/x86_64-linux-gnu
  has_debian_and_zig || { lacks "the library in a Debian 11" "apt, and python3 with pip" false; return 0; }
  "$CARGO_ZIGBUILD_ZIG_PATH" cc -target x86_64-linux-gnu.2.17 -O1 -o "$scratch/load" "$root_dir/ci/cross/load.c" -ldl
  check "a Debian 11 loads the library" same loaded \
    "$("$lib/ld-2.31.so" --library-path "$lib" "$scratch/load" "$addon/librust_websocket.so" 2>&1)"
}
has_debian_and_zig() { has_apt && use_zig && installed bullseye install_bullseye; }

# Prints the library for this machine.
own_library() {
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) echo librust_websocket.so ;;
    Linux-aarch64) echo librust_websocket.arm64.so ;;
    Darwin-*) echo librust_websocket.dylib ;;
    MINGW* | MSYS* | CYGWIN*) echo rust_websocket.dll ;;
  esac
}

# The project's own tests, in a copy of it whose addon is the release's.
use_in_a_copy() {
  local copy=$scratch/project runs=()
  mkdir "$copy"
  tar -C "$root_dir" --exclude=.godot --exclude=./godot-project/addons -cf - ./ci ./docs ./godot-project ./README.md | tar -C "$copy" -xf -
  mkdir "$copy/godot-project/addons"
  cp -r "$addon" "$copy/godot-project/addons/"
  [[ $("$GODOT" --headless --version | tail -n 1) == "$compared".* ]] || runs=(--ours)
  build_slow_link
  run_test "an empty project works with it" "$copy/ci/test-dropin.sh"
  run_test "the engine suite passes with it" "$copy/ci/test-engine.sh" --no-build ${runs[@]+"${runs[@]}"} ${suite:+"$suite"}
}

# Adds up what another test script counts; $1 says what it shows.
run_test() {
  local what=$1 log=$scratch/test.log
  shift
  if "$@" >"$log"; then add_totals "$log"; else
    fail "$what"
    cat "$log"
  fi
}

[[ -f $release/SHA256SUMS ]] || die "there is no release in $release: run ci/package.sh first."
release=$(cd "$release" && pwd)
for zip in "$release"/rust-websocket-*.zip; do [[ $zip == *-symbols.zip ]] || break; done
need unzip unzip
make_scratch
unzip -q "$zip" -d "$scratch"
addon=$scratch/addons/rust_websocket

if $look; then
  check_files
  check_refusals
  for library in $(library_files); do check_library "$addon/$library"; done
  [[ ! -f $addon/librust_websocket.so ]] || check_old_glibc
fi
if [[ -f $addon/$(own_library) ]]; then
  find_godot
  use_in_a_copy
else
  $look || die "the release has no library for this machine."
  say "NOT RUN: in use, the release has no library for this machine"
fi
finish
