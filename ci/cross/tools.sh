# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is for those who source this
# Compilers, linkers and foreign systems for other platforms than this machine's, from package registries alone; sourced
# after ci/lib.sh:
#
#   . "$root_dir/ci/cross/tools.sh"
#
# Everything goes into a folder of its own under the user's cache folder; nothing on the system changes and no root is
# needed. Each tool is installed once, behind a lock, into a new folder that is moved into place when it is complete.

cross_dir=$cache_dir/cross
zig_version=0.17.1
zigbuild_version=0.24.1
cyclonedx_version=0.5.9

# Makes the folder $cross_dir/$1 with the function $2, called with an empty folder and the remaining arguments, unless
# it is there. Returns non-zero, with the last lines of the log on stderr, if that failed.
installed() {
  [[ -d $cross_dir/$1 ]] || with_lock "$cross_dir/$1.lock" install_tool "$@"
}

install_tool() {
  local name=$1 with=$2 folder=$cross_dir/$1
  shift 2
  [[ ! -d $folder ]] || return 0
  say "installing $name (once, into $cross_dir)"
  rm -rf "$folder.new"
  mkdir -p "$folder.new"
  # A shell of its own: in this one errexit is off where the caller looks at the result.
  # shellcheck disable=SC2016
  if bash -euo pipefail -c '. "$1/ci/lib.sh"; . "$1/ci/cross/tools.sh"; shift; "$@"' "$0" "$root_dir" "$with" "$folder.new" "$@" \
    >"$cross_dir/$name.log" 2>&1; then
    mv "$folder.new" "$folder"
  else
    tail -n 5 "$cross_dir/$name.log" >&2
    return 1
  fi
}

