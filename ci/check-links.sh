#!/usr/bin/env bash
# Checks the links of the project's own pages: files that are named have to exist, and so have the headings behind a #.
# Addresses of other sites are not asked. The last line is "N passed, N failed", N being links.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

passed=0 failed=0

# The links of page $1 as "LINE TARGET"; code blocks do not count.
links_of() {
  awk '
    /^ *```/ { code = !code; next }
    code { next }
    { gsub(/`[^`]*`/, "")
      while (match($0, /\]\([^)]*\)/)) {
        print FNR, substr($0, RSTART + 2, RLENGTH - 3)
        $0 = substr($0, RSTART + RLENGTH)
      } }' "$1"
}

# The headings of page $1 as the part of an address that leads to them.
anchors_of() {
  awk '/^ *```/ { code = !code } !code && /^#+ /' "$1" |
    sed -E 's/^#+ +//; s/`//g' | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'
}

check_link() { # $1 the page, $2 the line, $3 the target
  local file=${3%%#*} anchor="" path
  case $3 in
    *://* | mailto:*) return 0 ;;
    *#*) anchor=${3#*#} ;;
  esac
  path=$1
  [[ -z $file ]] || path=$(dirname "$1")/$file
  if [[ ! -e $path ]]; then
    echo "FAIL $1:$2: there is no $file"
  elif [[ -n $anchor ]] && ! anchors_of "$path" | grep -qxF -- "$anchor"; then
    echo "FAIL $1:$2: $path has no heading #$anchor"
  else
    passed=$((passed + 1))
    return 0
  fi
  failed=$((failed + 1))
}

while read -r page; do
  while read -r line target; do check_link "$page" "$line" "$target"; done < <(links_of "$page")
done < <(git ls-files --cached --others --exclude-standard '*.md')
echo "$passed passed, $failed failed"
((passed > 0 && failed == 0))
