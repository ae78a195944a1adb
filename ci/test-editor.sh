#!/usr/bin/env bash
# Opens an editor with the addon, on a display of its own (Xvfb, OpenGL by the processor), and looks at what people see:
# it prints no error and no warning, the first time and later, in a dark and in a light theme; icons, Create New Node, help
# pages, completion and hover are there; Project > Tools changes the project's class names, and back.
#
#   ci/test-editor.sh               needs the addon in godot-project/addons (ci/build.sh puts it there)
#   ci/test-editor.sh --pictures    takes the pictures of docs/editor/ anew instead
#
# Logs stay in build/test-editor/. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

logs=$root_dir/build/test-editor

# A project of its own with the addon, and the plugin that looks.
make_project() {
  copy=$scratch/project
  mkdir -p "$copy/addons/look"
  cp -R "$addon" "$copy/addons/"
  cp "$project"/tests/editor/*.gd "$copy/addons/look/"
  printf '[plugin]\n\nname="Look"\ndescription=""\nauthor=""\nversion="1"\nscript="plugin.gd"\n' >"$copy/addons/look/plugin.cfg"
  printf 'extends Node\n' >"$copy/code.gd"
  printf 'config_version=5\n\n[application]\n\nconfig/name="Editor"\n\n[rendering]\n\nrenderer/rendering_method="gl_compatibility"\n' \
    >"$copy/project.godot"
}

# What the migration finds: a scene's script, line ends, what it warns of.
make_old_scripts() {
  mkdir -p "$copy/net"
  printf 'extends Node\n\nvar socket := WebSocketPeer.new()\nfunc f(x: Object) -> bool:\n\treturn x is WebSocketPeer\n' >"$copy/net/client.gd"
  printf 'extends WebSocketPeer\n' >"$copy/net/left.gd"
  printf 'extends Node\r\nvar peer: WebSocketMultiplayerPeer\r\n' >"$copy/net/crlf.gd"
  printf 'extends RefCounted\n\nfunc get_ready_state() -> int:\n\treturn 1\nfunc send_text(_text: String) -> int:\n\treturn 0\nfunc get_close_code() -> int:\n\treturn -1\n' \
    >"$copy/net/fake.gd"
  printf '[gd_scene load_steps=2 format=3]\n\n[sub_resource type="GDScript" id="1"]\nscript/source = "extends Node\nvar a := WebSocketPeer.new()\n"\n\n[node name="Level" type="Node"]\nscript = SubResource("1")\n' \
    >"$copy/net/level.tscn"
  printf 'class Bot { Godot.WebSocketPeer peer; }\n' >"$copy/Bot.cs"
}

enable_plugin() {
  printf '\n[editor_plugins]\n\nenabled=PackedStringArray("res://addons/look/plugin.cfg")\n' >>"$copy/project.godot"
}

# What an editor says without the addon too, on a display without a graphics card.
says_nothing() {
  local found
  found=$(complaints "$1" | grep -vE 'Could not set V-Sync mode|^[0-9]+:(FAIL|ok) ') || true
  [[ -z $found ]] || { head -n 20 <<<"$found"; return 1; }
}

# look NAME THEME [ARGUMENT...]
look() {
  local name=$1 home=$scratch/home log=$logs/$1.log code=0
  make_editor_home "$home" "$2"
  run_editor "$copy" "$home" "$log" -- "${@:3}" || code=$?
  add_oks "$log"
  count_failures "$(grep '^FAIL ' "$log" || true)"
  if ((code != 7)) || ! grep -qx 'EDITOR DONE' "$log"; then fail "$name: exit code $code instead of 7" "$log"; fi
  check "$name: prints no error and no warning" says_nothing "$log"
}

# Nothing is known of the project yet, not even that it has an extension; and nothing of the engine's own help, without which
# the engine forgets the help pages of extensions until its next start (EditorHelp::_gen_doc_thread).
open_for_the_first_time() {
  make_editor_home "$scratch/home" Default
  check "a project is opened for the first time" run_editor "$copy" "$scratch/home" "$logs/first.log" --quit-after 300
  check "the first time: prints no error and no warning" says_nothing "$logs/first.log"
  check "a project is opened again" run_editor "$copy" "$scratch/home" "$logs/again.log" --quit-after 300
  check "again: prints no error and no warning" says_nothing "$logs/again.log"
}

# The pictures in the documentation. A game runs in the project while those of the monitors are taken.
take_pictures() {
  mkdir -p "$root_dir/docs/editor"
  sed -i 's|^config/name=.*|config/name="My Game"|' "$copy/project.godot"
  printf '[gd_scene load_steps=2 format=3]\n\n[ext_resource type="Script" path="res://addons/look/traffic.gd" id="1"]\n\n[node name="Game" type="Node"]\nscript = ExtResource("1")\n' \
    >"$copy/addons/look/traffic.tscn"
  look pictures Default "pictures=$root_dir/docs/editor"
  check "they are small enough" all_are_small
}

all_are_small() { [[ -z $(find "$root_dir/docs/editor" -name '*.png' -size +150k) ]]; }

pictures=false
case ${1:-} in
  "") ;;
  --pictures) pictures=true ;;
  *) die "unknown option '$1' (known: --pictures)." ;;
esac
find_godot
ensure_addon
mkdir -p "$logs"
rm -f "$logs"/*.log
make_scratch
start_display 1600x1000 "$logs/display.log"
make_project
make_old_scripts
say "opening a project"
open_for_the_first_time
enable_plugin
if $pictures; then
  say "taking pictures"
  take_pictures
  finish
  exit
fi
say "looking at the editor"
look dark Default
# What is imported already keeps the colours of the theme that it was imported with.
rm -rf "$copy/.godot/imported" "$copy"/.godot/editor/filesystem_cache*
look light Light light
finish