# Downloads packages of another Debian release and unpacks them: unpack_debs HOW SUITE ARCHITECTURE FOLDER PACKAGE...
# HOW is `alone` for these packages only, `deep` with all that they depend on.
unpack_debs() {
  local how=$1 suite=$2 architecture=$3 folder=$4 state mirror package
  shift 4
  mirror=$(debian_mirror) || { echo "no Debian mirror is set up under /etc/apt"; return 1; }
  state=$(mktemp -d -p "$cross_dir")
  mkdir -p "$state/lists/partial" "$state/archives/partial"
  echo "deb $mirror $suite main" >"$state/suite.list"
  local apt=(apt-get -q -o "Dir::Etc::SourceList=$state/suite.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$state/lists" -o "Dir::Cache=$state" -o Dir::State::status=/dev/null
    -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture" -o APT::Install-Recommends=0
    -o Debug::NoLocking=1 -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none -o Acquire::Retries=3
    -o "APT::Sandbox::User=$(id -un)")
  "${apt[@]}" update
  if [[ $how == deep ]]; then
    "${apt[@]}" -y --download-only install "$@"
  else
    (cd "$state/archives" && "${apt[@]}" download "$@")
  fi
  for package in "$state"/archives/*.deb; do dpkg -x "$package" "$folder"; done
  rm -rf "$state"
}

has_apt() { command -v apt-get >/dev/null && command -v dpkg >/dev/null && debian_mirror >/dev/null; }

# zig is a C compiler and linker for Linux of any glibc and for macOS; cargo-zigbuild lets cargo use it. Both from PyPI.
install_zig() { python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-deps --target "$1" "ziglang==$zig_version" "cargo-zigbuild==$zigbuild_version"; }
use_zig() {
  has_pip || { say "zig comes from PyPI: this needs python3 with pip."; return 1; }
  installed "zig-$zig_version" install_zig || return 1
  export CARGO_ZIGBUILD_ZIG_PATH=$cross_dir/zig-$zig_version/ziglang/zig PATH=$cross_dir/zig-$zig_version/bin:$PATH
}

# rustc as it is here, with the sources of its standard library beside it, so that `-Z build-std` can compile them for
# targets whose standard library is not installed: Debian packages those sources (rust-src).
install_rust() {
  local folder=$1 version=$2 sysroot part suite
  sysroot=$(rustc --print sysroot)
  for part in bin lib libexec; do
    if [[ -d $sysroot/$part ]]; then cp -al "$sysroot/$part" "$folder/" 2>/dev/null || cp -a "$sysroot/$part" "$folder/"; fi
  done
  # A newer revision of the package replaces the older one. A release that lacks this version is no fault.
  for suite in trixie-backports forky sid experimental; do
    [[ -d $folder/debian/usr/src ]] || unpack_debs alone "$suite" amd64 "$folder/debian" "rust-src=$version+*" || true
  done
  [[ -d $folder/debian/usr/src/rustc-$version/library ]] || { echo "Debian has no rust-src $version."; return 1; }
  mkdir -p "$folder/lib/rustlib/src"
  ln -sfn "../../../debian/usr/src/rustc-$version" "$folder/lib/rustlib/src/rust"
}

# Sets the arguments of cargo in $std that bring a standard library for target $1: none where it is installed.
std=()
use_std_of() {
  local target=$1 version
  std=()
  [[ ! -d $(rustc --print sysroot)/lib/rustlib/$target/lib ]] || return 0
  version=$(rustc --version | cut -d ' ' -f 2)
  has_apt || { say "the standard library for $target is missing: run 'rustup target add $target'."; return 1; }
  installed "rust-$version" install_rust "$version" || return 1
  std=(-Z "build-std=std,panic_unwind,panic_abort,test")
  # -Z is for nightly compilers only, unless this is set.
  export RUSTC_BOOTSTRAP=1 PATH=$cross_dir/rust-$version/bin:$PATH
  unset RUSTC RUSTDOC RUSTUP_TOOLCHAIN
}

# A program that comes with rustc and has no place on the PATH: rust-lld, rust-objcopy.
rust_tool() {
  local sysroot host
  sysroot=$(rustc --print sysroot) host=$(rustc -vV | sed -n 's/^host: //p')
  # rust-objcopy asks for LLVM, which lies beside the compiler.
  LD_LIBRARY_PATH=$sysroot/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$sysroot/lib/rustlib/$host/bin/$1" "${@:2}"
}

# What a linker and a C compiler want to know about macOS: the symbols of its system library, which zig has, for the
# processors that rustc's linker knows; and zig under the names of a C compiler and an archiver.
install_macos_sdk() {
  local folder=$1 zig=$cross_dir/zig-$zig_version/ziglang library target
  mkdir -p "$folder/usr/lib" "$folder/bin"
  sed -E ':all; N; $!b all; s/,[[:space:]]*arm64e\.x1-[a-z]+//g; s/arm64e-/arm64-/g' "$zig/lib/libc/darwin/libSystem.tbd" >"$folder/usr/lib/libSystem.tbd"
  # The real ones are other names of libSystem too, but for iconv's, of which Rust's library uses nothing.
  for library in c m iconv charset; do ln -s libSystem.tbd "$folder/usr/lib/lib$library.tbd"; done
  for target in aarch64 x86_64; do
    # The target is named here; cc names it in a way that zig does not know.
    cat >"$folder/bin/cc-$target" <<WRAPPER
#!/usr/bin/env bash
arguments=()
for argument; do
  case \$argument in --target=* | -mmacosx-version-min=* | -march=armv8-a*) ;; *) arguments+=("\$argument") ;; esac
done
exec "$zig/zig" cc -target $target-macos.11.0 "\${arguments[@]}"
WRAPPER
  done
  printf '#!/bin/sh\nexec "%s/zig" ar "$@"\n' "$zig" >"$folder/bin/ar"
  chmod +x "$folder"/bin/*
}

# mingw-w64: compiler, linker and system libraries for Windows.
install_mingw() {
  unpack_debs alone bookworm amd64 "$1" gcc-mingw-w64-base gcc-mingw-w64-x86-64-win32 gcc-mingw-w64-x86-64-win32-runtime \
    binutils-mingw-w64-x86-64 mingw-w64-common mingw-w64-x86-64-dev
  ln -s x86_64-w64-mingw32-gcc-win32 "$1/usr/bin/x86_64-w64-mingw32-gcc"
}
use_mingw() {
  ! command -v x86_64-w64-mingw32-gcc >/dev/null || return 0
  has_apt || { say "x86_64-w64-mingw32-gcc is missing: install mingw-w64."; return 1; }
  installed mingw install_mingw || return 1
  export PATH=$cross_dir/mingw/usr/bin:$PATH
}

# wine runs Windows programs. It needs no display here; of what it can load, these are the libraries that it will not do
# without.
install_wine() {
  local folder=$1
  unpack_debs alone bookworm amd64 "$folder" wine64 libwine libz-mingw-w64 libcapi20-3 libusb-1.0-0 libpcap0.8 ocl-icd-libopencl1
  # shellcheck disable=SC2016
  printf '#!/bin/sh\nexec "$(dirname "$0")/wineserver64" -p0 "$@"\n' >"$folder/usr/lib/wine/wineserver"
  chmod +x "$folder/usr/lib/wine/wineserver"
  cp --remove-destination "$folder/usr/x86_64-w64-mingw32/lib/zlib1.dll" "$folder/usr/lib/x86_64-linux-gnu/wine/x86_64-windows/"
}
# The folder that is wine's C: drive, with what Windows has and wine has not. Wine itself must be in place for it.
install_wine_drive() {
  local system=$1/drive_c/windows/system32
  use_mingw
  WINEPREFIX=$1 "$root_dir/ci/cross/wine.sh" wineboot -i || true # its last step wants zlib1.dll in that folder
  mkdir -p "$system"
  cp "$cross_dir/wine/usr/x86_64-w64-mingw32/lib/zlib1.dll" "$system/"
  x86_64-w64-mingw32-gcc -shared -O1 -o "$system/bcryptprimitives.dll" "$root_dir/ci/cross/bcryptprimitives.c" -ladvapi32
}
use_wine() {
  has_apt || { say "wine is unpacked from Debian's packages: this needs apt."; return 1; }
  use_mingw && installed wine install_wine && installed wine-drive install_wine_drive
}

# A part of Debian 11, whose glibc is 2.31, to load the Linux library in.
install_bullseye() { unpack_debs alone bullseye amd64 "$1" libc6; }

# cargo-cyclonedx writes what a library is made of in a standard form (SBOM).
install_cyclonedx() { cargo install --quiet --locked --debug --root "$1" "cargo-cyclonedx@$cyclonedx_version"; }
use_cyclonedx() {
  ! cargo cyclonedx --version >/dev/null 2>&1 || return 0
  installed "cyclonedx-$cyclonedx_version" install_cyclonedx || return 1
  export PATH=$cross_dir/cyclonedx-$cyclonedx_version/bin:$PATH
}

# Linux on arm64: the engine with all that it needs, and the emulator, which is one static program.
install_godot_arm64() { unpack_debs deep forky arm64 "$1" godot; }
install_qemu() { unpack_debs alone forky amd64 "$1" qemu-user; }
