#!/usr/bin/env bash
# The engine suite on Linux arm64: Debian's arm64 Godot under qemu, with the library of build/release/ (or of the folder
# that is named). About 200 MB of packages once; an emulated engine is some ten times slower.
#
#   ci/test-arm64.sh [FILTER]                   our classes; FILTER: parts of case names, separated by commas
#   ci/test-arm64.sh --library FOLDER [FILTER]  with FOLDER/librust_websocket.arm64.so
#
# On an arm64 machine ci/test-engine.sh does the same without emulation. Ends with "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$root_dir/ci/cross/tools.sh"

folder=$root_dir/build/release/parts/linux-arm64
if [[ ${1:-} == --library ]]; then folder=${2:?"--library needs a folder"}; shift 2; fi
filter=${1:-}
library=$folder/librust_websocket.arm64.so
[[ -f $library ]] || die "there is no $library: run ci/package.sh --build-only linux-arm64 first."

has_apt || die "the arm64 engine is unpacked from Debian's packages: this needs apt."
installed godot-arm64 install_godot_arm64 || die "the arm64 engine could not be installed."
installed qemu install_qemu || die "qemu could not be installed."
GODOT=$root_dir/ci/cross/godot-arm64.sh
# Everything takes ten times as long.
export GODOT SUITE_PATIENCE=${SUITE_PATIENCE:-8} START_TIMEOUT=${START_TIMEOUT:-600} SUITE_TIMEOUT=${SUITE_TIMEOUT:-7200} IMPORT_TIMEOUT=${IMPORT_TIMEOUT:-1800}

make_scratch
copy=$scratch/project
mkdir "$copy"
tar -C "$root_dir" --exclude=.godot --exclude=./godot-project/addons -cf - ./ci ./godot-project | tar -C "$copy" -xf -
mkdir -p "$copy/godot-project/addons/rust_websocket"
cp -R "$root_dir/addon/." "$library" "$copy/godot-project/addons/rust_websocket/"
build_slow_link
# The logs stay where those of the other suites are.
status=0
"$copy/ci/test-engine.sh" --no-build --ours ${filter:+"$filter"} || status=$?
mkdir -p "$root_dir/build/test-arm64"
cp "$copy"/build/test-engine/*.log "$root_dir/build/test-arm64/" 2>/dev/null || true
exit "$status"
