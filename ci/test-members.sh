#!/usr/bin/env bash
# Compares every member of the addon's classes, as ClassDB shows it, with the engine's own classes, and checks that
# each member has its text in the class reference (rust/extension/doc_classes), and its place in the scripts that stand in
# for the classes in web exports (addon/web).
#
#   ci/test-members.sh
#   ci/test-members.sh --update-reference   writes new members into the class reference instead, without a text
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

reference=$root_dir/rust/extension/doc_classes

# Writes the class reference of the loaded addon into folder $1, keeping the texts that are there.
write_reference() {
  (cd "$project" && timeout 120 "$GODOT" --headless --path . --doctool "$1" --gdextension-docs) >"$scratch/log" 2>&1 ||
    { cat "$scratch/log" >&2; die "the engine did not write the class reference."; }
}

# The engine merges what it knows into what is there: a member that is missing, gone or changed makes a difference.
check_reference() {
  cp -r "$reference" "$scratch/"
  write_reference "$scratch"
  local problems=0
  if ! diff -r "$reference" "$scratch/doc_classes"; then
    echo "FAIL the class reference does not show the classes as they are (ci/test-members.sh --update-reference)"
    problems=$((problems + 1))
  fi
  if grep -n -B 1 -E '^\s*</(description|brief_description|member|constant)>$' "$reference"/*.xml |
    grep -E '<(description|brief_description|member [^>]*|constant [^>]*)>$'; then
    echo "FAIL these members have no text"
    problems=$((problems + 1))
  fi
  echo "$((2 - problems)) passed, $problems failed"
  ((problems == 0))
}

find_godot
ensure_addon
prepare_project "$project"
make_scratch

case ${1:-} in
  --update-reference)
    write_reference "$root_dir/rust/extension"
    say "$reference is up to date; give new members their text"
    exit 0
    ;;
  "") ;;
  *) die "unknown option '$1' (known: --update-reference)." ;;
esac

# The classes with a help page are those that scripts are meant to use.
classes=()
for page in "$reference"/*.xml; do classes+=("$(basename "$page" .xml)"); done
status=0
timeout 60 "$GODOT" --headless --path "$project" -s res://tests/classdb.gd || status=1
check_reference || status=1
timeout 60 "$GODOT" --headless --path "$project" -s res://tests/web/members.gd -- "${classes[@]}" || status=1
exit $status
