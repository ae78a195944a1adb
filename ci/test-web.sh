#!/usr/bin/env bash
# What a project that names the addon's classes becomes in a browser, as far as that shows without one: a pack exported
# for the web runs in the Linux release template, which has no library beside it, against native servers. Neither export
# nor game may complain, and nothing may be left behind, not even by an export that fails or by an editor that dies.
#
#   ci/test-web.sh                                needs the addon in godot-project/addons (ci/build.sh puts it there)
#   ci/test-web.sh --browser [--template FILE]    the same subjects as pages in a headless Chromium, with the export template
#                                                 FILE or one that ci/build-web-template.sh builds, which takes its time
#   ci/test-web.sh --picture [--template FILE]    takes the picture of docs/web.md anew instead
#
# Logs stay in build/test-web/. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

logs=$root_dir/build/test-web
browser=false picture=false template=()
while (($#)); do
  case $1 in
    --browser) browser=true ;;
    --picture) browser=true picture=true ;;
    --template) template=(--template "${2:-}") && shift ;;
    *) die "unknown option '$1' (known: --browser, --picture, --template FILE)." ;;
  esac
  shift
done
class=RustWebSocketPeer

# A copy of the sample project: demo, addon, and the subjects, which begin in a scene of their own.
make_project() {
  copy=$scratch/project
  mkdir -p "$copy/tests"
  cp -R "$project"/{addons,demo,project.godot} "$copy/"
  cp -R "$project/tests/web" "$copy/tests/"
  sed "s/WebSocketPeer/$class/g; s|^@export var websocket_url := .*|var websocket_url := OS.get_environment(\"WEB_URL\")|" \
    "$project/tests/dropin/client.gd" >"$copy/tests/web/subjects/dropin.gd"
  sed -i 's|^run/main_scene=.*|run/main_scene="res://tests/web/main.tscn"|' "$copy/project.godot"
  write_presets >"$copy/export_presets.cfg"
  prepare_project "$copy"
}

