#!/usr/bin/env bash
# The scripts that people copy (godot-project/examples), as they are: the client talks to the server, clients and server
# greet each other, two rooms share a port with a page for curl, and a client that finds nobody says so. None of them may be
# longer than 40 lines. Then the server and the client of the README.
#
#   ci/test-examples.sh      needs the addon in godot-project/addons (ci/build.sh puts it there)
#
# The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# example LOG NAME|PATH ARGUMENT...: starts an example beside this script; its process is $pid.
example() {
  start "$scratch/$1" timeout --kill-after=5 60 "$GODOT" --headless --path "$project" -s res://tests/examples.gd -- "${@:2}"
}

# says LOG EXPRESSION: whether a line comes that is the expression.
says() { wait_for_line "$scratch/$1" "^$2\$" 30; }

ends_well() { wait "$1"; }

is_short() { (($(wc -l <"$1") <= 40)); }

warns_once() { [[ $(complaints "$scratch/$1" | grep -c "$2") == 1 && $(complaints "$scratch/$1" | wc -l) == 1 ]]; }

is_silent() { [[ -z $(complaints "$scratch/$1") ]] || { cat "$scratch/$1"; return 1; }; }

raw() {
  local port server
  port=$(free_port)
  example raw_server raw_server "port=$port"
  server=$pid
  check "the raw server listens" says raw_server "server: listening on port $port: OK"
  example raw_client raw_client "url=ws://127.0.0.1:$port"
  check "the raw client gets its answer" says raw_client 'client: got Hello'
  check "the raw client closes well" says raw_client 'client: closed, code 1000 '
  check "the raw client ends" ends_well "$pid"
  check "the raw server sees it leave" says raw_server 'server: one left, code 1000'
  stop "$server"
  example alone raw_client "url=ws://127.0.0.1:$port"
  check "a client that finds nobody says so" says alone 'client: closed, code -1 .*refused.*'
  check "and so does the log, once" warns_once alone "WARNING: RustWebSocketPeer: connecting to 'ws://127.0.0.1:$port' failed"
}

multiplayer() {
  local port server client
  port=$(free_port)
  example hello_server multiplayer_hello is_server=true "port=$port"
  server=$pid
  check "the multiplayer server listens" says hello_server "server: listening on port $port"
  example hello_client multiplayer_hello "port=$port"
  client=$pid
  check "the client hears the server" says hello_client '1 says: hello from 1'
  check "the server hears the client" says hello_server '([0-9]+) says: hello from \1'
  example hello_other multiplayer_hello "port=$port"
  check "one client hears the other" says hello_other "[0-9]{2,} says: hello from [0-9]+"
  stop "$client"
  check "the server sees the client go" says hello_server '[0-9]+ is gone'
  stop "$server" "$pid"
}

rooms() {
  local port server clients=()
  port=$(free_port)
  example rooms_server two_rooms "port=$port"
  server=$pid
  check "the server of two rooms listens" says rooms_server "server: listening on port $port: OK"
  check "curl gets its health" test "$(curl -sS -m 10 "http://127.0.0.1:$port/health")" = ok
  check "and is told what is not there" test "$(curl -sS -m 10 -o "$scratch/page" -w '%{http_code}' "http://127.0.0.1:$port/none")" = 404
  check "HEAD has no body" bash -c "curl -sS -m 10 -I 'http://127.0.0.1:$port/health' | grep -q '^Content-Length: 2'"
  for room in Red Blue Red; do
    example "rooms_$((${#clients[@]} + 1))" two_rooms "room=$room" "port=$port"
    clients+=("$pid")
    check "somebody comes into $room" says "rooms_${#clients[@]}" "$room: 1 says: hello from 1"
  done
  check "those in a room meet" says rooms_3 'Red: [0-9]{2,} says: hello from [0-9]+'
  check "and nobody else" bash -c "! grep -E '[0-9]{2,} says' '$scratch/rooms_2' | grep -v '^Blue: '"
  check "the server hears both rooms" says rooms_server 'Blue: ([0-9]+) says: hello from \1'
  stop "$server" "${clients[@]}"
}

# Writes the first block of GDScript in the README that begins with the comment $1 into file $2, on port $3.
from_readme() {
  awk -v first="# $1" '/^```/ { inside = 0 } inside { print } $0 ~ "^" first { inside = 1 }' "$root_dir/README.md" |
    sed "s/9080/$3/" >"$2"
}

readme() {
  local port server
  port=$(free_port)
  from_readme Server "$scratch/server.gd" "$port"
  from_readme Client "$scratch/client.gd" "$port"
  example readme_server "$scratch/server.gd"
  server=$pid
  check "the README's server listens" wait_for_port "$port"
  example readme_client "$scratch/client.gd"
  check "the README's client gets in" says readme_client in
  check "the README's server sees it" says readme_server '[0-9]+ is in'
  stop "$server" "$pid"
}

ensure_addon
find_godot
need curl curl
prepare_project "$project"
make_scratch
for script in "$project"/examples/*.gd; do check "$(basename "$script") has at most 40 lines" is_short "$script"; done
raw
multiplayer
rooms
readme
for log in raw_server raw_client hello_server hello_client hello_other rooms_server rooms_1 rooms_2 rooms_3 readme_server readme_client; do check "$log prints no error" is_silent "$log"; done
finish
