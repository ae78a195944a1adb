#!/usr/bin/env bash
# Other implementations against ours, without compression, with it, and with contexts kept: Node's `ws` and Python's
# `websockets`, as client and as server, and a page in a headless Chromium, as client. The first two are installed from
# their package registries into the user's cache folder, Chromium is Debian's package, which needs root to install.
#
#   ci/test-peers.sh [ws|websockets|chromium...]
#
# The last line is "N passed, N failed". Where node, python3 or chromium is missing, that part is not run, and says so;
# in CI (CI=true) that is a failure.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

peers=$root_dir/ci/peers
logs=$root_dir/build/peers
modes=(off deflate takeover)

# Starts a server with its output in build/peers/$1.log and sets $url.
serve() {
  local name=$1
  shift
  start_server "$logs/$name.log" "$@"
  url=ws://127.0.0.1:$port
}

# Runs a client and adds up its checks.
run_client() {
  local log=$logs/$1.log
  shift
  timeout 90 "$@" >"$log" 2>&1 || true
  add_up "$log"
}

# Adds up the checks in the log $1; each error that the engine reports there is one that failed.
add_up() {
  local log=$1 errors
  grep '^FAIL\|ERROR' "$log" || true
  errors=$(grep -cE '^([A-Z]+ )?ERROR' "$log") || true
  failed=$((failed + errors))
  add_totals "$log"
}

# Sets $ours to what our GDScript testees get for mode $1, and $echo to the options of the Rust echo server.
options_of() {
  case $1 in
    off) ours=(compression=0) echo=() ;;
    deflate) ours=(compression=1 takeover=0) echo=(--no-context-takeover) ;;
    takeover) ours=(compression=1 takeover=1) echo=(--compression) ;;
  esac
}

# Every mode with the programs `$2_server` and `$2_client` of name $1, run by `$3...`.
test_peer() {
  local name=$1 suffix=$2 mode ours echo
  shift 2
  for mode in "${modes[@]}"; do
    say "$name, $mode"
    options_of "$mode"
    serve "$name-server-$mode" "$@" "$peers/${name}_server.$suffix" "$mode"
    run_client "our-client-$name-$mode" "$GODOT" --headless --path "$project" -s res://tests/peers/client.gd -- \
      "${ours[@]}" "url=$url" "agent=$name"
    serve "our-server-$name-$mode" "$GODOT" --headless --path "$project" -s res://tests/peers/server.gd -- \
      "${ours[@]}"
    run_client "$name-client-$mode" "$@" "$peers/${name}_client.$suffix" "$url" "$mode"
    serve "echo-server-$name-$mode" "$echo_server" --commands "${echo[@]}"
    run_client "$name-client-echo-$mode" "$@" "$peers/${name}_client.$suffix" "$url" "$mode"
    stop_all
  done
}

# Node looks for packages from its scripts upward, and in NODE_PATH.
test_ws() {
  if lacks ws "node with npm" has_npm; then return 0; fi
  npm_site peers/node "$peers/package.json" ws
  test_peer ws js env "NODE_PATH=$site" node
  say "ws, requests"
  serve_requests ws
  run_client ws-requests env "NODE_PATH=$site" node "$peers/ws_requests.js" "$url"
  stop_all
}

# A server that decides on requests.
serve_requests() {
  serve "requests-$1" "$GODOT" --headless --path "$project" -s res://tests/peers/requests.gd -- "page=$peers/requests.html"
}

test_websockets() {
  if lacks websockets "python3 with pip" has_pip; then return 0; fi
  pip_site peers/python "$peers/requirements.txt"
  test_peer websockets py env "PYTHONPATH=$site" python3
}

# The page talks to servers that run in the engine and to the echo server, and has the first one print its report.
test_chromium() {
  local mode ours echo echo_url
  if lacks chromium "chromium (root could install it)" obtainable chromium; then return 0; fi
  need chromium chromium
  for mode in "${modes[@]}"; do
    say "chromium, $mode"
    options_of "$mode"
    serve "echo-server-chromium-$mode" "$echo_server" --commands "${echo[@]}"
    echo_url=$url
    serve "our-server-chromium-$mode" "$GODOT" --headless --path "$project" -s res://tests/peers/server.gd -- \
      "${ours[@]}"
    browse "$logs/chromium-$mode.log" "$logs/our-server-chromium-$mode.log" \
      "file://$peers/browser_client.html?mode=$mode&url=$url&echo=$echo_url"
    stop_all
    add_up "$logs/our-server-chromium-$mode.log"
    check_console "$logs/chromium-$mode.log" "$mode"
  done
  say "chromium, requests"
  serve_requests chromium
  browse "$logs/chromium-requests.log" "$logs/requests-chromium.log" "${url/ws:/http:}/"
  stop_all
  add_up "$logs/requests-chromium.log"
}

# Opens the page $3 in a browser with its output in $1, until the log $2 has the page's report. The browser's own sandbox
# does not work for root; certificates of the tests are trusted by nobody, which is not what is tested here.
browse() {
  local log=$1 report=$2 page=$3 profile
  profile=$(mktemp -d)
  at_exit "rm -rf '$profile'"
  start "$log" env "HOME=$profile" timeout --kill-after=5 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync \
    --ignore-certificate-errors --user-data-dir="$profile/data" --enable-logging=stderr --v=0 "$page"
  wait_for_line "$report" '^[0-9]+ passed, [0-9]+ failed$' 60 "$pid" || true # what is missing there is counted
  stop "$pid"
}

# The browser's console in the log $1 has to hold the one line that the page writes on purpose, and no other: errors and
# uncaught exceptions are lines there.
check_console() {
  local log=$1 mode=$2 lines
  lines=$(grep ':CONSOLE[:(]' "$log") || true
  if [[ $(grep -c . <<<"$lines") == 1 && $lines == *"\"the page runs, $mode\""* ]]; then
    pass
    return 0
  fi
  fail "browser, $mode: its console is not as expected:"
  cut -c 1-300 <<<"${lines:-(nothing; the end of its log: $(tail -n 3 "$log"))}"
}

wanted=("$@")
((${#wanted[@]})) || wanted=(ws websockets chromium)
find_godot
only_one_run
ensure_addon
prepare_project "$project"
build_echo_server
mkdir -p "$logs"
for peer in "${wanted[@]}"; do
  declare -F "test_$peer" >/dev/null || die "unknown peer '$peer' (known: ws, websockets, chromium)."
  "test_$peer"
done
finish
