#!/usr/bin/env bash
# Installs the Autobahn WebSocket test suite and prints the path of its program, wstest; progress goes to stderr.
#
# The suite runs on Python 2.7 only: an installed one is used (PY27, pyenv's, the one on the PATH), else Debian
# bullseye's packages are unpacked into the user's cache folder, beside the suite; nothing on the system changes.
# Needs python3 with pip. With a C compiler the suite gets its fast masking module; without it, it takes far longer.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

home=$cache_dir/autobahn
requirements=$root_dir/ci/autobahn/requirements.txt
python=$home/bin/python2.7
wstest=$home/bin/wstest

# Whether the program $1 is a Python 2.7 with what the suite needs of it.
is_usable() {
  [[ -n $1 ]] && "$1" -c 'import sys, ssl, zlib, ctypes; assert sys.version_info[:2] == (2, 7)' >/dev/null 2>&1
}

# Unpacks Python 2.7 and the libraries that newer Debians lack; the system's own libc serves it.
unpack_debian_python() {
  local scratch=$home/apt root=$home/python mirror package
  mirror=$(debian_mirror) || die "no Python 2.7 found, and no Debian mirror under /etc/apt to install it from: set PY27 to a Python 2.7."
  mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial" "$scratch/packages" "$root"
  echo "deb $mirror bullseye main" >"$scratch/bullseye.list"
  local apt=(apt-get -q -o "Dir::Etc::SourceList=$scratch/bullseye.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$scratch/lists" -o "Dir::Cache=$scratch/cache" -o Dir::State::status=/dev/null
    -o APT::Architecture=amd64 -o Debug::NoLocking=1 -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none
    -o Acquire::Retries=3 -o APT::Sandbox::User="$(id -un)")
  say "downloading Python 2.7 from Debian bullseye (once, into $home)"
  "${apt[@]}" update >"$scratch/log" 2>&1 || { tail -n 5 "$scratch/log" >&2; die "cannot read Debian's package list from the configured mirror."; }
  (cd "$scratch/packages" && "${apt[@]}" download python2.7-minimal libpython2.7-minimal libpython2.7-stdlib \
    libpython2.7-dev libssl1.1 libffi7 libnsl2) >>"$scratch/log" 2>&1 ||
    { tail -n 5 "$scratch/log" >&2; die "cannot download Python 2.7."; }
  for package in "$scratch"/packages/*.deb; do dpkg -x "$package" "$root"; done
  rm -rf "$scratch"
  cat >"$python" <<WRAPPER
#!/bin/sh
root="$root"
export PYTHONHOME="\$root/usr" CPATH="\$root/usr/include:\$root/usr/include/python2.7"
export LD_LIBRARY_PATH="\$root/usr/lib/x86_64-linux-gnu:\$root/lib/x86_64-linux-gnu"
exec "\$root/usr/bin/python2.7" "\$@"
WRAPPER
  chmod +x "$python"
}

find_python() {
  is_usable "$python" && return 0
  local candidate
  mkdir -p "$home/bin"
  rm -f "$python"
  for candidate in "${PY27:-}" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python2.7 /usr/bin/python2.7 "$(command -v python2.7 || true)"; do
    if is_usable "$candidate"; then
      printf '#!/bin/sh\nexec "%s" "$@"\n' "$candidate" >"$python"
      chmod +x "$python"
      return 0
    fi
  done
  unpack_debian_python
  is_usable "$python" || die "the unpacked Python 2.7 does not run: set PY27 to one that does."
}

# The last pip for Python 2, run from its wheel: pip $@
pip2() {
  PYTHONPATH=$pip_path PYTHONNOUSERSITE=1 PYTHONWARNINGS=ignore "$python" -m pip --no-python-version-warning \
    --disable-pip-version-check "$@" >>"$home/log" 2>&1
}

install_suite() {
  command -v python3 >/dev/null || die "python3 is missing: install it with pip."
  say "installing the suite (once, into $home)"
  rm -rf "${home:?}/boot" "${home:?}/site"
  python3 -m pip download -q --no-deps --python-version 27 --implementation py --abi none --platform any \
    --only-binary=:all: -d "$home/boot" pip==20.3.4 setuptools==44.0.0 wheel==0.37.1 >"$home/log" 2>&1 ||
    { tail -n 5 "$home/log" >&2; die "cannot download pip for Python 2."; }
  pip_path=$(echo "$home"/boot/pip-*.whl)
  pip2 install -q --no-deps --no-index --target "$home/boot/lib" "$home"/boot/*.whl || fail_install
  pip_path=$home/boot/lib
  pip2 install -q --no-deps --target "$home/site" -r "$requirements" || fail_install
  pip2 install -q --no-deps --target "$home/site" wsaccel==0.6.2 ||
    say "the masking module did not build (see $home/log): the suite will be slow"
  touch "$home/site/zope/__init__.py" # a namespace package, which a plain PYTHONPATH does not serve
  rm -rf "${home:?}/boot"
}

fail_install() { tail -n 5 "$home/log" >&2; die "the suite cannot be installed; the whole output is in $home/log."; }

install() {
  ! is_installed || return 0 # installed while this script waited
  find_python
  if ! cmp -s "$requirements" "$home/site/requirements.txt"; then
    install_suite
    cp "$requirements" "$home/site/requirements.txt"
  fi
  cat >"$wstest" <<WRAPPER
#!/bin/sh
export PYTHONPATH="$home/site" PYTHONWARNINGS=ignore
exec "$python" -u -c 'import sys; sys.argv[0] = "wstest"; from autobahntestsuite.wstest import run; sys.exit(run())' "\$@"
WRAPPER
  chmod +x "$wstest"
  "$wstest" --autobahnversion >&2 || die "the suite does not run; remove $home and try again."
}

# The program is written last: where it runs and the suite is the one that is asked for, there is nothing to do.
is_installed() { [[ -x $wstest ]] && cmp -s "$requirements" "$home/site/requirements.txt" && "$wstest" --autobahnversion >/dev/null 2>&1; }

is_installed || with_lock "$home/lock" install
echo "$wstest"
