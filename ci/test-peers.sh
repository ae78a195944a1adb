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

project=$root_dir/godot-project
peers=$root_dir/ci/peers
cache=${RUST_WEBSOCKET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rust-websocket}/peers
logs=$root_dir/build/peers
modes=(off deflate takeover)
started=()
profile=
passed=0
failed=0

stop_started() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  started=()
}

clean_up() {
  stop_started
  wait || true
  [[ -z $profile ]] || rm -rf "$profile"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Starts a server with its output in build/peers/$1.log and sets $url once it listens.
start_server() {
  local log=$logs/$1.log count port=
  shift
  rm -f "$log" # or the port of an earlier run would be read
  "$@" >"$log" 2>&1 &
  started+=($!)
  for ((count = 0; count < 200; count++)); do
    port=$(sed -n 's/^LISTENING *//p' "$log" 2>/dev/null) || true
    [[ -n $port ]] && break
    sleep 0.1
  done
  [[ -n $port ]] || { cat "$log" >&2; die "a server did not listen: $*"; }
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
  local log=$1 totals errors
  grep '^FAIL\|ERROR' "$log" || true
  errors=$(grep -cE '^([A-Z]+ )?ERROR' "$log") || true
  failed=$((failed + errors))
  totals=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1) || totals="0 passed, 1 failed"
  passed=$((passed + $(cut -d ' ' -f 1 <<<"$totals")))
  failed=$((failed + $(cut -d ' ' -f 3 <<<"$totals")))
}

# Sets $ours to what our GDScript testees are told for mode $1, and $echo to the options of the Rust echo server.
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
    start_server "$name-server-$mode" "$@" "$peers/${name}_server.$suffix" "$mode"
    run_client "our-client-$name-$mode" "$GODOT" --headless --path "$project" -s res://tests/peers/client.gd -- \
      "${ours[@]}" "url=$url" "agent=$name"
    start_server "our-server-$name-$mode" "$GODOT" --headless --path "$project" -s res://tests/peers/server.gd -- \
      "${ours[@]}"
    run_client "$name-client-$mode" "$@" "$peers/${name}_client.$suffix" "$url" "$mode"
    start_server "echo-server-$name-$mode" "$root_dir/target/debug/echo_server" --commands "${echo[@]}"
    run_client "$name-client-echo-$mode" "$@" "$peers/${name}_client.$suffix" "$url" "$mode"
    stop_started
  done
}

has_npm() { command -v node >/dev/null && command -v npm >/dev/null; }

# Node looks for packages from its scripts upward, and in NODE_PATH.
test_ws() {
  if lacks ws "node with npm" has_npm; then return 0; fi
  if ! cmp -s "$peers/package.json" "$cache/node/package.json"; then
    rm -rf "$cache/node"
    mkdir -p "$cache/node"
    say "installing ws (once, into $cache/node)"
    npm install --silent --no-fund --no-audit --no-package-lock --prefix "$cache/node" \
      "ws@$(sed -n 's/.*"ws": "\([^"]*\)".*/\1/p' "$peers/package.json")" >&2 || die "npm cannot install ws."
    cp "$peers/package.json" "$cache/node/package.json"
  fi
  test_peer ws js env "NODE_PATH=$cache/node/node_modules" node
}

test_websockets() {
  if lacks websockets "python3 with pip" python3 -m pip --version >"$logs/pip.log" 2>&1; then return 0; fi
  if ! cmp -s "$peers/requirements.txt" "$cache/python/requirements.txt"; then
    rm -rf "$cache/python"
    mkdir -p "$cache/python"
    say "installing websockets (once, into $cache/python)"
    python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$cache/python/site" -r "$peers/requirements.txt" >&2 ||
      die "pip cannot install websockets."
    cp "$peers/requirements.txt" "$cache/python/requirements.txt"
  fi
  test_peer websockets py env "PYTHONPATH=$cache/python/site" python3
}

# The page talks to servers that run in the engine and to the echo server, and has the first one print its report.
test_chromium() {
  local mode ours echo echo_url
  if lacks chromium "chromium (root could install it)" obtainable chromium; then return 0; fi
  need chromium chromium
  for mode in "${modes[@]}"; do
    say "chromium, $mode"
    options_of "$mode"
    start_server "echo-server-chromium-$mode" "$root_dir/target/debug/echo_server" --commands "${echo[@]}"
    echo_url=$url
    start_server "our-server-chromium-$mode" "$GODOT" --headless --path "$project" -s res://tests/peers/server.gd -- \
      "${ours[@]}"
    browse "$logs/chromium-$mode.log" "$logs/our-server-chromium-$mode.log" \
      "file://$peers/browser_client.html?mode=$mode&url=$url&echo=$echo_url"
    stop_started
    add_up "$logs/our-server-chromium-$mode.log"
    check_console "$logs/chromium-$mode.log" "$mode"
  done
}

# Opens the page $3 in a browser with its output in $1, until the log $2 has the page's report. The browser's own sandbox
# does not work for root; certificates of the tests are trusted by nobody, which is not what is tested here.
browse() {
  local log=$1 report=$2 page=$3 browser count
  profile=$(mktemp -d)
  HOME=$profile timeout --kill-after=5 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync \
    --ignore-certificate-errors --user-data-dir="$profile/data" --enable-logging=stderr --v=0 "$page" >"$log" 2>&1 &
  browser=$!
  for ((count = 0; count < 600; count++)); do
    if grep -qE '^[0-9]+ passed, [0-9]+ failed$' "$report" || ! kill -0 "$browser" 2>/dev/null; then break; fi
    sleep 0.1
  done
  kill "$browser" 2>/dev/null || true
  wait "$browser" || true
  rm -rf "$profile"
  profile=
}

# The browser's console in the log $1 has to hold the one line that the page writes on purpose, and no other: errors and
# uncaught exceptions are lines there.
check_console() {
  local log=$1 mode=$2 lines
  lines=$(grep ':CONSOLE[:(]' "$log") || true
  if [[ $(grep -c . <<<"$lines") == 1 && $lines == *"\"the page runs, $mode\""* ]]; then
    passed=$((passed + 1))
    return 0
  fi
  failed=$((failed + 1))
  echo "FAIL browser, $mode: its console is not as expected:"
  cut -c 1-300 <<<"${lines:-(nothing; the end of its log: $(tail -n 3 "$log"))}"
}

wanted=("$@")
((${#wanted[@]})) || wanted=(ws websockets chromium)
find_godot
[[ -f $project/addons/rust_websocket/rust_websocket.gdextension ]] || "$root_dir/ci/build.sh"
prepare_project "$project"
(cd "$root_dir" && cargo build --locked --quiet --package rust-websocket-bench --target-dir target) ||
  die "the echo server could not be built."
mkdir -p "$logs"
for peer in "${wanted[@]}"; do
  declare -F "test_$peer" >/dev/null || die "unknown peer '$peer' (known: ws, websockets, chromium)."
  "test_$peer"
done
echo "$passed passed, $failed failed"
((failed == 0))
