# shellcheck shell=bash
# The files of ci/fleet/ with the ports and files of a run put in.

# The file $1 of ci/fleet, changed by the expressions for sed in $2...
configure() {
  local file=$1 expression arguments=()
  shift
  for expression in "$@"; do arguments+=(-e "$expression"); done
  sed -E "${arguments[@]}" "$root_dir/ci/fleet/$file"
}

# nats.conf with the ports $1 (clients) and $2 (WebSocket), the certificate $3 and its key $4.
configure_nats() {
  configure nats.conf "s/127\.0\.0\.1:4222/127.0.0.1:$1/" "s/127\.0\.0\.1:9222/127.0.0.1:$2/" \
    "s#/etc/letsencrypt/live/nats.example/fullchain.pem#$3#" "s#/etc/letsencrypt/live/nats.example/privkey.pem#$4#"
}

# Puts the certificate of the fixtures $1 into the new folder $2, under the names that certbot uses.
put_certificates() {
  mkdir "$2"
  cp "$1/chain.crt" "$2/fullchain.pem"
  cp "$1/leaf.key" "$2/privkey.pem"
  touch "$2/renewed"
}