# Web, the same with the manifest left out by the user, and with the engine's switch for extensions.
write_presets() {
  local number=0 name exclude extensions
  while IFS='|' read -r name exclude extensions; do
    printf '[preset.%d]\n\nname="%s"\nplatform="Web"\nrunnable=true\nexport_filter="all_resources"\n' "$number" "$name"
    printf 'include_filter=""\nexclude_filter="%s"\nexport_path=""\nscript_export_mode=2\n\n' "$exclude"
    printf '[preset.%d.options]\n\nvariant/extensions_support=%s\nvariant/thread_support=false\n' "$number" "$extensions"
    printf 'custom_template/release="%s"\n\n' "${web_template:-}"
    number=$((number + 1))
  done <<'PRESETS'
Plain||false
Excluded|addons/rust_websocket/*.gdextension|false
Extensions||true
PRESETS
}

# What must be as it was: the project's files, and the editor's lists of extensions and classes.
fingerprint() {
  (cd "$copy" && find . -path ./.godot -prune -o -type f -exec md5sum {} + &&
    md5sum .godot/extension_list.cfg .godot/global_script_class_cache.cfg) | sort -k 2
}

is_as_before() { diff <(echo "$before") <(fingerprint); }
is_silent() {
  local found
  # Debian's release template says this of every container that is freed, whatever the game is.
  found=$(complaints "$1" | grep -v "Attempt to disconnect a nonexistent connection from .* callable: ''") || true
  [[ -z $found ]] || { head <<<"$found"; return 1; }
}
says() { grep -qE -- "$2" "$1" || { tail -n 15 "$1"; return 1; }; }

# export_pack PRESET LOG [PATH]: for the preset, into the program's pack.
export_pack() {
  timeout 180 "$GODOT" --headless --path "$copy" --export-pack "$1" "${3:-$out/game.pck}" >"$2" 2>&1
}

# The template, and the pack beside it under its name: without the library, which a browser has not either. Debian's
# template may need the loader that came with it.
make_program() {
  local template lib
  template=$("$root_dir/ci/install-godot.sh" --template)
  lib=$(dirname "$GODOT")/root/usr/lib/x86_64-linux-gnu
  out=$scratch/out
  mkdir "$out"
  cp "$template" "$out/game.x86_64"
  program=(./game.x86_64)
  if ! (cd "$out" && ./game.x86_64 --headless --version >/dev/null 2>&1); then
    cp "$lib/ld-linux-x86-64.so.2" "$out/game"
    program=(./game --library-path "$lib:$lib/pulseaudio:$lib/blas:$lib/lapack" ./game.x86_64)
  fi
}

# play SUBJECT LOG [ARGUMENT...]
play() {
  local subject=$1 log=$2
  shift 2
  (cd "$out" && WEB_SUBJECT=$subject WEB_URL=ws://127.0.0.1:$raw_port WEB_MULTIPLAYER_URL=ws://127.0.0.1:$multiplayer_port \
    WEB_DEAF_URL=ws://127.0.0.1:$deaf_port \
    timeout 60 "${program[@]}" --headless -- "$@") >"$log" 2>&1
}

start_native_server() {
  start "$logs/server.log" timeout 300 "$GODOT" --headless --path "$project" -s res://tests/web/server.gd
  wait_for_line "$logs/server.log" '^server: listening on ' 30 || die "the native server does not start."
  deaf_port=$(free_port)
  read -r raw_port multiplayer_port < <(sed -n 's/^server: listening on \([0-9]*\) and \([0-9]*\)$/\1 \2/p' "$logs/server.log")
}

check_preset() {
  local preset=$1 log=$logs/$1
  check "$preset: exports" export_pack "$preset" "$log-export.log"
  check "$preset: the export says nothing" is_silent "$log-export.log"
  check "$preset: nothing is left behind" is_as_before
  check "$preset: names, ends" play names "$log-names.log"
  check "$preset: names, is through" says "$log-names.log" '^WEB DONE$'
  check "$preset: names, everything holds" lacks_line "$log-names.log" '^WEB FAIL'
  check "$preset: names, says nothing else" is_silent "$log-names.log"
  check "$preset: the engine's example, ends" play dropin "$log-dropin.log"
  check "$preset: the engine's example, is greeted" says "$log-dropin.log" '^Packet: Hello from a RustWebSocketPeer\.$'
  check "$preset: the engine's example, closes" says "$log-dropin.log" '^WebSocket closed with code: 1000, reason: Good bye\.\. Clean: true$'
  check "$preset: the engine's example, says nothing else" is_silent "$log-dropin.log"
  check "$preset: the node's signals, ends" play suite "$log-suite.log"
  check "$preset: the node's signals, is through" says "$log-suite.log" '^WEB DONE$'
  check "$preset: the node's signals, come in order" lacks_line "$log-suite.log" '^WEB FAIL'
  check "$preset: the node's signals, says nothing else" is_silent "$log-suite.log"
  check "$preset: the node, ends" play node "$log-node.log"
  check "$preset: the node, comes back" says "$log-node.log" '^node: closed 4012 restarting true WebSocketPeer$'
  check "$preset: the node, closes" says "$log-node.log" '^node: closed 1000 Good bye\. true WebSocketPeer$'
  check "$preset: the node, says nothing else" is_silent "$log-node.log"
}

fails() { ! "$@"; }
lacks_line() { ! grep -E -- "$2" "$1"; }

# A native server of the demo for two players and a native bot on it; $1 is whom they play with, for $2 seconds. Sets $url.
start_demo_server() {
  local log=$logs/demo-server-$1.log
  start "$log" timeout 180 "$GODOT" --headless --path "$project" res://demo/server/server.tscn -- --players=2 "--seconds=$2"
  wait_for_line "$log" 'listening on ws://' 30 || die "the demo's server does not start."
  url=$(sed -n 's/.*listening on \(ws:[^ ]*\).*/\1/p' "$log")
  start "$logs/demo-native-$1.log" timeout 150 "$GODOT" --headless --path "$project" -- --bot "--url=$url" --name=Native
}

