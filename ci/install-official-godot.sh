#!/usr/bin/env bash
# Downloads an official build of Godot with GitHub's command line tool (gh) and prints the path of its executable:
#
#   ci/install-official-godot.sh 4.3-stable   this version
#   ci/install-official-godot.sh newest       the newest stable one
#
# For the workflows, on all three systems. On a Debian machine ci/install-godot.sh needs no GitHub.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=${1:?"a version is missing, for instance 4.3-stable"}
if [[ $version == newest ]]; then version=$(gh release view --repo godotengine/godot --json tagName --jq .tagName) || die "GitHub does not say which version is the newest."; fi
case $(uname -s)-$(uname -m) in
  Linux-x86_64) what=linux.x86_64.zip program=Godot_v${version}_linux.x86_64 ;;
  Linux-aarch64) what=linux.arm64.zip program=Godot_v${version}_linux.arm64 ;;
  Darwin-*) what=macos.universal.zip program=Godot.app/Contents/MacOS/Godot ;;
  MINGW* | MSYS*) what=win64.exe.zip program=Godot_v${version}_win64_console.exe ;;
  *) die "there is no official build for $(uname -s) on $(uname -m)." ;;
esac
folder=$cache_dir/official-godot/$version
if [[ ! -e $folder/$program ]]; then
  say "downloading Godot $version"
  mkdir -p "$folder"
  gh release download "$version" --repo godotengine/godot --pattern "Godot_v${version}_$what" --dir "$folder" --clobber || die "Godot $version could not be downloaded."
  (cd "$folder" && unzip -q -o "Godot_v${version}_$what")
fi
chmod +x "$folder/$program"
echo "$folder/$program"
