#!/usr/bin/env bash
# Signs and notarises a library on a Mac: sign-macos.sh LIBRARY. In the environment: MACOS_CERTIFICATE (a Developer ID
# certificate with its key, PKCS#12 in base64), MACOS_CERTIFICATE_PASSWORD, MACOS_IDENTITY (its name), and for the
# notary MACOS_NOTARY_USER, MACOS_NOTARY_PASSWORD, MACOS_NOTARY_TEAM. Never run yet: nobody has had the certificate.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

library=${1:?"a library is missing"}
make_scratch
keychain=$scratch/signing.keychain-db
password=$(openssl rand -hex 16)
base64 --decode <<<"${MACOS_CERTIFICATE:?}" >"$scratch/certificate.p12"
security create-keychain -p "$password" "$keychain"
at_exit "security delete-keychain '$keychain'"
security unlock-keychain -p "$password" "$keychain"
security import "$scratch/certificate.p12" -k "$keychain" -P "${MACOS_CERTIFICATE_PASSWORD:?}" -T /usr/bin/codesign
security set-key-partition-list -S apple-tool:,apple: -s -k "$password" "$keychain" >/dev/null
codesign --force --timestamp --keychain "$keychain" --sign "${MACOS_IDENTITY:?}" "$library"
if [[ -n ${MACOS_NOTARY_USER:-} ]]; then
  # A library by itself cannot be stapled: Apple's servers are asked about it when it is first loaded.
  ditto -c -k "$library" "$scratch/library.zip"
  xcrun notarytool submit "$scratch/library.zip" --wait --apple-id "$MACOS_NOTARY_USER" --password "${MACOS_NOTARY_PASSWORD:?}" --team-id "${MACOS_NOTARY_TEAM:?}"
fi
say "signed: $library"
