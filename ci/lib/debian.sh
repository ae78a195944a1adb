# shellcheck shell=bash
# Packages of Debian "forky", used from a folder of their own: nothing on the system changes.

# Sets $apt to an apt-get that keeps its lists and archives in folder $1, and reads forky's package list there.
forky_apt() {
  local folder=$1 mirror
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || die "this needs apt-get and dpkg, as Debian has them."
  mirror=$(debian_mirror) || die "there is no Debian mirror under /etc/apt to download from."
  mkdir -p "$folder/lists/partial" "$folder/archives/archives/partial"
  printf 'deb %s forky main\ndeb-src %s forky main\n' "$mirror" "$mirror" >"$folder/forky.list"
  # A mirror may lag behind: its lists are then older than they say they may be.
  apt=(apt-get -q -o "Dir::Etc::SourceList=$folder/forky.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/archives" -o Dir::State::status=/dev/null
    -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Install-Recommends=0 -o Debug::NoLocking=1
    -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none -o Acquire::Retries=3
    -o APT::Sandbox::User="$(id -un)")
  logged "$folder/apt.log" "Debian's package list cannot be read from the configured mirror" "${apt[@]}" update
}

# Downloads Debian's packages named in $2... with all their dependencies, and unpacks them into folder $1/root, which may be
# in use: each file is moved into its place in one step.
unpack_forky() {
  local folder=$1 package new=$1/new
  shift
  forky_apt "$folder"
  logged "$folder/apt.log" "Debian's package(s) $* cannot be downloaded" "${apt[@]}" -y --download-only install "$@"
  say "unpacking"
  rm -rf "$new"
  for package in "$folder"/archives/archives/*.deb; do dpkg -x "$package" "$new"; done
  (cd "$new" && find . -type d -exec mkdir -p "$folder/root/{}" \; && find . ! -type d -exec mv -fT "{}" "$folder/root/{}" \;)
  rm -rf "$new" "$folder/archives" "$folder/lists"
}

# Runs a command with its output in the log $1; if it fails, shows the log's end and stops with the sentence $2.
logged() {
  local log=$1 sentence=$2
  shift 2
  "$@" >>"$log" 2>&1 || { tail -n 5 "$log" >&2; die "$sentence; the whole output is in $log."; }
}
