#!/usr/bin/env bash
# What can be tested of the Windows library without an engine: the Rust tests of all crates, that they compile without a
# warning, that the library loads, and, of a release's, its size, exports and what it needs. On Linux through mingw-w64
# and wine, which are installed into the user's cache folder; on Windows as it is.
#
#   ci/test-windows.sh                       all of it; the library of build/release/ if there is one, or a debug build
#   ci/test-windows.sh --quick               the tests of the protocol and of the library's own crate, and the library
#   ci/test-windows.sh [...] -- ARGUMENTS    what follows goes to the tests: a part of a name, --test-threads=1
#
# Ends with "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$root_dir/ci/cross/tools.sh"
. "$root_dir/ci/cross/look.sh"

target=x86_64-pc-windows-gnu
library=$root_dir/build/release/parts/windows-x86_64/rust_websocket.dll
packages=() quick=false

while (($#)); do
  case $1 in
    --quick) quick=true ;;
    --) shift; break ;;
    *) die "unknown option '$1' (known: --quick, --)." ;;
  esac
  shift
done
for package in rust-websocket-proto rust-websocket-net rust-websocket-peers rust-websocket-rename rust_websocket; do
  if $quick && [[ $package != rust-websocket-proto && $package != rust_websocket ]]; then continue; fi
  packages+=(--package "$package")
done

case $(uname -s) in
  MINGW* | MSYS* | CYGWIN*) runner=() ;;
  *) runner=("$root_dir/ci/cross/wine.sh"); use_wine || die "Windows programs cannot be run here: see the line above." ;;
esac
cd "$root_dir"
use_std_of "$target" || die "nothing can be built for Windows here: see the line above."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root_dir/target}/windows CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0
if ((${#runner[@]})); then export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=${runner[0]}; fi
# Built once and run once: quick to build is what matters, but for what the tests do a million times.
cargo=(cargo ${std[@]+"${std[@]}"} --config 'profile.dev.package."*".opt-level=0' --config profile.dev.package.zlib-rs.opt-level=2
  --config profile.dev.package.rust-websocket-proto.opt-level=1 --locked)
make_scratch
log=$scratch/log

say "tests: ${packages[*]//--package/}"
status=0
"${cargo[@]}" test --target "$target" --no-fail-fast --lib --tests "${packages[@]}" -- "$@" 2>&1 | tee "$log" || status=$?
# A test program that wine cannot start prints nothing, so what ran is counted.
# shellcheck disable=SC2034 # finish reads them
read -r passed failed programs results < <(awk '/^ +Running / { programs++ } /^test result: / { results++; p += $4; f += $6 } END { print p + 0, f + 0, programs + 0, results + 0 }' "$log")
((programs > 0 && programs == results)) || fail "$results of $programs test programs came to an end"
((status == 0 || failed > 0)) || fail "the tests could not be built"
check "they compile without a warning" eval '! grep -A 4 "^warning" "$log"'

if [[ -f $library ]]; then check_library "$library"; else
  say "building a library to load"
  "${cargo[@]}" build --target "$target" --package rust_websocket
  library=$CARGO_TARGET_DIR/$target/debug/rust_websocket.dll
fi
x86_64-w64-mingw32-gcc -O1 -o "$CARGO_TARGET_DIR/load.exe" ci/cross/load.c
said=$("${runner[@]}" "$CARGO_TARGET_DIR/load.exe" "$library" 2>&1) || said=${said:-wine could not start the program}
check "${library#"$root_dir/"} loads: ${said%$'\r'}" test "${said%$'\r'}" = loaded
finish
