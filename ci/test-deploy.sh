#!/usr/bin/env bash
# What docs/deploy.md tells operators: the example server with its health check, its drain and its metrics (judged by Prometheus'
# promtool), the Kubernetes manifests against their schemas (kubernetes-validate from PyPI; for Agones, whose own kinds it
# does not know, the pods in them), the systemd unit (systemd-analyze, where there is one). Installs Debian's prometheus, for
# promtool, and curl when they are missing, which needs root. The Dockerfile is looked at by nobody here.
#
#   ci/test-deploy.sh      needs the addon in godot-project/addons (ci/build.sh puts it there)
#
# The last line is "N passed, N failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet=$root_dir/ci/fleet

# The status of the page $1.
status() { curl -s -m 10 -o "$scratch/page" -w '%{http_code}' "http://127.0.0.1:$port$1"; }

# The metric $1 is $2.
shows() {
  curl -s -m 10 "http://127.0.0.1:$port/metrics" >"$scratch/metrics"
  grep -qx "$1 $2" "$scratch/metrics" || { grep "^$1 " "$scratch/metrics" >&2; return 1; }
}

promtool_accepts() {
  curl -s -m 10 "http://127.0.0.1:$port/metrics" >"$scratch/metrics"
  promtool check metrics <"$scratch/metrics"
}

exits_with_0() {
  local deadline=$((SECONDS + 15))
  while is_running "$1" && ((SECONDS < deadline)); do sleep 0.1; done
  ! is_running "$1" && wait "$1"
}

operated_server() {
  local server client answer
  port=$(free_port)
  # Without `timeout`, which would take the signal.
  start "$scratch/server.log" "$GODOT" --headless --path "$project" -s res://tests/examples.gd -- res://demo/fleet/operated_server.gd "port=$port"
  server=$pid
  check "the server listens" wait_for_line "$scratch/server.log" "listening on port $port: OK" 40 "$server"
  check "it is healthy" test "$(status /health)$(status /alive)$(status /nothing)" = 200200404
  start "$scratch/client.log" timeout --kill-after=5 60 "$GODOT" --headless --path "$project" -s res://tests/lifecycle/drain.gd -- \
    clients "port=$port" count=1
  client=$pid
  check "a client comes in" wait_for_line "$scratch/client.log" '^IN$' 40 "$client"
  check "promtool accepts its metrics" promtool_accepts
  check "the client is counted" shows game_connections 1
  check "so is that it came" shows game_connections_total 1
  check "memory is told" bash -c '(( $(sed -n "s/^game_memory_bytes //p" "$1") > 1000000 ))' - "$scratch/metrics"
  kill -TERM "$server"
  sleep 0.5
  check "it is not healthy while it drains" test "$(status /health)$(status /alive)" = 503200
  answer=$(python3 "$fleet/client.py" "$port" 127.0.0.1 "" || true)
  check "newcomers are refused" test "${answer#* }" = "503 Retry-After: 5"
  check "refusals are counted" shows game_refused_full_total 1
  check "it ends with exit code 0" exits_with_0 "$server"
  stop "$client"
  count_failures "$(complaints "$scratch/server.log")"
}

# The fields of the pod template in the document of kind $2 of file $1, as a pod.
pod_of() {
  PYTHONPATH=$site python3 - "$1" "$2" <<'END'
import sys, yaml
for document in yaml.safe_load_all(open(sys.argv[1])):
    if document["kind"] == sys.argv[2]:
        spec = document["spec"]["template"]["spec"]["template"]["spec"]
        print(yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "game"}, "spec": spec}))
END
}

validates() { PYTHONPATH=$site python3 -m kubernetes_validate --strict -k "$1" "$2"; }

is_refused() { ! validates 1.31 "$1" >"$scratch/refused.log" 2>&1; }

# What stands in docs/deploy.md is what was tried.
is_quoted() {
  python3 -c 'import sys; sys.exit(open(sys.argv[1]).read() not in open(sys.argv[2]).read())' \
    "$project/demo/fleet/operated_server.gd" "$root_dir/docs/deploy.md"
}

manifests() {
  local version
  if lacks "the manifests" "python3 with pip" has_pip; then return; fi
  pip_site deploy "$fleet/requirements.txt"
  pod_of "$fleet/agones.yaml" Fleet >"$scratch/pod.yaml"
  for version in 1.27 1.31; do
    check "kubernetes.yaml, Kubernetes $version" validates "$version" "$fleet/kubernetes.yaml"
    check "the pods of agones.yaml, Kubernetes $version" validates "$version" "$scratch/pod.yaml"
  done
  sed 's/containerPort: 9080/containerPort: nine/' "$fleet/kubernetes.yaml" >"$scratch/wrong.yaml"
  check "a wrong manifest is noticed" is_refused "$scratch/wrong.yaml"
}

unit() {
  # The program of the unit is not on this machine.
  sed -e 's#^ExecStart=[^ ]*#ExecStart=/bin/true#' -e '/^User=/d' "$fleet/game.service" >"$scratch/game.service"
  systemd-analyze verify "$scratch/game.service"
}

find_godot
ensure_addon
prepare_project "$project"
make_scratch
need promtool prometheus
need curl curl
need python3 python3
operated_server
manifests
if command -v systemd-analyze >/dev/null; then check "game.service" unit; else say "NOT RUN: game.service, this needs systemd-analyze"; fi
for file in nginx.conf nginx-stream.conf haproxy.cfg haproxy-fleet.cfg deploy-hook.sh Dockerfile game.service kubernetes.yaml agones.yaml \
  nats.conf; do
  check "docs/deploy.md links $file" grep -qF "(../ci/fleet/$file)" "$root_dir/docs/deploy.md"
done
check "docs/deploy.md quotes the server with metrics" is_quoted
finish
