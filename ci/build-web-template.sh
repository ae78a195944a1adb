#!/usr/bin/env bash
# Builds an export template for the web, with which the sample project runs in a real browser, and prints the path of its
# zip: ci/test-web.sh --browser uses it. Debian packages no such template, and the engine's makers publish theirs on a site
# that not every machine reaches.
#
#   ci/build-web-template.sh                   builds it, once
#   ci/build-web-template.sh --template FILE   takes FILE instead (an official web_nothreads_release.zip of the engine's
#                                              version, for instance) and only says whether it can be used
#
# The engine's source, Emscripten and the libraries that Debian takes out of the engine's source are Debian forky's, in a
# folder of their own in the user's cache; nothing on the system changes. Without threads, so that any web server will do, and
# without 3D, with the modules that the sample project needs. About 3 GB; half an hour to some hours, once. JOBS sets how many
# compilers run at the same time. Needs root (for chroot) and an x86_64 Debian. A build that was interrupted goes on.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cache=$cache_dir/web-template
root=$cache/root
template=$cache/web_nothreads_release.zip
# What the engine has in thirdparty/ and Debian's source package of it has not: folder there, Debian's source package, and
# the folder in that.
libraries="zlib:zlib:. zstd:libzstd:lib libpng:libpng1.6:. freetype:freetype:. brotli:brotli:c mbedtls:mbedtls:."

build_template() {
  [[ ! -f $template ]] || return 0 # built while this script waited
  [[ $(uname -m) == x86_64 ]] || die "this builds on x86_64 only."
  [[ $(id -u) == 0 ]] || die "this needs root: the compiler runs in a chroot."
  mkdir -p "$cache"
  [[ -f $cache/fetched ]] || fetch
  write_recipe >"$root/build/make-template"
  say "compiling (its output goes to $cache/build.log)"
  logged "$cache/build.log" "the template does not compile" chroot "$root" /bin/sh /build/make-template
  mv "$(find "$root/build/bin" -name 'godot.web.*.zip' | head -n 1)" "$template" || die "the build left no template: see $cache/build.log."
}

# The source, and what it is built with, in $root.
fetch() {
  : >"$cache/build.log"
  rm -rf "$cache/source" "$root"
  mkdir -p "$root/build" "$cache/source"
  say "downloading the engine's source, Emscripten and libraries from Debian forky (into $cache)"
  forky_apt "$cache"
  fetch_sources
  # A compiler needs a shell and its helpers around it; package management takes them for granted and does not name them.
  logged "$cache/build.log" "Emscripten cannot be downloaded" "${apt[@]}" -y --download-only install \
    base-files bash coreutils dash emscripten findutils grep python3 scons sed
  say "unpacking"
  for package in "$cache"/archives/archives/*.deb; do dpkg -x "$package" "$root"; done
  rm -rf "$cache/archives" "$cache/lists"
  mkdir -p "$root/dev" "$root/tmp" "$root/root"
  [[ -c $root/dev/null ]] || mknod -m 666 "$root/dev/null" c 1 3
  [[ -c $root/dev/urandom ]] || mknod -m 666 "$root/dev/urandom" c 1 9
  touch "$cache/fetched"
}

# The engine's source with its libraries put back.
fetch_sources() {
  local entry folder package inside
  fetch_source godot "$root/build"
  for entry in $libraries; do
    IFS=: read -r folder package inside <<<"$entry"
    fetch_source "$package" "$cache/source/$folder"
    mkdir -p "$root/build/thirdparty/$folder"
    cp -R "$cache/source/$folder/$inside/." "$root/build/thirdparty/$folder/"
  done
  cp "$root/build/thirdparty/libpng/scripts/pnglibconf.h.prebuilt" "$root/build/thirdparty/libpng/pnglibconf.h"
  install -D /dev/null "$root/build/thirdparty/certs/ca-bundle.crt"
  write_mbedtls_files "$root/build/thirdparty/mbedtls"
  rm -rf "$cache/source"
}

# Unpacks Debian's source package $1 into folder $2. A mirror's list may name versions that the mirror has not: the newest that
# it has is taken.
fetch_source() {
  local folder=$cache/source/$1.package version archive
  mkdir -p "$folder" "$2"
  for version in $(apt-cache "${apt[@]:1}" showsrc "$1" | sed -n 's/^Version: //p' | sort -rV); do
    (cd "$folder" && "${apt[@]}" source --download-only "$1=$version") >>"$cache/build.log" 2>&1 || true # judged by what has come
    archive=$(find "$folder" -name '*.orig.tar.*' ! -name '*.asc' | head -n 1)
    [[ -z $archive ]] || break
  done
  [[ -n ${archive:-} ]] || die "the source of $1 cannot be downloaded: see $cache/build.log."
  tar -xf "$archive" -C "$2" --strip-components=1
}

# The two files that the engine adds to its copy of Mbed TLS, from which its core takes hashes, AES and Base64.
write_mbedtls_files() {
  cat >"$1/include/godot_core_mbedtls_config.h" <<'HEADER'
#pragma once
#include <limits.h>
#define MBEDTLS_CIPHER_MODE_CBC
#define MBEDTLS_CIPHER_MODE_CFB
#define MBEDTLS_CIPHER_MODE_CTR
#define MBEDTLS_CIPHER_MODE_XTS
#define MBEDTLS_AES_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_CTR_DRBG_C
#define MBEDTLS_ENTROPY_C
#define MBEDTLS_MD_C
#define MBEDTLS_MD5_C
#define MBEDTLS_SHA1_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_PLATFORM_ZEROIZE_ALT
#define MBEDTLS_NO_PLATFORM_ENTROPY
HEADER
  cat >"$1/library/godot_core_mbedtls_platform.c" <<'SOURCE'
#include <stdlib.h>
#include <string.h>
static void *(*const volatile fill)(void *, int, size_t) = memset;
void mbedtls_platform_zeroize(void *buffer, size_t length) { fill(buffer, 0, length); }
void mbedtls_zeroize_and_free(void *buffer, size_t length) {
  if (buffer) mbedtls_platform_zeroize(buffer, length);
  free(buffer);
}
SOURCE
}

# What runs in the chroot. Several sources at once are one unit for the compiler (scu_build), which makes it much quicker. Not
# with deprecated=no: exports for the web tell the engine of the stand-ins by a setting that it then does not read.
write_recipe() {
  cat <<RECIPE
cd /build || exit 1
export HOME=/root EM_CACHE=/root/emscripten-cache BUILD_NAME=minimal
exec scons platform=web target=template_release arch=wasm32 threads=no dlink_enabled=no lto=none debug_symbols=no \\
  -j${JOBS:-$(nproc)} scu_build=yes optimize=size disable_3d=yes use_closure_compiler=no werror=no \\
  modules_enabled_by_default=no module_gdscript_enabled=yes module_multiplayer_enabled=yes module_websocket_enabled=yes \\
  module_text_server_fb_enabled=yes module_freetype_enabled=yes \\
  builtin_certs=no disable_physics_2d=yes disable_navigation_2d=yes
RECIPE
}

case ${1:-} in
  --template)
    [[ -f ${2:-} ]] || die "--template needs a file, and '${2:-}' is none."
    python3 -m zipfile -l "$2" 2>/dev/null | grep -q '^godot\.wasm ' || die "$2 holds no godot.wasm: it is no web template."
    realpath "$2"
    ;;
  "")
    [[ -f $template ]] || with_lock "$cache_dir/web-template.lock" build_template
    echo "$template"
    ;;
  *) die "unknown option '$1' (known: --template FILE)." ;;
esac
