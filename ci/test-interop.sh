#!/usr/bin/env bash
# Talks TLS with other programs: OpenSSL's s_client and s_server, each with TLS 1.2 only and 1.3 only, with certificates of
# clients, by socket file and with a file of keys, and nginx that ends TLS in front of plain servers, one of them in a folder of
# its own and with compression. Installs Debian's openssl and nginx when they are missing, which needs root.
#
# Uses free ports of this machine only. The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fixtures=$project/tests/fixtures/tls
make_scratch
mkfifo "$scratch/open"
# shellcheck disable=SC2034 # held open, not used
exec {open_input}<>"$scratch/open"

# A client in the engine: tests/interop.gd with the arguments given.
client() { timeout 60 "$GODOT" --headless --path "$project" -s res://tests/interop.gd -- role=client "$@"; }

# The same as a server, with its output in the file $1.
serve() {
  local log=$1
  shift
  start "$log" "$GODOT" --headless --path "$project" -s res://tests/interop.gd -- role=server "$@"
}

request() {
  printf 'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
}

# Our server, s_client: verified handshake of version $1, the upgrade, and resumption with the session of the first. How
# s_client exits says nothing, since its input ends first: what it has printed is judged.
s_client() {
  local version=$1 port=$2 session=$scratch/session-$1
  { request; sleep 2; } | timeout 20 openssl s_client "-$version" -connect "127.0.0.1:$port" -servername localhost \
    -verify_hostname localhost -verify_return_error -CAfile "$fixtures/root.crt" -sess_out "$session" \
    >"$scratch/s_client-$version.log" 2>&1 || true
  grep -q 'Verify return code: 0 (ok)' "$scratch/s_client-$version.log" || return 1
  grep -q 'HTTP/1.1 101' "$scratch/s_client-$version.log" || return 1
  { request; sleep 1; } | timeout 20 openssl s_client "-$version" -connect "127.0.0.1:$port" -servername localhost \
    -CAfile "$fixtures/root.crt" -sess_in "$session" >"$scratch/resumed-$version.log" 2>&1 || true
  grep -q '^Reused, TLSv' "$scratch/resumed-$version.log" && grep -q 'HTTP/1.1 101' "$scratch/resumed-$version.log"
}

# s_server of version $1, our client: it never upgrades, so what counts is that the handshake is through and the request came.
# Our client therefore ends with a failure; both logs are judged instead.
s_server() {
  local version=$1 port
  port=$(free_port)
  # With an input that stays open, or it would end.
  start "$scratch/s_server-$version.log" sh -c 'exec "$@" <"$0"' "$scratch/open" \
    openssl s_server "-$version" -accept "127.0.0.1:$port" -key "$fixtures/leaf.key" \
    -cert "$fixtures/leaf.crt" -cert_chain "$fixtures/intermediate.crt"
  wait_for_line "$scratch/s_server-$version.log" '^ACCEPT' || return 1
  client "url=wss://localhost:$port/" expect=request >"$scratch/client-$version.log" 2>&1 || true
  wait_for_line "$scratch/s_server-$version.log" 'GET / HTTP/1.1' && grep -q 'INTEROP connecting' "$scratch/client-$version.log"
}

# What our server prints of the certificate in the file $1: the hash of its text up to the last line.
fingerprint() { openssl x509 -in "$1" | sed '/^-----END/d' | sha256sum | cut -d ' ' -f 1; }

# s_client of version $1 with further options, whose output goes to $2.
ask() {
  local version=$1 log=$2
  shift 2
  { request; sleep 2; } | timeout 20 openssl s_client "-$version" -servername localhost -CAfile "$fixtures/root.crt" "$@" \
    >"$log" 2>&1 || true
}

# Our server, which requires certificates, and s_client of version $1: with one, again with the session of that, which is not
# resumed, with none, with one of somebody else.
s_client_with_certificate() {
  local version=$1 port=$2 server_log=$3 log=$scratch/certificate-$1 shown
  local leaf=(-key "$fixtures/leaf.key" -cert "$fixtures/leaf.crt" -cert_chain "$fixtures/intermediate.crt")
  local connect=(-connect "127.0.0.1:$port")
  shown=$(fingerprint "$fixtures/leaf.crt")
  ask "$version" "$log.log" "${connect[@]}" "${leaf[@]}" -sess_out "$log.session"
  grep -q 'HTTP/1.1 101' "$log.log" && grep -qx "INTEROP shown $shown" "$server_log" || return 1
  if [[ -s $log.session ]]; then ask "$version" "$log-again.log" "${connect[@]}" "${leaf[@]}" -sess_in "$log.session"
  else ask "$version" "$log-again.log" "${connect[@]}" "${leaf[@]}"; fi
  grep -q '^New, TLSv' "$log-again.log" && grep -q 'HTTP/1.1 101' "$log-again.log" || return 1
  (($(grep -cx "INTEROP shown $shown" "$server_log") % 2 == 0)) || return 1
  ask "$version" "$log-none.log" "${connect[@]}"
  grep -q 'certificate required' "$log-none.log" || return 1
  wait_for_line "$server_log" 'INTEROP said .*has shown no certificate' || return 1
  ask "$version" "$log-foreign.log" "${connect[@]}" -key "$fixtures/p521.key" -cert "$fixtures/p521.crt"
  grep -q 'alert unknown ca' "$log-foreign.log" && wait_for_line "$server_log" 'INTEROP said .*not signed by tls_client_ca'
}

# Our server on the socket file $1, s_client.
s_client_by_file() {
  ask tls1_3 "$scratch/by-file.log" -unix "$1" -verify_return_error
  grep -q 'HTTP/1.1 101' "$scratch/by-file.log"
}

# Our server that speaks 1.3 alone, on port $1.
s_client_too_old() {
  ask tls1_2 "$scratch/too-old.log" -connect "127.0.0.1:$1"
  grep -q 'alert protocol version' "$scratch/too-old.log" && wait_for_line "$2" 'INTEROP said .*version is too old' || return 1
  ask tls1_3 "$scratch/new-enough.log" -connect "127.0.0.1:$1"
  grep -q 'HTTP/1.1 101' "$scratch/new-enough.log"
}

# s_server of version $1 that requires certificates signed by $2, and our client with the further arguments. What the client says
# goes to $scratch/client.log; it gets in if s_server sees its request.
s_server_with_certificate() {
  local version=$1 ca=$2 port log
  shift 2
  port=$(free_port)
  log=$scratch/s_server-$port.log
  start "$log" sh -c 'exec "$@" <"$0"' "$scratch/open" \
    openssl s_server "-$version" -accept "127.0.0.1:$port" -key "$fixtures/leaf.key" -cert "$fixtures/leaf.crt" \
    -cert_chain "$fixtures/intermediate.crt" -Verify 4 -verify_return_error -CAfile "$fixtures/$ca.crt"
  wait_for_line "$log" '^ACCEPT' || return 1
  client "url=wss://localhost:$port/" expect=request "$@" >"$scratch/client.log" 2>&1 || true
  grep -q 'GET / HTTP/1.1' "$log"
}

s_server_takes_ours() {
  s_server_with_certificate "$1" root key=leaf certificate=chain && s_server_with_certificate "$1" root key=client_only certificate=client_only
}

# The words, of which there are those that the alerts of version $1 tell.
s_server_refuses() {
  ! s_server_with_certificate "$1" root && grep 'INTEROP ended' "$scratch/client.log" | grep -q 'requires a certificate of its clients' &&
    ! s_server_with_certificate "$1" root key=p521 certificate=p521 &&
    grep 'INTEROP ended' "$scratch/client.log" | grep -q "refused this client's certificate: it is not one" &&
    ! s_server_with_certificate "$1" expired key=expired certificate=expired &&
    grep 'INTEROP ended' "$scratch/client.log" | grep -q "refused this client's certificate: .*has expired"
}

s_server_too_old() {
  local port; port=$(free_port)
  start "$scratch/old-server.log" sh -c 'exec "$@" <"$0"' "$scratch/open" \
    openssl s_server -tls1_2 -accept "127.0.0.1:$port" -key "$fixtures/leaf.key" -cert "$fixtures/chain.crt"
  wait_for_line "$scratch/old-server.log" '^ACCEPT' || return 1
  client "url=wss://localhost:$port/" expect=request minimum=1 >"$scratch/old-client.log" 2>&1 || true
  grep -q 'INTEROP ended: .*version is too old: it does not speak TLS 1.3' "$scratch/old-client.log"
}

# The engine here is a debug build: keys are written, which is said once. Of release builds ci/test-export.sh looks at one.
keys_are_logged() {
  local keys=$scratch/keys.log log=$scratch/keys-client.log
  SSLKEYLOGFILE=$keys client "url=wss://localhost:$1/" expect=echo >"$log" 2>&1
  grep -q 'INTEROP echoed' "$log" && (($(grep -c 'WARNING: SSLKEYLOGFILE is set' "$log") == 1)) || return 1
  grep -q '^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]\{64\} [0-9a-f]\{64,96\}$' "$keys" && [[ $(stat -c %a "$keys") == 600 ]]
}

nginx_config() {
  cat <<CONFIG
daemon off;
pid $scratch/nginx.pid;
error_log $scratch/nginx-error.log;
events {}
http {
  access_log off;
  client_body_temp_path $scratch/body;
  proxy_temp_path $scratch/proxy;
  fastcgi_temp_path $scratch/fastcgi;
  uwsgi_temp_path $scratch/uwsgi;
  scgi_temp_path $scratch/scgi;
  server {
    listen 127.0.0.1:$1 ssl;
    ssl_certificate $fixtures/ec_chain.crt;
    ssl_certificate_key $fixtures/ec_leaf.key;
    location / {
      proxy_pass http://127.0.0.1:$2;
      proxy_http_version 1.1;
      proxy_set_header Upgrade \$http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header Host \$host;
    }
    location /play/ {
      proxy_pass http://127.0.0.1:$3/game/;
      proxy_http_version 1.1;
      proxy_set_header Upgrade \$http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header Host \$http_host;
      proxy_set_header X-Real-IP \$remote_addr;
      proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto \$scheme;
    }
  }
}
CONFIG
}

# nginx on port $1, in front of the multiplayer server on port $2 and the plain server on port $3.
start_nginx() {
  nginx_config "$1" "$2" "$3" >"$scratch/nginx.conf"
  start "$scratch/nginx.log" nginx -e "$scratch/nginx-error.log" -c "$scratch/nginx.conf"
  wait_for_port "$1" || { tail -n 3 "$scratch/nginx.log" "$scratch/nginx-error.log" >&2; return 1; }
}

multiplayer_behind_nginx() {
  client "url=wss://localhost:$1/" expect=echo >"$scratch/client-nginx.log" 2>&1
  grep -q 'INTEROP echoed' "$scratch/client-nginx.log"
}

# Messages up to 1 MiB, compression, pings and closes from both sides go through; nginx passes the host on and puts the
# server's folder for its own. Our client's checks are in its log.
peer_behind_nginx() {
  local log=$scratch/peer-nginx.log status=0
  timeout 60 "$GODOT" --headless --path "$project" -s res://tests/peers/client.gd -- compression=1 takeover=1 agent=nginx \
    "url=wss://localhost:$1/play/room?seed=1" "seen=ws://localhost:$1/game/room?seed=1" >"$log" 2>&1 || status=$?
  grep '^FAIL\|ERROR' "$log" && return 1
  return "$status"
}

need openssl openssl
need nginx nginx-light
find_godot
ensure_addon
prepare_project "$project"

tls_port=$(free_port)
plain_port=$(free_port)
serve "$scratch/tls-server.log" "port=$tls_port" tls=yes
serve "$scratch/plain-server.log" "port=$plain_port"
asking_port=$(free_port)
strict_port=$(free_port)
serve "$scratch/asking-server.log" "port=$asking_port" tls=yes auth=2 ca=root
serve "$scratch/strict-server.log" "port=$strict_port" tls=yes minimum=1
serve "$scratch/file-server.log" port=0 tls=yes "address=unix:$scratch/server.sock"
start_server "$scratch/peer-server.log" "$GODOT" --headless --path "$project" -s res://tests/peers/server.gd -- compression=1 takeover=1
peer_port=$port
for server in tls plain asking strict file; do
  wait_for_line "$scratch/$server-server.log" 'INTEROP listening' || die "the $server server did not start."
done

for version in tls1_2 tls1_3; do
  check "s_client $version" s_client "$version" "$tls_port"
  check "s_server $version" s_server "$version"
  check "s_client $version shows certificates" s_client_with_certificate "$version" "$asking_port" "$scratch/asking-server.log"
  check "s_server $version takes our certificates" s_server_takes_ours "$version"
  check "s_server $version refuses certificates, in words" s_server_refuses "$version"
done
check "s_client by a socket file" s_client_by_file "$scratch/server.sock"
check "an s_client that is too old" s_client_too_old "$strict_port" "$scratch/strict-server.log"
check "an s_server that is too old" s_server_too_old
check "keys are logged in a debug build" keys_are_logged "$tls_port"
nginx_port=$(free_port)
check "nginx starts" start_nginx "$nginx_port" "$plain_port" "$peer_port"
check "nginx in front of a multiplayer server" multiplayer_behind_nginx "$nginx_port"
check "nginx in front of a server in a folder" peer_behind_nginx "$nginx_port"
finish
