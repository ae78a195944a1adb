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
  for library in $(library_files); do
    check "the symbols of $library are kept" eval 'unzip -Z1 "$release"/*-symbols.zip | grep -q "$library"'
  done
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