# A bot in the pack and a native one, on a native server.
check_demo() {
  local url
  start_demo_server pack 4
  check "demo: the bot in the pack ends well" play demo "$logs/demo-web.log" --bot "--url=$url" --name=Browser
  check "demo: it has played" says "$logs/demo-web.log" '^report: .*"chat_heard":\[[^]]'
  check "demo: it says nothing else" is_silent "$logs/demo-web.log"
  check "demo: the server lets it in" says "$logs/demo-server-pack.log" '^server: Browser joined$'
  check "demo: the server has no complaints" is_silent "$logs/demo-server-pack.log"
}

# Into a folder that does not exist.
check_failed_export() {
  check "an export into a folder that is not there fails" fails export_pack Plain "$logs/failed.log" "$scratch/nowhere/game.pck"
  check "a failed export leaves nothing behind" is_as_before
}

# An editor that is killed in the middle; the next one has everything again.
check_killed_editor() {
  local plugin=$copy/addons/sleeper settings=$copy/project.godot
  cp "$settings" "$scratch/settings"
  mkdir "$plugin"
  printf '[plugin]\n\nname="Sleeper"\ndescription=""\nauthor=""\nversion="1"\nscript="plugin.gd"\n' >"$plugin/plugin.cfg"
  cp "$project/tests/web/sleeper_plugin.gd" "$plugin/plugin.gd"
  printf '\n[editor_plugins]\n\nenabled=PackedStringArray("res://addons/sleeper/plugin.cfg")\n' >>"$settings"
  start "$logs/killed.log" timeout 120 "$GODOT" --headless --path "$copy" --export-pack Plain "$out/killed.pck"
  check "an export stands still" wait_for_line "$logs/killed.log" '^SLEEPING$' 60
  kill_with_children "$pid"
  rm -rf "$plugin"
  mv "$scratch/settings" "$settings"
  # The first import of an extension that is not in the list ends with a crash of the engine's, after its work is done.
  (timeout 120 "$GODOT" --headless --path "$copy" --import >"$logs/after.log" 2>&1) 2>/dev/null || true
  check "after an editor was killed the next one has everything again" is_as_before
}

# Exports the project as a page with the template, and serves it.
make_page() {
  local port
  need chromium chromium
  page=$scratch/page
  mkdir "$page"
  check "the page exports" timeout 180 "$GODOT" --headless --path "$copy" --export-release Plain "$page/index.html" >"$logs/page.log" 2>&1
  [[ -f $page/index.html ]] || { tail -n 5 "$logs/page.log"; return 1; }
  port=$(free_port)
  start "$logs/http.log" python3 -m http.server --bind 127.0.0.1 --directory "$page" "$port"
  wait_for_port "$port"
  page_url=http://127.0.0.1:$port
}

# chromium_page NAME ARGUMENT... -- OPTION...: has headless Chromium open the page with these user arguments. What it says is the log NAME.
chromium_page() {
  local name=$1 profile=$scratch/profile-$1 list=""
  shift
  while [[ $1 != -- ]]; do list+=",\"$1\"" && shift; done
  shift
  sed "s|\"args\":\[\]|\"args\":[\"--\"$list]|" "$page/index.html" >"$page/$name.html"
  start "$logs/browser-$name.log.all" env "HOME=$profile" timeout --kill-after=5 120 chromium --headless --no-sandbox \
    --disable-dev-shm-usage --use-angle=swiftshader --enable-unsafe-swiftshader --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync --user-data-dir="$profile/data" \
    --enable-logging=stderr --v=0 "$@" "$page_url/$name.html"
}

