#!/usr/bin/env bash
# Clients that go through proxies of other people: tinyproxy (HTTP CONNECT) and microsocks (SOCKS5), with and without a login, to
# servers with and without TLS. Installs Debian's packages when they are missing, which needs root.
#
# Uses free ports of this machine only. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fixtures=$project/tests/fixtures/tls
make_scratch

# tinyproxy at port $1; the rest are lines of its configuration.
start_tinyproxy() {
  printf '%s\n' "Port $1" "Listen 127.0.0.1" "Allow 127.0.0.1" "Timeout 60" "LogFile \"$scratch/tinyproxy-$1.log\"" "${@:2}" \
    >"$scratch/tinyproxy-$1.conf"
  start "$scratch/tinyproxy-$1.out" tinyproxy -d -c "$scratch/tinyproxy-$1.conf"
  wait_for_port "$1"
}

# microsocks at port $1; the rest are its arguments.
start_microsocks() {
  start "$scratch/microsocks-$1.out" microsocks -i 127.0.0.1 -p "$1" "${@:2}"
  wait_for_port "$1"
}

# A client with these arguments prints a line that matches $1.
says() {
  local wanted=$1 line
  line=$(timeout 60 "$GODOT" --headless --path "$project" -s res://tests/through.gd -- "${@:2}" 2>&1 | grep '^THROUGH' || true)
  [[ $line =~ $wanted ]] || { echo "got '$line', wanted '$wanted'" >&2; return 1; }
}

serve() {
  local name=$1
  shift
  start_server "$scratch/$name.log" "$GODOT" --headless --path "$project" -s res://tests/fleet.gd -- "$@"
}

need tinyproxy tinyproxy-bin
need microsocks microsocks
find_godot
ensure_addon
prepare_project "$project"

put_certificates "$fixtures" "$scratch/certificates"
serve plain
plain=ws://localhost:$port/
serve secure "certificates=$scratch/certificates"
secure=wss://localhost:$port/ root=root=$fixtures/root.crt

http=$(free_port)
check "tinyproxy starts" start_tinyproxy "$http"
check "tinyproxy, plain" says '^THROUGH open' "http=$http" "url=$plain"
check "tinyproxy, TLS" says '^THROUGH open' "https=$http" "url=$secure" "$root"
login=$(free_port)
check "tinyproxy with a login starts" start_tinyproxy "$login" "BasicAuth ada secret"
check "tinyproxy, with the login" says '^THROUGH open' "http=$login" "url=$plain" user=ada password=secret
check "tinyproxy, without it" says '^THROUGH failed 407 .*refused the tunnel: 407' "http=$login" "url=$plain"
check "tinyproxy, another password" says '^THROUGH failed (401|407) .*refused the tunnel' "http=$login" "url=$plain" user=ada password=x
check "tinyproxy, nobody at the server's port" says '^THROUGH failed 5.. .*refused the tunnel: 5' "http=$http" \
  "url=ws://localhost:$(free_port)/"

socks=$(free_port)
check "microsocks starts" start_microsocks "$socks"
check "microsocks, plain" says '^THROUGH open' "socks=$socks" "url=$plain"
check "microsocks, TLS" says '^THROUGH open' "socks=$socks" "url=$secure" "$root"
login=$(free_port)
check "microsocks with a login starts" start_microsocks "$login" -u ada -P secret
check "microsocks, with the login" says '^THROUGH open' "socks=$login" "url=$plain" user=ada password=secret
check "microsocks, without it" says '^THROUGH failed 0 .*SOCKS proxy' "socks=$login" "url=$plain"
check "microsocks, another password" says '^THROUGH failed 0 .*does not take' "socks=$login" "url=$plain" user=ada password=x
check "microsocks, nobody at the server's port" says '^THROUGH failed 0 .*SOCKS proxy' "socks=$socks" "url=ws://localhost:$(free_port)/"
finish
