# shellcheck shell=bash
# Tools that tests need and that may not be there.

# Whether the programs named are there, or root could install them.
obtainable() {
  local program
  PATH=$PATH:/usr/sbin
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then return 0; fi
  for program in "$@"; do command -v "$program" >/dev/null || return 1; done
}

# Says that $1 is not run, for want of $2, unless the command that follows finds it. In CI (CI=true) that counts as a
# failure.
lacks() {
  local what=$1 need=$2
  shift 2
  if "$@"; then return 1; fi
  say "NOT RUN: $what, this needs $need"
  [[ ${CI:-} != true ]] || failed=$((failed + 1))
}

has_pip() { python3 -m pip --version >/dev/null 2>&1; }
has_npm() { command -v node >/dev/null && command -v npm >/dev/null; }
has_pip_and_npm() { has_pip && has_npm; }

# Installs Debian's package $2 unless the program, or the file, $1 is there.
need() {
  PATH=$PATH:/usr/sbin
  ! is_there "$1" || return 0
  command -v apt-get >/dev/null || die "$1 is missing: install it and run this again."
  [[ $(id -u) == 0 ]] || die "$1 is missing: run 'sudo apt-get install $2' and this again."
  with_lock "$cache_dir/apt.lock" apt_install "$1" "$2"
}

is_there() { [[ $1 == /* && -e $1 ]] || command -v "$1" >/dev/null; }

apt_install() {
  local log
  ! is_there "$1" || return 0 # installed while this script waited
  say "installing $2"
  log=$(mktemp)
  # A mirror may lag behind: its lists are then older than they say they may be.
  { apt-get -q -o Acquire::Check-Valid-Until=false update &&
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install "$2"; } >"$log" 2>&1 ||
    { tail -n 3 "$log" >&2; rm -f "$log"; die "$2 could not be installed."; }
  rm -f "$log"
}

# Sets $site to a folder of the cache where pip has installed what the file $2 of this repository asks for, under name $1:
# `PYTHONPATH=$site python3`, or its programs in $site/bin.
pip_site() {
  site=$cache_dir/$1
  with_lock "$cache_dir/$1.lock" pip_install "$site" "$2"
}

pip_install() {
  local folder=$1 requirements=$2
  ! cmp -s "$requirements" "$folder/requirements.txt" || return 0
  say "installing $(grep -v '^#' "$requirements" | paste -sd ' ' -) (once, into $folder)"
  rm -rf "$folder"
  mkdir -p "$folder"
  python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$folder" -r "$requirements" >&2 ||
    die "pip cannot install what $requirements names."
  cp "$requirements" "$folder/requirements.txt"
}

# The Debian mirror that apt is set up for; other releases are there too.
debian_mirror() {
  local uri
  uri=$(sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\/debian\)\/*[[:space:]]*$/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
  [[ -n $uri ]] || uri=$(sed -nE 's/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+\/debian)\/?[[:space:]].*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
  [[ -n $uri ]] && echo "$uri"
}

# Sets $site to a folder of the cache where npm has installed the package $3 in the version that the file $2 of this
# repository asks for, under name $1: `NODE_PATH=$site node`.
npm_site() {
  site=$cache_dir/$1/node_modules
  with_lock "$cache_dir/$1.lock" npm_install "$cache_dir/$1" "$2" "$3"
}

npm_install() {
  local folder=$1 manifest=$2 package=$3
  ! cmp -s "$manifest" "$folder/package.json" || return 0
  say "installing $package (once, into $folder)"
  rm -rf "$folder"
  mkdir -p "$folder"
  npm install --silent --no-fund --no-audit --no-package-lock --prefix "$folder" \
    "$package@$(sed -n "s/.*\"$package\": \"\([^\"]*\)\".*/\1/p" "$manifest")" >&2 || die "npm cannot install $package."
  cp "$manifest" "$folder/package.json"
}