# browse NAME END ARGUMENT...: the page with these user arguments, until its console has a line that matches END. What the console
# says is the log NAME.
browse() {
  local name=$1 end=$2 log=$logs/browser-$1.log
  shift 2
  chromium_page "$name" "$@" --
  wait_for_line "$log.all" ":CONSOLE[:(].*\"$end" 110 "$pid" >/dev/null 2>&1 || true # judged below
  stop "$pid"
  sed -nE 's/^.*:CONSOLE[:(][0-9]+\)?\] "(.*)", source: .*$/\1/p' "$log.all" >"$log"
  says "$log" "^$end"
}

# A browser's console says what is refused to it, as an error of its own: the attempts to connect that have to fail.
browser_is_silent() {
  local found
  found=$(complaints "$1" | grep -vE "WebSocket connection to '.*' failed|^[0-9]+:WEB ok ") || true
  [[ -z $found ]] || { head <<<"$found"; return 1; }
}

# The subjects and the demo in a real browser.
check_browser() {
  local subject url urls
  urls=("WEB_URL=ws://127.0.0.1:$raw_port" "WEB_MULTIPLAYER_URL=ws://127.0.0.1:$multiplayer_port" "WEB_DEAF_URL=ws://127.0.0.1:$deaf_port")
  for subject in names suite node; do
    check "browser: $subject, is through" browse "$subject" 'WEB DONE' "WEB_SUBJECT=$subject" "${urls[@]}"
    check "browser: $subject, everything holds" lacks_line "$logs/browser-$subject.log" '^WEB FAIL'
    check "browser: $subject, says nothing else" browser_is_silent "$logs/browser-$subject.log"
  done
  check "browser: the node, comes back" says "$logs/browser-node.log" '^node: closed 4012 restarting true WebSocketPeer$'
  check "browser: the engine's example, closes" browse dropin \
    'WebSocket closed with code: 1000, reason: Good bye\.\. Clean: true' WEB_SUBJECT=dropin "${urls[@]}"
  start_demo_server browser 4
  check "browser: the bot in the page ends" browse demo 'client: end' --bot "--url=$url" --name=Browser
  check "browser: it has played" says "$logs/browser-demo.log" '^report: '
  check "browser: the demo's server lets it in" says "$logs/demo-server-browser.log" '^server: Browser joined$'
}

# The picture in the documentation: a round of the sample project, seen by a player in the page. Chromium takes it when the page is
# complete, which it is not before its time is up: an image of it never comes.
take_picture() {
  local url silent_port
  silent_port=$(free_port)
  start "$logs/silent.log" python3 -c "import socket, time; listener = socket.create_server(('127.0.0.1', $silent_port)); time.sleep(60)"
  sed -i "s|</body>|<img src=\"http://127.0.0.1:$silent_port/\" hidden></body>|" "$page/index.html"
  start_demo_server picture 90
  chromium_page picture --bot "--url=$url" --name=Browser -- --window-size=1152,740 --timeout=20000 "--screenshot=$root_dir/docs/web.png"
  wait "$pid" || die "Chromium has taken no picture; see $logs/browser-picture.log.all."
}

# Ends the process $1, which waits for a child (timeout), and that child, at once.
kill_with_children() {
  local child
  for child in $(ps -o pid= --ppid "$1"); do kill -KILL "$child" 2>/dev/null || true; done
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

find_godot
ensure_addon
prepare_project "$project"
mkdir -p "$logs"
rm -f "$logs"/*.log
make_scratch
web_template=""
if $browser; then web_template=$("$root_dir/ci/build-web-template.sh" "${template[@]}"); fi
make_project
start_native_server
if $browser; then
  say "in a browser"
  if make_page; then
    if $picture; then take_picture && exit; fi
    check_browser
  fi
  finish
  exit
fi
make_program
before=$(fingerprint)
for preset in Plain Excluded Extensions; do
  say "preset $preset"
  check_preset "$preset"
done
say "the demo"
check_demo
check_failed_export
check_killed_editor
finish
