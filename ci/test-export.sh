#!/usr/bin/env bash
# Exports a copy of the sample project for Linux and runs the result: the library lies beside the pack, and the exported
# program finds the class and connects.
#
#   ci/test-export.sh              needs the addon in godot-project/addons (ci/build.sh puts it there)
#   ci/test-export.sh --builtin    without the addon, with the engine's own class, to check the test itself
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

class=RustWebSocketPeer
[[ ${1:-} != --builtin ]] || class=WebSocketPeer
[[ $class == WebSocketPeer || -f $addon/librust_websocket.so ]] || die "the addon is not built: run ci/build.sh first."

find_godot
template=$("$root_dir/ci/install-godot.sh" --template)
make_scratch
copy=$scratch/project
out=$scratch/out
mkdir "$out"

# Everything but the cache; the template's path is this machine's, so it is written into the copy only.
mkdir "$copy"
tar -C "$project" --exclude=.godot -cf - . | tar -C "$copy" -xf -
[[ $class != WebSocketPeer ]] || rm -rf "$copy/addons"
sed -i "s|^custom_template/release=.*|custom_template/release=\"$template\"|" "$copy/export_presets.cfg"
sed -i 's|^run/main_scene=.*|run/main_scene="res://tests/export/check.tscn"|' "$copy/project.godot"

prepare_project "$copy"
say "exporting"
timeout 180 "$GODOT" --headless --path "$copy" --export-release Linux "$out/sample.x86_64" >"$scratch/export.log" 2>&1 ||
  { tail -n 30 "$scratch/export.log" >&2; die "the project could not be exported."; }
[[ -f $out/sample.x86_64 && -f $out/sample.pck ]] || { tail -n 30 "$scratch/export.log" >&2; die "the export is not complete."; }
[[ $class == WebSocketPeer || -f $out/librust_websocket.so ]] || die "the library does not lie beside the exported pack."

SSLKEYLOGFILE=$scratch/keys run_exported "$out" sample "class=$class" >"$scratch/run.log" 2>&1 || { cat "$scratch/run.log" >&2; die "the exported program failed."; }
grep -qx "EXPORT CHECK: from an exported $class" "$scratch/run.log" || { cat "$scratch/run.log" >&2; die "the exported program did not connect."; }
! grep -q 'ERROR' "$scratch/run.log" || { cat "$scratch/run.log" >&2; die "the exported program printed errors."; }
[[ ! -e $scratch/keys ]] && ! grep -q SSLKEYLOGFILE "$scratch/run.log" || die "a release build of the engine writes the keys of TLS down."
say "passed: the exported program uses $class"
echo "1 passed, 0 failed"
