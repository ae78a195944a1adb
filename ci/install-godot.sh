#!/usr/bin/env bash
# Finds or installs a Godot engine and prints the path of its executable; progress goes to stderr.
#
#   ci/install-godot.sh             the engine (4.3 or newer)
#   ci/install-godot.sh --template  the export template of the same version (release build)
#
# In this order: $GODOT, then `godot` or `godot4` on the PATH, then Debian's package. The package comes from
# Debian "forky", unpacked with the libraries it needs into a folder of its own under the user's cache
# folder: nothing on the system changes, no root needed, about 150 MB once.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

minimum_minor=3
cache=$cache_dir/godot
root=$cache/root
want=engine
case ${1:-} in
  "") ;;
  --template) want=template ;;
  *) die "unknown option '$1' (known: --template)" ;;
esac

# "4.6.3.stable.debian..." -> succeeds for 4.$minimum_minor and newer
is_new_enough() {
  local major minor
  IFS=. read -r major minor _ <<<"$1"
  [[ $major =~ ^[0-9]+$ && $minor =~ ^[0-9]+$ ]] || return 1
  ((major > 4 || (major == 4 && minor >= minimum_minor)))
}

version_of() { timeout "${START_TIMEOUT:-60}" "$1" --headless --version 2>/dev/null | tail -n 1; }

own_engine() {
  local candidate version
  if [[ -n ${GODOT:-} ]]; then
    candidate=$(command -v "$GODOT") || die "GODOT is set to '$GODOT', which is not an executable file."
    version=$(version_of "$candidate") || true # empty then, which the next line refuses
    is_new_enough "$version" || die "GODOT is set to '$GODOT', which says its version is '$version': 4.$minimum_minor or newer is needed."
    echo "$candidate"
    return 0
  fi
  for candidate in godot godot4; do
    candidate=$(command -v "$candidate") || continue
    version=$(version_of "$candidate") || continue
    if is_new_enough "$version"; then echo "$candidate"; return 0; fi
    say "ignoring $candidate: version '$version', 4.$minimum_minor or newer is needed"
  done
  return 1
}

# Downloads and unpacks Debian's packages named in $@ with all their dependencies.
unpack_debian() {
  command -v apt-get >/dev/null && debian_mirror >/dev/null ||
    die "no Godot 4.$minimum_minor or newer found, and this is no Debian to install it from: set GODOT to a Godot executable."
  say "downloading $* from Debian forky (once, into $cache)"
  unpack_forky "$cache" "$@"
}

# A program of forky needs forky's own loader and libraries: $1 its path in the prefix, $2 the script to write.
write_wrapper() {
  local lib=$root/usr/lib/x86_64-linux-gnu
  cat >"$2.$$" <<WRAPPER
#!/bin/sh
exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib:$lib/pulseaudio:$lib/blas:$lib/lapack" "$1" "\$@"
WRAPPER
  chmod +x "$2.$$"
  mv -f "$2.$$" "$2"
}

# The wrapper is written last: where it is, everything else is.
debian_engine() {
  [[ -x $cache/godot ]] || with_lock "$cache/lock" unpack_engine
  echo "$cache/godot"
}

unpack_engine() {
  local wrapper=$cache/godot version
  [[ ! -x $wrapper ]] || return 0 # unpacked while this script waited
  [[ $(uname -m) == x86_64 ]] || die "no Godot found, and Debian's package is unpacked on x86_64 only: install Godot and set GODOT to its executable."
  unpack_debian godot
  write_wrapper "$root/usr/bin/godot" "$wrapper.new"
  version=$(version_of "$wrapper.new") || true # empty then, which the next line refuses
  is_new_enough "$version" || die "the unpacked engine does not run (it says its version is '$version'); remove $cache and try again."
  mv "$wrapper.new" "$wrapper"
  say "Godot $version is ready"
}

# The template must be of the engine's own version, so it comes from the same Debian release.
debian_template() {
  [[ $(uname -m) == x86_64 ]] || die "the export template is unpacked from Debian's package, which is used on x86_64 only."
  [[ -x $cache/godot-template-release ]] || with_lock "$cache/lock" unpack_template
  find_template
}

find_template() { find "$root/usr/bin" -name 'godot*template*release*' 2>/dev/null | head -n 1; }

unpack_template() {
  local template
  [[ ! -x $cache/godot-template-release ]] || return 0 # unpacked while this script waited
  unpack_debian godot-template-release
  template=$(find_template)
  [[ -n $template ]] || die "Debian's package godot-template-release holds no template."
  write_wrapper "$template" "$cache/godot-template-release"
}

if [[ $want == engine ]]; then own_engine || debian_engine; else debian_template; fi
