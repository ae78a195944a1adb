# shellcheck shell=bash
# Steps that the scripts in this folder share; sourced, not run:
#
#   . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Prints one line of progress, under the name of the running script, to stderr.
say() { echo "$(basename "$0" .sh): $*" >&2; }

# Prints one sentence and ends the script with an error.
die() { say "$*"; exit 1; }

# Sets GODOT to an engine's executable, installing one if there is none.
find_godot() {
  GODOT=$("$root_dir/ci/install-godot.sh") || die "no usable Godot: see the line above."
  export GODOT
}

# Whether the programs named are there, or root could install them.
obtainable() {
  local program
  PATH=$PATH:/usr/sbin
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then return 0; fi
  for program in "$@"; do command -v "$program" >/dev/null || return 1; done
}

# Says that $1 is not run, for want of $2, unless the command that follows finds it. In CI (CI=true) that counts as a
# failure, in the caller's $failed.
lacks() {
  local what=$1 need=$2
  shift 2
  if "$@"; then return 1; fi
  say "NOT RUN: $what, this needs $need"
  [[ ${CI:-} != true ]] || failed=$((failed + 1))
}

# Installs Debian's package $2 unless the program $1 is there.
need() {
  local log
  PATH=$PATH:/usr/sbin
  ! command -v "$1" >/dev/null || return 0
  command -v apt-get >/dev/null || die "$1 is missing: install it and run this again."
  [[ $(id -u) == 0 ]] || die "$1 is missing: run 'sudo apt-get install $2' and this again."
  say "installing $2"
  log=$(mktemp)
  # A mirror may lag behind: its lists are then older than they say they may be.
  { apt-get -q -o Acquire::Check-Valid-Until=false update &&
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$2"; } >"$log" 2>&1 ||
    { tail -n 3 "$log" >&2; rm -f "$log"; die "$2 could not be installed."; }
  rm -f "$log"
}

# Makes the project in folder $1 ready to run: $GODOT then finds its global classes and, if the addon is
# there, its extension. Does nothing when it has done so since the project last changed.
prepare_project() {
  local project=$1 cache=$1/.godot log
  local manifest=addons/rust_websocket/rust_websocket.gdextension list=$1/.godot/extension_list.cfg
  [[ -f $project/project.godot ]] || die "$project is no Godot project."
  mkdir -p "$cache" || die "cannot write into $project."
  # Without this list the first run does not know the extension, and the first import crashes when it ends.
  if [[ -f $project/$manifest ]]; then
    if ! grep -qxF "res://$manifest" "$list" 2>/dev/null; then
      echo "res://$manifest" >>"$list"
      rm -f "$cache/prepared"
    fi
  else
    rm -f "$list"
  fi
  if [[ -f $cache/prepared && -z $(find "$project" -name .godot -prune -o -newer "$cache/prepared" \
    \( -type d -o -name '*.gd' -o -name '*.tscn' -o -name 'project.godot' -o -name '*.gdextension' \) -print) ]]; then
    return 0
  fi
  say "importing ${project#"$root_dir/"}"
  log=$cache/import.log
  timeout 180 "$GODOT" --headless --path "$project" --import >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    die "Godot could not import the project; the whole output is in $log."
  }
  if grep -A 1 'SCRIPT ERROR' "$log" >&2; then die "a script of the project has an error."; fi
  touch "$cache/prepared"
}

# The Debian mirror that apt is set up for; other releases are there too.
debian_mirror() {
  local uri
  uri=$(sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\/debian\)\/*[[:space:]]*$/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
  [[ -n $uri ]] || uri=$(sed -nE 's/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+\/debian)\/?[[:space:]].*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
  [[ -n $uri ]] && echo "$uri"
}
