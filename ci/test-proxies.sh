#!/usr/bin/env bash
# Clients that go through proxies of other people: tinyproxy and squid (HTTP CONNECT), microsocks and dante (SOCKS5), with and
# without a login, to servers with and without TLS, whose certificates are checked against the server's name. Installs Debian's
# packages when they are missing, which needs root; a proxy that is not to be had is said.
#
# All clients run at once, in one engine. Uses free ports of this machine only. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fixtures=$project/tests/fixtures/tls
make_scratch
# Squid and dante are run by another user than root.
chmod 711 "$scratch"

# What is to be seen of each client, and its arguments, with a "+" behind.
whats=()
wanted=()
clients=()

# A client with the arguments $3... is to print a line that matches $2.
expect() {
  whats+=("$1")
  wanted+=("$2")
  clients+=("${@:3}" +)
}

# tinyproxy at port $1; the rest are lines of its configuration.
start_tinyproxy() {
  printf '%s\n' "Port $1" "Listen 127.0.0.1" "Allow 127.0.0.1" "Timeout 60" "LogFile \"$scratch/tinyproxy-$1.log\"" "${@:2}" \
    >"$scratch/tinyproxy-$1.conf"
  start "$scratch/tinyproxy-$1.out" tinyproxy -d -c "$scratch/tinyproxy-$1.conf"
  wait_for_port "$1"
}

# squid at port $1, which knows a host that nobody else does; the rest are lines of its configuration.
start_squid() {
  echo "127.0.0.1 localhost game.example.org" >"$scratch/hosts"
  printf '%s\n' "http_port 127.0.0.1:$1" "pid_filename none" "cache_log /dev/null" "access_log none" "cache deny all" \
    "hosts_file $scratch/hosts" "shutdown_lifetime 0 seconds" "netdb_filename none" "visible_hostname localhost" \
    "cache_mem 8 MB" "max_filedescriptors 1024" "coredump_dir none" "${@:2}" >"$scratch/squid-$1.conf"
  start "$scratch/squid-$1.out" squid -N -d 1 -f "$scratch/squid-$1.conf"
  wait_for_port "$1" || { tail -n 5 "$scratch/squid-$1.out" >&2; return 1; }
}

# microsocks at port $1; the rest are its arguments.
start_microsocks() {
  start "$scratch/microsocks-$1.out" microsocks -i 127.0.0.1 -p "$1" "${@:2}"
  wait_for_port "$1"
}

# dante at port $1, which asks for the login $2 (or none), and lets nobody to the port $3.
start_dante() {
  local users=()
  [[ $(id -u) != 0 ]] || users=("user.privileged: root" "user.unprivileged: nobody")
  printf '%s\n' "logoutput: $scratch/dante-$1.log" "internal: 127.0.0.1 port = $1" "external: 127.0.0.1" "${users[@]}" \
    "clientmethod: none" "socksmethod: $2" \
    "client pass { from: 127.0.0.1/32 to: 0.0.0.0/0 }" \
    "socks block { from: 127.0.0.1/32 to: 0.0.0.0/0 port = $3 }" \
    "socks pass { from: 127.0.0.1/32 to: 0.0.0.0/0 protocol: tcp }" >"$scratch/dante-$1.conf"
  start "$scratch/dante-$1.out" danted -f "$scratch/dante-$1.conf" -p "$scratch/dante-$1.pid"
  wait_for_port "$1" || { tail -n 5 "$scratch/dante-$1.log" "$scratch/dante-$1.out" >&2; return 1; }
}

serve() {
  local name=$1
  shift
  start_server "$scratch/$name.log" "$GODOT" --headless --path "$project" -s res://tests/fleet.gd -- "$@"
}

