#!/usr/bin/env bash
# Runs a Windows program: wine.sh PROGRAM [ARGUMENTS]. tools.sh installs wine (use_wine); nothing is shown.
# With a missing DLL wine prints nothing and ends with 53.
cross_dir=${RUST_WEBSOCKET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rust-websocket}/cross
export LD_LIBRARY_PATH=$cross_dir/wine/usr/lib/x86_64-linux-gnu WINEPREFIX=${WINEPREFIX:-$cross_dir/wine-drive} WINEARCH=win64
export WINEDEBUG=${WINEDEBUG:--all} WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe="
export WINESERVER=$cross_dir/wine/usr/lib/wine/wineserver64 WINELOADER=$cross_dir/wine/usr/lib/wine/wine64
unset DISPLAY
# For each request of any thread wine's server looks at all sockets that have something unread, so that a crowd of them stops
# everybody: cargo's tests with sockets run one after the other.
if [[ ${CARGO_PKG_NAME:-} == rust-websocket-net ]]; then export RUST_TEST_THREADS=${RUST_TEST_THREADS:-1}; fi
exec "$WINELOADER" "$@"
