# shellcheck shell=bash
# What can be seen of a release's library without loading it, for whatever platform it was built; sourced after ci/lib.sh:
#
#   . "$root_dir/ci/cross/look.sh"
#   check_library FILE

largest=$((6 * 1024 * 1024))
newest_glibc=2.17
entry=rust_websocket_init

# Succeeds if the lines $2 are those expected, $1; prints them otherwise.
same() { [[ $1 == "$2" ]] || { printf 'expected:\n%s\nfound:\n%s\n' "$1" "$2"; false; }; }

# What holds for each library: its size, its exports, what it needs, and that no path of the machine that built it is in it.
check_library() {
  local file=$1 library=${1##*/} size
  # On macOS there are two in one file, of which a machine loads one.
  case $library in
    *.dylib) size=$(python3 "$root_dir/ci/cross/macho.py" sizes "$file" | sort -n | tail -n 1) ;;
    *) size=$(stat -c %s "$file") ;;
  esac
  say "$library: $size bytes"
  check "$library is at most $largest bytes" test "$size" -le "$largest"
  check "$library holds no path of this machine" eval '! grep -aqF -e "$root_dir/" -e "$HOME/" "$file"'
  case $library in
    *.dll) check_dll "$file" ;;
    *.dylib) check_dylib "$file" ;;
    *) check_elf "$file" ;;
  esac
}

check_elf() {
  local file=$1 library=${1##*/} glibc
  check "$library exports its entry alone" same "$entry" \
    "$(readelf --dyn-syms -W "$file" | awk '$5 != "LOCAL" && $7 != "UND" && $8 != "" && $1 ~ /^[0-9]+:$/ { sub(/@.*/, "", $8); print $8 }')"
  check "$library has no path to look for others" eval '! readelf -d "$file" | grep -qE "R(UN)?PATH"'
  [[ $library != *android* ]] || return 0
  glibc=$(readelf -V -W "$file" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1)
  say "$library: needs $glibc"
  check "$library needs no glibc newer than $newest_glibc" same "GLIBC_$newest_glibc" "$(printf '%s\n' "GLIBC_$newest_glibc" "$glibc" | sort -V | tail -n 1)"
  check "$library needs glibc alone" same "" \
    "$(readelf -d "$file" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p' | grep -vE '^(lib(c|m|dl|rt|pthread)\.so\.[0-9]+|ld-linux-[a-z0-9_-]+\.so\.[0-9]+)$' || true)"
}

check_dll() {
  local file=$1 library=${1##*/} known='^(kernel32|ntdll|ws2_32|advapi32|bcrypt|bcryptprimitives|userenv|user32|msvcrt|api-ms-win-[a-z0-9-]+)\.dll$'
  check "$library exports its entry alone" same "$entry" "$(objdump -p "$file" | awk '/\[Ordinal\/Name Pointer\] Table/ { here = 1; next } here && /^\t\[/ { print $NF } here && NF == 0 { exit }')"
  check "$library needs only what every Windows has" same "" "$(objdump -p "$file" | sed -n 's/.*DLL Name: //p' | tr '[:upper:]' '[:lower:]' | grep -vE "$known" || true)"
}

check_dylib() {
  local file=$1 library=${1##*/} processor expected=
  # Sorted within each processor.
  for processor in arm64 x86_64; do
    expected+="exports _$entry
macos 11.0
name @rpath/$library
needs /usr/lib/libSystem.B.dylib
processor $processor
signature fits
"
  done
  check "$library is for both processors, signed, exports its entry and needs the system alone" same "${expected%$'\n'}" \
    "$(python3 "$root_dir/ci/cross/macho.py" show "$file" | awk '/^processor/ { n++ } { print n, $0 }' | LC_ALL=C sort | cut -d ' ' -f 2-)"
}
