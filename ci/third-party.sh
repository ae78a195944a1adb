#!/usr/bin/env bash
# Writes the licences of what the library contains to standard output: every crate that is compiled into it, with its
# licence and where its sources are, and the licence texts that come with it. ci/build.sh puts this beside the library.
#
#   ci/third-party.sh             what a library for this machine contains
#   ci/third-party.sh TARGET...   what libraries for these targets (as rustc names them) contain
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"

targets=()
for target; do targets+=(--target "$target"); done
packages=$(cargo tree --locked ${targets[@]+"${targets[@]}"} --package rust_websocket --edges normal,no-proc-macro --prefix none --format '{p}|{l}|{r}' |
  sed 's/ (\*)$//; s/ (proc-macro)//' | grep -v "($root_dir" | sort -u) || die "cargo cannot list the dependencies."
manifests=$(cargo metadata --locked --format-version 1 | grep -o '"manifest_path":"[^"]*"' | cut -d '"' -f 4)

# Prints the texts that should go with crate $1 version $2. Where a crate may be used under MIT, that text is enough.
texts_of() {
  local folder text found=()
  folder=$(dirname "$(grep -F "/$1-$2/Cargo.toml" <<<"$manifests" | head -n 1)")
  for text in "$folder"/LICENSE-MIT* "$folder"/LICENSE_MIT* "$folder"/license-mit*; do
    [[ ! -f $text ]] || found=("$text")
  done
  if ((${#found[@]} == 0)); then
    for text in "$folder"/LICEN[SC]E* "$folder"/COPYING* "$folder"/license*; do
      [[ ! -f $text ]] || found+=("$text")
    done
  fi
  ((${#found[@]} == 0)) || cat "${found[@]}"
}

echo "The library of Rust WebSocket for Godot contains the following crates, each under its own licence."
echo "Their unmodified sources are at the addresses given, and at https://crates.io under name and version."
while IFS='|' read -r package licence repository; do
  read -r name version <<<"$package"
  printf '\n%s\n%s %s\nLicence: %s\nSources: %s\n\n' "$(printf '=%.0s' {1..80})" "$name" "${version#v}" "$licence" "$repository"
  texts_of "$name" "${version#v}"
done <<<"$packages"

# What the compilers add.
heading() { printf '\n%s\n%s\nLicence: %s\n\n' "$(printf '=%.0s' {1..80})" "$1" "$2"; }
heading "The standard library of Rust" "MIT or Apache-2.0"
sed 's/^Copyright .*/Copyright (c) The Rust Project Contributors/' LICENSE
case " $* " in *linux-gnu*)
  heading "LLVM's libunwind and compiler-rt (Linux)" "Apache-2.0 WITH LLVM-exception"
  echo "Sources: https://llvm.org" ;;
esac
case " $* " in *windows-gnu*)
  heading "Start-up code of mingw-w64 (Windows)" "ZPL-2.1 and public domain"
  cat "$root_dir/ci/cross/mingw-w64-licence.txt"
  heading "GCC's libgcc (Windows)" "GPL-3.0-or-later WITH GCC-exception-3.1"
  echo "Sources: https://gcc.gnu.org" ;;
esac
