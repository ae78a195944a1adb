#!/usr/bin/env bash
# Servers behind proxies: nginx and HAProxy with the configurations of ci/fleet/, which docs/servers.md quotes. Who a client
# is comes through X-Forwarded-For and through PROXY headers of both versions, over IPv4 and IPv6; forged headers do not;
# limits count by it. Certificates: one for each name, as OpenSSL and Chromium ask for it, and certbot's hook, after which a server
# shows its new one. Installs Debian's nginx, HAProxy, OpenSSL and Chromium when they are missing, which needs root.
#
# Uses free ports of this machine only. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fixtures=$project/tests/fixtures/tls
fleet=$root_dir/ci/fleet
stream_module=/usr/lib/nginx/modules/ngx_stream_module.so
make_scratch

# Starts a server of tests/fleet.gd and sets $port; its log is $scratch/NAME.log. The rest are its arguments.
serve() {
  local name=$1
  shift
  start_server "$scratch/$name.log" "$GODOT" --headless --path "$project" -s res://tests/fleet.gd -- "$@"
}

# One try of ci/fleet/client.py; prints its line.
try() { timeout 40 python3 "$fleet/client.py" "$@"; }

# A tried client gets in, and the server whose log is $1 shows it as $2 ("PORT" stands for the client's own port), with the
# URL $3. The rest is the client's.
is_shown() {
  local log=$scratch/$1.log as=$2 url=$3 line before
  shift 3
  before=$(grep -c '^FLEET in ' "$log" || true)
  line=$(try "$@") || return 1
  [[ $line == *" 101" ]] || { echo "the client got: $line" >&2; return 1; }
  wait_for_count "$log" $((before + 1)) || return 1
  as=${as/PORT/${line%% *}}
  line=$(grep '^FLEET in ' "$log" | tail -n 1)
  [[ $line == "FLEET in $as $url" ]] || { echo "got '$line', wanted '$as $url'" >&2; return 1; }
}

wait_for_count() {
  local deadline=$((SECONDS + 20))
  until (($(grep -c '^FLEET in ' "$1" || true) >= $2)); do
    ((SECONDS < deadline)) || { echo "the server shows no newcomer" >&2; return 1; }
    sleep 0.05
  done
}

