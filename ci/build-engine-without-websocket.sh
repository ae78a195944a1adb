#!/usr/bin/env bash
# Builds a Godot engine that was compiled without its websocket module, and prints the path of its executable: the engine
# in which the addon carries the original class names (ci/build.sh --builtin-names). ci/test-module.sh uses it.
#
# The source, the compiler and the libraries are Debian forky's, in a folder of their own in the user's cache; nothing on
# the system changes. Headless, with the modules that the tests need. About 1.5 GB; a quarter of an hour to some hours, once.
# JOBS sets how many compilers run at the same time. Needs root (for chroot) and an x86_64 Debian. A build that was interrupted
# goes on.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cache=$cache_dir/engine-without-websocket
root=$cache/root
wrapper=$cache/godot

build_engine() {
  [[ ! -x $wrapper ]] || return 0 # built while this script waited
  [[ $(uname -m) == x86_64 ]] || die "this builds for x86_64 only."
  [[ $(id -u) == 0 ]] || die "this needs root: the compiler runs in a chroot."
  mkdir -p "$cache"
  [[ -f $cache/fetched ]] || fetch
  write_recipe >"$root/build/make-engine"
  say "compiling (its output goes to $cache/build.log)"
  logged "$cache/build.log" "the engine does not compile" chroot "$root" /bin/sh /build/make-engine
  write_wrapper
  "$wrapper" --headless --version >/dev/null 2>&1 || { rm -f "$wrapper"; die "the engine is built and does not run: see $cache/build.log."; }
}

# The source, and what it is built with, in $root.
fetch() {
  local package
  : >"$cache/build.log"
  rm -rf "$cache/source" "$root"
  mkdir -p "$root/build" "$cache/source"
  say "downloading the engine's source and a compiler from Debian forky (into $cache)"
  forky_apt "$cache"
  (cd "$cache/source" && logged "$cache/build.log" "the source cannot be downloaded" "${apt[@]}" source --download-only godot)
  logged "$cache/build.log" "the compiler cannot be downloaded" "${apt[@]}" -y --download-only build-dep godot
  # A compiler needs a shell and its helpers around it; package management takes them for granted and does not name them.
  logged "$cache/build.log" "the compiler cannot be downloaded" "${apt[@]}" -y --download-only install \
    base-files bash binutils coreutils dash findutils gcc grep libc6-dev sed
  say "unpacking"
  for package in "$cache"/archives/archives/*.deb; do dpkg -x "$package" "$root"; done
  tar -xf "$cache"/source/godot_*.orig.tar.* -C "$root/build" --strip-components=1
  rm -rf "$cache/archives" "$cache/lists" "$cache/source"
  mkdir -p "$root/dev" "$root/tmp"
  [[ -c $root/dev/null ]] || mknod -m 666 "$root/dev/null" c 1 3
  [[ -c $root/dev/urandom ]] || mknod -m 666 "$root/dev/urandom" c 1 9
  touch "$cache/fetched"
}

# What runs in the chroot. The library names are those of Debian's own build of the engine: its source comes without copies.
write_recipe() {
  cat <<RECIPE
cd /build || exit 1
install -D /dev/null thirdparty/certs/ca-bundle.crt
ln -sf g++ /usr/bin/c++
BUILD_NAME=without-websocket exec scons platform=linuxbsd target=editor -j${JOBS:-$(nproc)} scu_build=yes optimize=size debug_symbols=no \\
  engine_update_check=no use_static_cpp=no use_sowrap=no \\
  modules_enabled_by_default=no module_websocket_enabled=no module_gdscript_enabled=yes module_multiplayer_enabled=yes \\
  module_mbedtls_enabled=yes module_text_server_fb_enabled=yes module_freetype_enabled=yes module_svg_enabled=yes \\
  module_regex_enabled=yes module_jsonrpc_enabled=yes \\
  x11=no wayland=no libdecor=no vulkan=no opengl3=no pulseaudio=no alsa=no udev=no speechd=no dbus=no fontconfig=no \\
  touch=no sdl=no accesskit=no \\
  builtin_certs=no system_certs_path=/etc/ssl/certs/ca-certificates.crt builtin_brotli=no builtin_freetype=no \\
  builtin_libpng=no builtin_mbedtls=no builtin_pcre2=no builtin_zlib=no builtin_zstd=no builtin_enet=no \\
  builtin_graphite=no builtin_harfbuzz=no builtin_icu4c=no static_icu_data=no builtin_libjpeg_turbo=no builtin_libogg=no \\
  builtin_libtheora=no builtin_libvorbis=no builtin_libwebp=no builtin_wslay=no builtin_miniupnpc=no builtin_openxr=no \\
  builtin_recastnavigation=no builtin_sdl=no builtin_embree=no
RECIPE
}

# Built against forky's libraries, it needs forky's loader.
write_wrapper() {
  local lib=$root/usr/lib/x86_64-linux-gnu engine
  engine=$(find "$root/build/bin" -maxdepth 1 -name 'godot.linuxbsd.editor.*' | head -n 1)
  [[ -n $engine ]] || die "the build left no engine: see $cache/build.log."
  cat >"$wrapper.new" <<WRAPPER
#!/bin/sh
exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$engine" "\$@"
WRAPPER
  chmod +x "$wrapper.new"
  mv "$wrapper.new" "$wrapper"
}

[[ -x $wrapper ]] || with_lock "$cache_dir/engine-without-websocket.lock" build_engine
echo "$wrapper"
