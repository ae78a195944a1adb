#!/usr/bin/env bash
# Builds the release library for one platform, on a machine of any kind that can, and its symbols apart.
#
#   ci/cross/library.sh PLATFORM FOLDER   puts the library into FOLDER, what a debugger wants into FOLDER/symbols
#   ci/cross/library.sh --can PLATFORM    only installs what is needed; fails with one sentence where that is not to be had
#
# Platforms: linux-x86_64 and linux-arm64 (glibc 2.17, through zig), windows-x86_64 (mingw-w64), macos (both processors
# in one file; on a Mac with Apple's linker, elsewhere with rustc's own), android-arm64 and android-x86_64 (with the NDK that
# ANDROID_NDK_HOME names). The C compilers and sources that are missing come from package registries, see tools.sh.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$root_dir/ci/cross/tools.sh"

glibc=2.17
macos_minimum=11.0
android_minimum=24

platform=${1:-}
build=true
if [[ $platform == --can ]]; then build=false platform=${2:-}; fi
folder=${2:-}

# Each kind of standard library has a target folder of its own: what runs on this machine is compiled for both.
target_dir=${CARGO_TARGET_DIR:-$root_dir/target}/package
library=librust_websocket.so

# Runs cargo with $1 (build, rustc or zigbuild) for the target $2; what follows goes to the compiler for the library itself, above all
# to its linker. Paths of this machine stay out of the library, and so do differences between two machines.
compile() {
  local how=$1 target=$2 sysroot
  shift 2
  sysroot=$(rustc --print sysroot)
  local maps=("$root_dir=/rust-websocket" "$CARGO_TARGET_DIR=/target" "${CARGO_HOME:-$HOME/.cargo}=/cargo" "$sysroot/lib/rustlib/src/rust=/rust"
    "$(realpath "$sysroot/lib/rustlib/src/rust" 2>/dev/null || echo /rust)=/rust") map flags=${link_flags:-} c_flags_here=${c_flags:-} triple=${target%%.*}
  for map in "${maps[@]}"; do
    flags+=" --remap-path-prefix=$map"
    c_flags_here+=" -ffile-prefix-map=$map"
  done
  say "building for $platform ($target)"
  # Named by the target: where that is this machine's own, the C flags for "the target" are not looked at.
  (cd "$root_dir" && export "CFLAGS_${triple//-/_}=$c_flags_here" && RUSTFLAGS=$flags cargo "$how" ${std[@]+"${std[@]}"} --locked --profile dist --package rust_websocket --target "$target" "$@") ||
    die "the build for $platform failed: see cargo's lines above."
}

built() { echo "$CARGO_TARGET_DIR/${1%%.*}/dist/${2:-$library}"; }

# Moves what only a debugger wants from the library $1 into $folder/symbols/: $2 its name in the addon.
split_symbols() {
  local from=$1 name=$2
  shift 2
  mkdir -p "$folder/symbols"
  "${@:-objcopy_of_rust}" --only-keep-debug "$from" "$folder/symbols/$name.debug"
  "${@:-objcopy_of_rust}" --strip-all "$from" "$folder/$name"
  (cd "$folder/symbols" && "${@:-objcopy_of_rust}" --add-gnu-debuglink="$name.debug" "../$name")
}
objcopy_of_rust() { rust_tool rust-objcopy "$@"; }

use_linux() { use_zig && use_std_of "$1-unknown-linux-gnu"; }
build_linux() {
  # No panic goes through C, so its functions need no tables for unwinding.
  c_flags="-fno-asynchronous-unwind-tables -fno-unwind-tables"
  compile zigbuild "$1-unknown-linux-gnu.$glibc"
  split_symbols "$(built "$1-unknown-linux-gnu")" "$2"
}

use_windows() { use_mingw && use_std_of x86_64-pc-windows-gnu; }
build_windows() {
  library=rust_websocket.dll
  # The jitter entropy's functions would be exported beside the entry.
  export AWS_LC_SYS_NO_JITTER_ENTROPY=1
  compile build x86_64-pc-windows-gnu
  split_symbols "$(built x86_64-pc-windows-gnu)" "$library" objcopy_of_mingw
}
# rustc makes import libraries in folders with random names, after which their symbols are called. No debugger looks for these.
objcopy_of_mingw() { x86_64-w64-mingw32-objcopy --wildcard --strip-symbol='_head_*_imports_lib' --strip-symbol='*_imports_lib_iname' "$@"; }