# A tried client gets exactly that answer (without its port).
gets() {
  local wanted=$1 line
  shift
  line=$(try "$@") || return 1
  [[ ${line#* } == "$wanted" ]] || { echo "got '${line#* }', wanted '$wanted'" >&2; return 1; }
}

# With $5 the server is at that socket file instead, which nginx's workers have to be allowed to open.
start_nginx() {
  local upstream=127.0.0.1:$3
  [[ -z ${5:-} ]] || upstream=unix:$5
  {
    echo "user $(id -un) $(id -gn); daemon off; pid $scratch/nginx-$1.pid; error_log $scratch/nginx-error.log; load_module $stream_module; events {}"
    configure nginx-stream.conf "s/listen (\[::\]:)?443/listen \1$2/" "s/127\.0\.0\.1:9081/127.0.0.1:$4/"
    echo "http { access_log off;"
    for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $scratch/$kind;"; done
    configure nginx.conf "s/listen (\[::\]:)?443/listen \1$1/" "s#127\.0\.0\.1:9080;#$upstream;#" \
      "s#/etc/letsencrypt/live/game.example/fullchain.pem#$fixtures/ec_chain.crt#" \
      "s#/etc/letsencrypt/live/game.example/privkey.pem#$fixtures/ec_leaf.key#"
    echo "}"
  } >"$scratch/nginx-$1.conf"
  start "$scratch/nginx.log" nginx -e "$scratch/nginx-error.log" -c "$scratch/nginx-$1.conf"
  wait_for_port "$1" && wait_for_port "$2" || { tail -n 3 "$scratch/nginx.log" "$scratch/nginx-error.log" >&2; return 1; }
}

start_haproxy() {
  cat "$fixtures/ec_chain.crt" "$fixtures/ec_leaf.key" >"$scratch/haproxy.pem"
  configure haproxy.cfg "s/bind :443,\[::\]:443/bind :$1,[::]:$1/" "s/bind :9443,\[::\]:9443/bind :$2,[::]:$2/" \
    "s/bind :9444,\[::\]:9444/bind :$3,[::]:$3/" "s/127\.0\.0\.1:9080/127.0.0.1:$4/" "s/127\.0\.0\.1:9081/127.0.0.1:$5/" \
    "s#/etc/haproxy/game.example.pem#$scratch/haproxy.pem#" >"$scratch/haproxy-$1.cfg"
  start "$scratch/haproxy-$1.log" haproxy -db -f "$scratch/haproxy-$1.cfg"
  wait_for_port "$1" && wait_for_port "$2" && wait_for_port "$3" || { tail -n 5 "$scratch/haproxy-$1.log" >&2; return 1; }
}

# Our own client through the proxy at port $1.
plays_through() {
  timeout 60 "$GODOT" --headless --path "$project" -s res://tests/interop.gd -- role=client "url=wss://localhost:$1/" \
    expect=echo >"$scratch/player.log" 2>&1
  grep -q 'INTEROP echoed' "$scratch/player.log"
}

# HAProxy at port $1 stands in front of a server that takes one client of each address.
one_per_address() {
  try "$1" 127.0.0.1 127.0.0.7 "$tls" hold=60 >"$scratch/holder.log" &
  background+=("$!")
  wait_for_line "$scratch/holder.log" ' 101$' && gets "429" "$1" 127.0.0.1 127.0.0.7 "$tls" &&
    gets "101 1013 too many connections" "$1" 127.0.0.1 127.0.0.7 "$tls" "header=Origin: https://game.example" &&
    gets "101" "$1" 127.0.0.1 127.0.0.8 "$tls" && gets "101" "$1" ::1 "" "$tls"
}

# A plain request through the proxy at port $1 is answered by the script, which sees the client $3 behind the proxy.
is_seen() {
  local answer
  answer=$(curl -s --max-time 20 --interface "$3" --cacert "$fixtures/root.crt" "https://localhost:$1/health" --connect-to "::$2:")
  [[ $answer == "$3 0, proxy 127.0.0.1, secure true" ]] || { echo "got '$answer'" >&2; return 1; }
}

# The fingerprint of the certificate that the server at port $1 shows to who asks for the name $2, or with -noservername for none.
shown_certificate() {
  local name=(-servername "$2")
  [[ $2 != -noservername ]] || name=(-noservername)
  openssl s_client -connect "127.0.0.1:$1" "${name[@]}" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256
}

# The server at port $1 shows the certificate $3 of the fixtures to who asks for the name $2.
shows() { [[ $(shown_certificate "$1" "$2") == "$(openssl x509 -in "$fixtures/$3.crt" -noout -fingerprint -sha256)" ]]; }

# A browser takes the certificate whose key is that of fixture $3, and no other, and asks the server at port $1 for the name $2.
browser_opens() {
  local profile log=$scratch/browser-$2.log spki
  spki=$(openssl x509 -in "$fixtures/$3.crt" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64)
  profile=$(mktemp -d)
  at_exit "rm -rf '$profile'"
  start "$log" env "HOME=$profile" timeout --kill-after=5 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync \
    --ignore-certificate-errors-spki-list="$spki" --host-resolver-rules="MAP *.example 127.0.0.1" \
    --user-data-dir="$profile/data" --enable-logging=stderr --v=0 "file://$fleet/names.html?wss://$2:$1/"
  wait_for_line "$log" 'CONSOLE.*the socket (opens|fails)' 60 "$pid" || return 1
  stop "$pid"
  grep -q 'CONSOLE.*the socket opens' "$log"
}

# The server at port $1 is told of a renewal.
renews() {
  local port=$1 old new
  old=$(shown_certificate "$port" localhost)
  [[ $old == "$(openssl x509 -in "$fixtures/leaf.crt" -noout -fingerprint -sha256)" ]] || return 1
  mkdir -p "$scratch/lineage"
  cp "$fixtures/ec_chain.crt" "$scratch/lineage/fullchain.pem"
  cp "$fixtures/ec_leaf.key" "$scratch/lineage/privkey.pem"
  sleep 1.1 # file times may count seconds
  RENEWED_LINEAGE=$scratch/lineage GAME_CERTIFICATES=$scratch/certificates GAME_USER=$(id -un) "$fleet/deploy-hook.sh" || return 1
  wait_for_line "$scratch/renewing.log" '^FLEET renewed' || return 1
  new=$(shown_certificate "$port" localhost)
  [[ $new == "$(openssl x509 -in "$fixtures/ec_leaf.crt" -noout -fingerprint -sha256)" ]]
}

# docs/servers.md shows the file $1 of ci/fleet/ as it is.
is_quoted() { python3 -c 'import sys; sys.exit(open(sys.argv[1]).read() not in open(sys.argv[2]).read())' "$fleet/$1" "$root_dir/docs/servers.md"; }

need openssl openssl
need nginx nginx-light
need haproxy haproxy
need chromium chromium
need curl curl
need python3 python3
need "$stream_module" libnginx-mod-stream
find_godot
ensure_addon
prepare_project "$project"

put_certificates "$fixtures" "$scratch/certificates"

# Not "loopback": the clients of this test are on this machine too.
serve behind trusted=127.0.0.1
behind=$port
serve through trusted=127.0.0.1 proxy=yes "certificates=$scratch/certificates"
through=$port
for file in nginx.conf nginx-stream.conf haproxy.cfg deploy-hook.sh; do check "docs/servers.md quotes $file" is_quoted "$file"; done
nginx=$(free_port) nginx_stream=$(free_port)
check "nginx starts" start_nginx "$nginx" "$nginx_stream" "$behind" "$through"
haproxy=$(free_port) haproxy_v1=$(free_port) haproxy_v2=$(free_port)
check "HAProxy starts" start_haproxy "$haproxy" "$haproxy_v1" "$haproxy_v2" "$behind" "$through"

url='localhost/arena?team=red' tls=tls=$fixtures/root.crt
for proxy in nginx haproxy; do
  at=${!proxy}
  check "$proxy, X-Forwarded-For, IPv4" is_shown behind "127.0.0.7 0" "wss://$url" "$at" 127.0.0.1 127.0.0.7 "$tls"
  check "$proxy, X-Forwarded-For, IPv6" is_shown behind "0:0:0:0:0:0:0:1 0" "wss://$url" "$at" ::1 "" "$tls"
  check "$proxy, a forged X-Forwarded-For" is_shown behind "127.0.0.7 0" "wss://$url" "$at" 127.0.0.1 127.0.0.7 "$tls" \
    "header=X-Forwarded-For: 6.6.6.6" "header=X-Forwarded-For: 7.7.7.7, 127.0.0.1"
  check "$proxy, a player" plays_through "$at"
done
for proxy in nginx_stream haproxy_v1 haproxy_v2; do
  at=${!proxy}
  check "$proxy, PROXY header, IPv4" is_shown through "127.0.0.7 PORT" "wss://$url" "$at" 127.0.0.1 127.0.0.7 "$tls"
  check "$proxy, PROXY header, IPv6" is_shown through "0:0:0:0:0:0:0:1 PORT" "wss://$url" "$at" ::1 "" "$tls"
  check "$proxy, a forged X-Forwarded-For" is_shown through "127.0.0.7 PORT" "wss://$url" "$at" 127.0.0.1 127.0.0.7 "$tls" \
    "header=X-Forwarded-For: 6.6.6.6"
  check "$proxy, a player" plays_through "$at"
done
check "past the proxy, a forged X-Forwarded-For" is_shown behind "127.0.0.7 PORT" "ws://$url" "$behind" 127.0.0.1 127.0.0.7 \
  "header=X-Forwarded-For: 6.6.6.6" "header=X-Forwarded-Proto: https"
check "past the proxy, no PROXY header" gets "cut" "$through" 127.0.0.1 ""

serve by_file trusted=unix "unix=$scratch/game.sock"
by_file=$(free_port)
check "nginx in front of a socket file" start_nginx "$by_file" "$(free_port)" 0 "$through" "$scratch/game.sock"
check "through a socket file, IPv4" is_shown by_file "127.0.0.7 0" "wss://$url" "$by_file" 127.0.0.1 127.0.0.7 "$tls"
check "through a socket file, IPv6" is_shown by_file "0:0:0:0:0:0:0:1 0" "wss://$url" "$by_file" ::1 "" "$tls"
check "through a socket file, a forged X-Forwarded-For" is_shown by_file "127.0.0.7 0" "wss://$url" "$by_file" 127.0.0.1 127.0.0.7 \
  "$tls" "header=X-Forwarded-For: 6.6.6.6"
check "through a socket file, a player" plays_through "$by_file"

serve limited trusted=127.0.0.1 address=1
limited=$(free_port)
check "HAProxy starts once more" start_haproxy "$limited" "$(free_port)" "$(free_port)" "$port" "$through"
check "one client of each address" one_per_address "$limited"
serve full trusted=127.0.0.1 max=0
check "a full server" gets "503 Retry-After: 5" "$port" 127.0.0.1 ""
check "a full server and a browser" gets "101 1013 the server is full" "$port" 127.0.0.1 "" "header=Origin: https://game.example"
serve asking trusted=127.0.0.1 asks=yes
asking=$(free_port)
check "HAProxy in front of a callback" start_haproxy "$asking" "$(free_port)" "$(free_port)" "$port" "$through"
check "a health check through it" is_seen "$asking" 127.0.0.1 127.0.0.7
check "a player through it" is_shown asking "127.0.0.8 0" "wss://$url" "$asking" 127.0.0.1 127.0.0.8 "$tls"
serve named "certificates=$scratch/certificates" "names=eu.game.example:ec_leaf,*.game.example:p384"
for row in "eu.game.example ec_leaf" "us.game.example p384" "game.example leaf" "localhost leaf" "-noservername leaf"; do
  read -r name fixture <<<"$row"
  check "OpenSSL asks for $name" shows "$port" "$name" "$fixture"
done
for row in "eu.game.example ec_leaf" "us.game.example p384" "other.example leaf"; do
  read -r name fixture <<<"$row"
  check "Chromium asks for $name" browser_opens "$port" "$name" "$fixture"
done
serve renewing "certificates=$scratch/certificates"
check "certbot's hook" renews "$port"
finish
