#!/bin/sh
# In /etc/letsencrypt/renewal-hooks/deploy/: certbot calls it as root after a renewal; after the first certificate run it by hand,
# with RENEWED_LINEAGE=/etc/letsencrypt/live/game.example. It gives the game server, which does not run as root, copies that it may
# read; the file `renewed` comes last and says that both are there.
set -e
to=${GAME_CERTIFICATES:-/srv/game/certificates}
install -m 644 "$RENEWED_LINEAGE/fullchain.pem" "$to/fullchain.pem"
install -m 600 -o "${GAME_USER:-game}" "$RENEWED_LINEAGE/privkey.pem" "$to/privkey.pem"
touch "$to/renewed"
