#!/usr/bin/env bash
# Runs every test; installs an engine and builds the addon first where that is needed.
#
#   ci/test.sh              everything
#   ci/test.sh rust engine  only the named steps
#
# Steps: install (two installations of the engine at once, on a machine that has none), rust (unit and loopback tests), valgrind (packets handed to the engine as raw pointers),
# engine (the GDScript suite on the built-in classes, on ours, and mixed), client (the node that stays connected, on the
# built-in class and on ours), restarts (a server that is killed and started again, for the node and for the demo), examples (the scripts that people copy), roots
# (whom a TLS client trusts by default, in projects of different settings), members (every member as ClassDB shows it),
# api (the library asks for no class of an engine module), dropin (the addon alone in an empty project), builtin-names
# (the addon under the engine's own class names), export (the sample project as a Linux program), web (packs for browsers,
# run without the library), migrate (class names changed, and back), replace (a project that names the engine's classes runs on ours, and exported too), editor (an editor in a window of its own: it prints nothing, icons, help, completion), autobahn (the Autobahn
# test suite: RFC 6455 whole, a part of RFC 7692), peers (Node's ws and Python's websockets), chromium (a page in a
# headless browser), interop (TLS with OpenSSL and nginx), fleet (servers behind nginx and HAProxy, and certificates that renew), proxies (clients through tinyproxy, squid, microsocks and dante), nats (the sample project's NATS client and a real server),
# demo-fleet (three servers behind HAProxy, one drained, one killed), deploy (what docs/deploy.md tells operators), hostile (some of the attacks of ci/test-hostile.sh), fuzz (each target for twenty seconds), lifecycle (quitting, reloading, ten thousand connections).
# The steps with other people's programs need python3 with pip, node with npm, and chromium, OpenSSL, nginx, HAProxy and nats-server (installed
# if run as root). Where one is missing its step says NOT RUN and why; in CI (CI=true) that is a failure.
# Ends with one line, `N passed, N failed`; exits non-zero if anything failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. ci/lib.sh

all_steps=(install rust valgrind engine client restarts examples roots lifecycle members api dropin builtin-names export web editor migrate replace autobahn peers chromium interop fleet proxies nats demo-fleet deploy hostile fuzz)
make_scratch
times=()

# Prints "PASSED FAILED", summed over the closing lines of cargo's or our own test runners in $1.
count() {
  awk '
    /^test result: / { p += $4; f += $6; seen = 1 }
    /^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; seen = 1 }
    END { if (seen) print p + 0, f + 0; else print 0, 0 }' "$1"
}

# Runs one step and adds up its tests; a step that fails without naming a failed test counts as one.
run_step() {
  local name=$1 log=$scratch/$1 status p f began=$SECONDS
  shift
  say "$name: $*"
  "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  read -r p f < <(count "$log")
  if ((status != 0 && f == 0)); then f=1; fi
  if ((status == 0 && p + f == 0)); then
    say "$name ended well but ran no test"
    f=1
  fi
  passed=$((passed + p)) failed=$((failed + f))
  times+=("$(printf '%-14s %5d s  %d passed, %d failed' "$name" $((SECONDS - began)) "$p" "$f")")
}

step_install() { lacks install "Debian's packages of the engine (x86_64, apt)" can_unpack || run_step install ci/test-install.sh; }
step_rust() { run_step rust cargo test --locked --workspace --quiet; }
step_valgrind() { lacks valgrind "valgrind on Linux (root could install it)" obtainable valgrind || run_step valgrind ci/test-valgrind.sh; }
step_engine() { run_step engine ci/test-engine.sh; }
step_client() { run_step client ci/test-client.sh; }
step_restarts() { run_step restarts ci/test-restarts.sh; }
step_examples() { lacks examples "curl (root could install it)" obtainable curl || run_step examples ci/test-examples.sh; }
step_roots() { run_step roots ci/test-roots.sh; }
step_lifecycle() {
  local parts=() # all
  if lacks "lifecycle, drain" "python3 (root could install it)" obtainable python3; then parts=(quit reload flood endurance monitors descriptors); fi
  run_step lifecycle ci/test-lifecycle.sh "${parts[@]}"
}
step_members() { run_step members ci/test-members.sh; }
step_api() { run_step api ci/test-api.sh; }
step_dropin() { run_step dropin ci/test-dropin.sh; }
step_builtin-names() { run_step builtin-names ci/test-builtin-names.sh; }
step_export() { run_step export ci/test-export.sh; }
step_web() { run_step web ci/test-web.sh; }
step_migrate() { run_step migrate ci/test-migrate.sh; }
step_replace() { run_step replace ci/test-replace.sh; }
step_editor() { lacks editor "Xvfb (root could install it)" obtainable Xvfb || run_step editor ci/test-editor.sh; }
step_autobahn() { lacks autobahn "python3 with pip" has_pip || run_step autobahn ci/autobahn.sh ci; }
step_peers() { lacks peers "python3 with pip, and node with npm" has_pip_and_npm || run_step peers ci/test-peers.sh ws websockets; }
step_chromium() { lacks chromium "chromium (root could install it)" obtainable chromium || run_step chromium ci/test-peers.sh chromium; }
step_interop() { lacks interop "openssl and nginx (root could install them)" obtainable openssl nginx || run_step interop ci/test-interop.sh; }
step_fleet() { lacks fleet "openssl, nginx, haproxy, chromium, curl and python3 (root could install them)" obtainable openssl nginx haproxy chromium curl python3 || run_step fleet ci/test-fleet.sh; }
step_proxies() { lacks proxies "tinyproxy, squid, microsocks or dante (root could install them)" any_obtainable tinyproxy squid microsocks danted || run_step proxies ci/test-proxies.sh; }
step_hostile() { lacks hostile "Linux" test -r /proc/self/schedstat || run_step hostile ci/test-hostile.sh --short; }

step_nats() { lacks nats "nats-server (root could install it)" obtainable nats-server || run_step nats ci/test-nats.sh; }
step_demo-fleet() { lacks demo-fleet "haproxy and nats-server (root could install them)" obtainable haproxy nats-server || run_step demo-fleet ci/demo-fleet.sh --seconds=30; }
step_deploy() { lacks deploy "promtool, curl and python3 (root could install them)" obtainable promtool curl python3 || run_step deploy ci/test-deploy.sh; }

step_fuzz() { run_step fuzz ci/fuzz.sh 20; }

# Whether one of the programs named is there, or root could install it.
any_obtainable() { local program; for program in "$@"; do if obtainable "$program"; then return 0; fi; done; return 1; }

can_unpack() { [[ $(uname -m) == x86_64 ]] && command -v dpkg >/dev/null && debian_mirror >/dev/null; }

steps=("$@")
if ((${#steps[@]} == 0)); then steps=("${all_steps[@]}"); fi
for step in "${steps[@]}"; do
  declare -F "step_$step" >/dev/null || die "unknown step '$step' (known: ${all_steps[*]})"
done

command -v cargo >/dev/null || die "cargo is missing: install Rust 1.94 or newer (https://rustup.rs)."
find_godot
ci/build.sh || die "the addon could not be built."
for step in "${steps[@]}"; do "step_$step"; done

say "how long each step took:"
printf '  %s\n' "${times[@]}" >&2
finish
