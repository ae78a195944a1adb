#!/usr/bin/env bash
# Debian's arm64 engine under qemu, used like any other engine ($GODOT). tools.sh installs both.
cross_dir=${RUST_WEBSOCKET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rust-websocket}/cross
root=$cross_dir/godot-arm64
lib=$root/usr/lib/aarch64-linux-gnu
exec "$cross_dir/qemu/usr/bin/qemu-aarch64" -L "$root" "$lib/ld-linux-aarch64.so.1" \
  --library-path "$lib:$lib/pulseaudio:$lib/blas:$lib/lapack" "$root/usr/bin/godot" "$@"