# What every proxy ($1: its name, $2: its argument) has to do: plain, and TLS with the server inside of the tunnel, whose
# certificate is for the server's name and no other.
expect_tunnels() {
  local name=$1 proxy=$2
  expect "$name, plain" '^open' "$proxy" "url=ws://localhost:$plain/"
  [[ $proxy != http=* ]] || proxy=https=${proxy#http=}
  expect "$name, TLS" '^open' "$proxy" "url=wss://localhost:$secure/" "$root"
  expect "$name, TLS with a server of another name" '^failed 0 .*certificate' "$proxy" "url=wss://127.0.0.1:$secure/" "$root"
  expect "$name, TLS with a server that is not trusted" '^failed 0 .*certificate' "$proxy" "url=wss://localhost:$secure/"
}

expect_tinyproxy() {
  local http login
  http=$(free_port)
  check "tinyproxy starts" start_tinyproxy "$http"
  expect_tunnels tinyproxy "http=$http"
  expect "tinyproxy, nobody at the server's port" '^failed 5.. .*refused the tunnel: 5' "http=$http" "url=ws://localhost:$nobody/"
  login=$(free_port)
  check "tinyproxy with a login starts" start_tinyproxy "$login" "BasicAuth ada secret"
  expect "tinyproxy, with the login" '^open' "http=$login" "url=ws://localhost:$plain/" user=ada password=secret
  expect "tinyproxy, without it" '^failed 407 .*refused the tunnel: 407' "http=$login" "url=ws://localhost:$plain/"
  expect "tinyproxy, another password" '^failed (401|407) .*refused the tunnel' "http=$login" "url=ws://localhost:$plain/" \
    user=ada password=x
}

expect_squid() {
  local http login helper=/usr/lib/squid/basic_ncsa_auth
  http=$(free_port)
  check "squid starts" start_squid "$http" "acl blocked port $blocked" "http_access deny blocked" "http_access allow all"
  expect_tunnels squid "http=$http"
  expect "squid looks up the name" '^open' "http=$http" "url=ws://game.example.org:$plain/"
  expect "squid looks up the name, TLS" '^open' "https=$http" "url=wss://game.example.org:$named/" "$root"
  expect "squid, a name that nobody knows" '^failed 5.. .*refused the tunnel: 5' "http=$http" "url=ws://nobody.invalid/"
  expect "squid, a port that it forbids" '^failed 403 .*refused the tunnel: 403' "http=$http" "url=ws://localhost:$blocked/"
  expect "squid, nobody at the server's port" '^failed 503 .*refused the tunnel: 503' "http=$http" "url=ws://localhost:$nobody/"
  login=$(free_port)
  echo "ada:$(openssl passwd -apr1 secret)" >"$scratch/passwords"
  check "squid with a login starts" start_squid "$login" "auth_param basic program $helper $scratch/passwords" \
    "acl known proxy_auth REQUIRED" "http_access allow known" "http_access deny all"
  expect "squid, with the login" '^open' "https=$login" "url=wss://localhost:$secure/" "$root" user=ada password=secret
  expect "squid, without it" '^failed 407 .*refused the tunnel: 407' "http=$login" "url=ws://localhost:$plain/"
  expect "squid, another password" '^failed 407 .*refused the tunnel: 407' "http=$login" "url=ws://localhost:$plain/" \
    user=ada password=x
}

expect_microsocks() {
  local socks login
  socks=$(free_port)
  check "microsocks starts" start_microsocks "$socks"
  expect_tunnels microsocks "socks=$socks"
  expect "microsocks, nobody at the server's port" '^failed 0 .*SOCKS proxy' "socks=$socks" "url=ws://localhost:$nobody/"
  login=$(free_port)
  check "microsocks with a login starts" start_microsocks "$login" -u ada -P secret
  expect "microsocks, with the login" '^open' "socks=$login" "url=ws://localhost:$plain/" user=ada password=secret
  expect "microsocks, without it" '^failed 0 .*SOCKS proxy' "socks=$login" "url=ws://localhost:$plain/"
  expect "microsocks, another password" '^failed 0 .*does not take' "socks=$login" "url=ws://localhost:$plain/" user=ada password=x
}

# Its logins are those of the system's users, of whom ada is none.
expect_dante() {
  local socks login
  socks=$(free_port)
  check "dante starts" start_dante "$socks" none "$blocked"
  expect_tunnels dante "socks=$socks"
  expect "dante, nobody at the server's port" '^failed 0 .*SOCKS proxy .*: connection refused' "socks=$socks" \
    "url=ws://127.0.0.1:$nobody/"
  expect "dante, a port that it forbids" '^failed 0 .*SOCKS proxy .*: connection not allowed' "socks=$socks" \
    "url=ws://127.0.0.1:$blocked/"
  login=$(free_port)
  check "dante with a login starts" start_dante "$login" username "$blocked"
  expect "dante, without a login" '^failed 0 .*asks for a login' "socks=$login" "url=ws://localhost:$plain/"
  expect "dante, a user whom it does not know" '^failed 0 .*does not take' "socks=$login" "url=ws://localhost:$plain/" \
    user=ada password=x
}

# The client number $1 has said what matches $2.
has_said() {
  local line
  line=$(sed -n "s/^THROUGH $1 //p" "$scratch/through.log")
  [[ $line =~ $2 ]] || { echo "got '$line', wanted '$2'" >&2; return 1; }
}

# The proxy $3, whose program is $1 in Debian's package $2.
through() {
  if lacks "$2" "$1 (root could install it)" obtainable "$1"; then return 0; fi
  need "$1" "$2"
  "expect_$3"
}

find_godot
ensure_addon
prepare_project "$project"
need openssl openssl

put_certificates "$fixtures" "$scratch/certificates"
mkdir "$scratch/names"
cp "$fixtures/names.crt" "$scratch/names/fullchain.pem"
cp "$fixtures/names.key" "$scratch/names/privkey.pem"
touch "$scratch/names/renewed"
root=root=$fixtures/root.crt
serve plain
plain=$port
serve secure "certificates=$scratch/certificates"
secure=$port
serve named "certificates=$scratch/names"
named=$port
nobody=$(free_port)
blocked=$(free_port)

through tinyproxy tinyproxy-bin tinyproxy
through squid squid squid
through microsocks microsocks microsocks
through danted dante-server dante

timeout 60 "$GODOT" --headless --path "$project" -s res://tests/through.gd -- "${clients[@]}" >"$scratch/through.log" 2>&1 || true
for number in "${!whats[@]}"; do check "${whats[number]}" has_said "$number" "${wanted[number]}"; done
finish