use_macos() {
  local target
  for target in aarch64 x86_64; do use_std_of "$target-apple-darwin" || return 1; done
  [[ $(uname -s) == Darwin ]] || { use_zig && python3 -c '' && installed "macos-sdk-$zig_version" install_macos_sdk; }
}
build_macos() {
  local target slices=() last_link=()
  library=librust_websocket.dylib
  export MACOSX_DEPLOYMENT_TARGET=$macos_minimum
  link_flags="-Clink-arg=-Wl,-install_name,@rpath/$library"
  [[ $(uname -s) == Darwin ]] || cross_macos
  mkdir -p "$folder/symbols"
  for target in aarch64 x86_64; do
    compile rustc "$target-apple-darwin" ${last_link[@]+-- "${last_link[@]}"}
    # The signature's name is the file's.
    mkdir -p "$folder/$target"
    slices+=("$folder/$target/$library")
    # A debugger wants either what dsymutil collects or the library with its table of symbols.
    cp "$(built "$target-apple-darwin")" "$folder/symbols/$target.dylib"
    if [[ $(uname -s) == Darwin ]]; then
      # It warns of each C object, which lay in an archive that is gone and has no lines for a debugger.
      dsymutil -o "$folder/symbols/$library.$target.dSYM" "$folder/symbols/$target.dylib" 2>/dev/null
      rm "$folder/symbols/$target.dylib"
    fi
    objcopy_of_rust --strip-debug --discard-all "$(built "$target-apple-darwin")" "$folder/$target/$library"
  done
  if command -v lipo >/dev/null; then lipo -create "${slices[@]}" -output "$folder/$library"
  else python3 "$root_dir/ci/cross/macho.py" join "$folder/$library" "${slices[@]}"; fi
  rm -r "$folder/aarch64" "$folder/x86_64"
}

# C through zig, linking through rustc's own lld, which signs what it links as arm64 wants it (ad hoc). zig's linker does
# not know -exported_symbols_list: everything would be exported.
cross_macos() {
  local target
  export SDKROOT=$cross_dir/macos-sdk-$zig_version
  # Without the list of the objects in which a debugger, or dsymutil, finds lines: they lie in a folder with a random name, and
  # the library's identifier is computed from all that is in it.
  last_link=(-Clink-arg=-S)
  link_flags="-Clinker=rust-lld -Clinker-flavor=ld64.lld -Clink-arg=-install_name -Clink-arg=@rpath/$library -Clink-arg=-adhoc_codesign"
  # Its entropy from processor jitter has to be compiled without optimisation, with flags that zig refuses. The system's is
  # used all the same.
  export AWS_LC_SYS_NO_JITTER_ENTROPY=1
  for target in aarch64 x86_64; do
    export "CC_${target}_apple_darwin=$SDKROOT/bin/cc-$target" "AR_${target}_apple_darwin=$SDKROOT/bin/ar"
  done
}

use_android() {
  [[ -d ${ANDROID_NDK_HOME:-} ]] || { say "ANDROID_NDK_HOME does not name an NDK."; return 1; }
  use_std_of "$1-linux-android"
}
build_android() {
  local tools name=$1_linux_android
  tools=$(echo "$ANDROID_NDK_HOME"/toolchains/llvm/prebuilt/*/bin)
  export "CC_$name=$tools/$1-linux-android$android_minimum-clang" "AR_$name=$tools/llvm-ar" \
    "CARGO_TARGET_${name^^}_LINKER=$tools/$1-linux-android$android_minimum-clang"
  # Android 15 has pages of 16 KiB.
  link_flags="-Clink-arg=-Wl,-z,max-page-size=16384"
  compile build "$1-linux-android"
  split_symbols "$(built "$1-linux-android")" "$2" "$tools/llvm-objcopy"
}

command -v cargo >/dev/null || die "cargo is missing: install Rust from https://rustup.rs."
case $platform in
  linux-x86_64) what=(linux x86_64 librust_websocket.so) ;;
  linux-arm64) what=(linux aarch64 librust_websocket.arm64.so) ;;
  windows-x86_64) what=(windows) ;;
  macos) what=(macos) ;;
  android-arm64) what=(android aarch64 librust_websocket.android.arm64.so) ;;
  android-x86_64) what=(android x86_64 librust_websocket.android.x86_64.so) ;;
  *) die "unknown platform '$platform' (known: linux-x86_64, linux-arm64, windows-x86_64, macos, android-arm64, android-x86_64)." ;;
esac
cd "$root_dir"
"use_${what[0]}" "${what[@]:1}" || exit 1
$build || exit 0
[[ -n $folder ]] || die "a folder for the library is missing."
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if ((${#std[@]})); then target_dir+=-std; fi
export CARGO_TARGET_DIR=$target_dir
# For size aws-lc's C is compiled (Cargo.toml), but its assembler for newer processors and its tables stay in.
export AWS_LC_SYS_SMALL=0
"build_${what[0]}" "${what[@]:1}"
