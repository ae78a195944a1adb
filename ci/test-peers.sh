#!/usr/bin/env bash
# Other implementations against ours, as client and as server: Node's `ws` and Python's `websockets`, without
# compression, with it, and with contexts kept. Each is installed from its package registry into the user's cache folder.
#
#   ci/test-peers.sh [ws|websockets]
#
# The last line is "N passed, N failed". Where node or python3 is missing, that part is not run, and says so.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

project=$root_dir/godot-project
peers=$root_dir/ci/peers
cache=${RUST_WEBSOCKET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rust-websocket}/peers
logs=$root_dir/build/peers
modes=(off deflate takeover)
started=()
passed=0
failed=0

stop_started() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  started=()
}
trap stop_started EXIT

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
  local log=$logs/$1.log totals
  shift
  timeout 90 "$@" >"$log" 2>&1 || true
  grep '^FAIL\|ERROR' "$log" || true
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
    start_server "our-server-$name-$mode" "$GODOT" --headless --path "$project" -s res://tests/autobahn/server.gd -- \
      "${ours[@]}" commands=1
    run_client "$name-client-$mode" "$@" "$peers/${name}_client.$suffix" "$url" "$mode"
    start_server "echo-server-$name-$mode" "$root_dir/target/debug/echo_server" --commands "${echo[@]}"
    run_client "$name-client-echo-$mode" "$@" "$peers/${name}_client.$suffix" "$url" "$mode"
    stop_started
  done
}

# Node looks for packages from its scripts upward, and in NODE_PATH.
test_ws() {
  command -v node >/dev/null && command -v npm >/dev/null || { say "NOT RUN: ws (node or npm is missing)"; return 0; }
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
  command -v python3 >/dev/null || { say "NOT RUN: websockets (python3 is missing)"; return 0; }
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

wanted=("$@")
((${#wanted[@]})) || wanted=(ws websockets)
find_godot
[[ -f $project/addons/rust_websocket/rust_websocket.gdextension ]] || "$root_dir/ci/build.sh"
prepare_project "$project"
(cd "$root_dir" && cargo build --locked --quiet --package rust-websocket-bench --target-dir target) ||
  die "the echo server could not be built."
mkdir -p "$logs"
for peer in "${wanted[@]}"; do
  declare -F "test_$peer" >/dev/null || die "unknown peer '$peer' (known: ws, websockets)."
  "test_$peer"
done
echo "$passed passed, $failed failed"
((failed == 0))
