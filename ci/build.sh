#!/usr/bin/env bash
# Builds the library and puts the addon into the sample project: godot-project/addons/rust_websocket/.
#
#   ci/build.sh                   debug: quick to build, good for development
#   ci/build.sh --release         optimised and stripped, as packages hold it
#   ci/build.sh --builtin-names   registers the classes as WebSocketPeer and WebSocketMultiplayerPeer, for engines
#                                 compiled without the websocket module; can be combined with --release
#   ci/build.sh --into FOLDER     puts the addon's files into FOLDER instead
#
# Needs Rust 1.94 or newer and a C compiler. Progress goes to stderr.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

minimum_rust=1.94
profile=debug
destination=$root_dir/godot-project/addons/rust_websocket
arguments=(--locked --package rust_websocket)

while (($#)); do
  case $1 in
    --release) profile=release; arguments+=(--release) ;;
    --builtin-names)
      # A target folder of its own: the libraries of both kinds stay built.
      arguments+=(--features builtin-names --target-dir "$root_dir/target/builtin-names") ;;
    --into) [[ -n ${2:-} ]] || die "--into needs a folder."; destination=$2; shift ;;
    *) die "unknown option '$1' (known: --release, --builtin-names, --into FOLDER)." ;;
  esac
  shift
done

# Sets $target_dir, where cargo puts the build.
find_target_dir() {
  local index
  target_dir=${CARGO_TARGET_DIR:-$root_dir/target}
  for index in "${!arguments[@]}"; do
    [[ ${arguments[index]} != --target-dir ]] || target_dir=${arguments[index + 1]}
  done
}

check_tools() {
  local version major minor
  command -v cargo >/dev/null || die "cargo is missing: install Rust $minimum_rust or newer from https://rustup.rs."
  command -v "${CC:-cc}" >/dev/null || die "a C compiler is missing: install gcc or clang (Debian: apt install gcc), or set CC."
  version=$(cd "$root_dir" && rustc --version 2>/dev/null | cut -d ' ' -f 2) || die "rustc does not run: install Rust $minimum_rust or newer from https://rustup.rs."
  IFS=. read -r major minor _ <<<"$version"
  ((major > 1 || (major == 1 && minor >= ${minimum_rust#1.}))) ||
    die "Rust $version is too old: $minimum_rust or newer is needed (rustup update)."
}

# Prints the library's name as cargo calls it, and as the manifest does on this machine.
library_names() {
  local suffix=
  case $(uname -m) in aarch64 | arm64) suffix=.arm64 ;; esac
  case $(uname -s) in
    Linux) echo librust_websocket.so "librust_websocket$suffix.so" ;;
    Darwin) echo librust_websocket.dylib librust_websocket.dylib ;;
    MINGW* | MSYS* | CYGWIN*) echo rust_websocket.dll "rust_websocket$suffix.dll" ;;
    *) die "the manifest has no entry for $(uname -s)." ;;
  esac
}

# The dependencies of both kinds are the same: those that are built already are copied, not compiled again.
reuse_dependencies() {
  local from=${CARGO_TARGET_DIR:-$root_dir/target}/$profile to=$target_dir/$profile part
  if [[ -d $from/deps && ! -e $to ]]; then
    mkdir -p "$to"
    for part in deps build .fingerprint; do cp -a "$from/$part" "$to/"; done
  fi
}

check_tools
only_one_run
find_target_dir
reuse_dependencies
names=$(library_names) || exit 1
read -r built installed <<<"$names"
say "building ($profile)"
(cd "$root_dir" && cargo build "${arguments[@]}") || die "the build failed: see cargo's lines above."

# Each file is replaced in one step, and only when it differs: an engine that has the old one loaded keeps it, and a project
# that is prepared stays so.
mkdir -p "$destination"
install_file "$target_dir/$profile/$built" "$destination/$installed"
install_scripts_into "$destination"
install_file "$root_dir/LICENSE" "$destination/LICENSE.txt"
if [[ ! $destination/THIRD-PARTY-LICENSES.txt -nt $root_dir/Cargo.lock ]]; then
  licences=$destination/THIRD-PARTY-LICENSES.txt.new.$$
  "$root_dir/ci/third-party.sh" >"$licences"
  mv -f "$licences" "${licences%.new.*}"
fi
say "the addon is in $destination"
