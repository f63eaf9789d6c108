#!/usr/bin/env bash
# Whole commands of Pontoon beside those of its peers. Called by run.sh, inside namespaces of its own.
runs=$1
here=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/src/lab/stage.sh
. "$here/tests/src/lab/stage.sh"
# shellcheck source=tests/benches/peers.sh
. "$here/tests/benches/peers.sh"
export PATH=$PONTOON_BIN:$PATH
results=/run/lab/results; mkdir -p $results

# bench NAME CMD: median and minimum of a command line, in milliseconds, as a row.
bench() {
  hyperfine -N --warmup 3 --runs "$runs" --export-json "$results/$1.json" "$2" >/dev/null 2>&1 \
    || { rm -f "$results/$1.json"; echo "| $1 | failed: $(eval "$2" 2>&1 | tail -1) | |"; return; }
  jq -r --arg name "$1" '.results[0] | "| \($name) | \(.median * 1000 * 10 | round / 10) | \(.min * 1000 * 10 | round / 10) |"' \
    "$results/$1.json"
}
# crowd CLIENT IMAGE: seconds for 200 containers from eight clients at once, one published port each; to start and to remove.
crowd() {
  local client=$1 image=$2 start=${EPOCHREALTIME/./} middle
  export client image
  # shellcheck disable=SC2016 # expanded by each sh, with a number of its own
  seq 200 | xargs -P 8 -I{} sh -c '$client run -d --name crowd{} --network web -p $((30000 + {})):80 $image sleep 100000' >/dev/null
  middle=${EPOCHREALTIME/./}
  seq 200 | xargs -P 8 -I{} "$client" rm -f crowd{} >/dev/null
  awk -v name="$client" -v up=$((middle - start)) -v down=$((${EPOCHREALTIME/./} - middle)) \
    'BEGIN {printf "200 containers from eight clients, %s: %.1f s to start, %.1f s to remove\n", name, up / 1e6, down / 1e6}'
}
median() { jq -e '.results[0].median * 1000 | select(. > 0)' "$results/$1.json" 2>/dev/null || echo nan; }
memory() { awk '/^(Rss|Pss):/ {printf "%s %.2f MiB  ", $1, $2 / 1024}' "/proc/$1/smaps_rollup"; }

netd --data-root /run/lab/data --cgroup-parent "/pontoon-bench-$$-$(date +%s)" > /run/lab/netd.log 2>&1 &
netd=$!
wait_for pontoon version
echo "netd, idle: $(memory $netd)"
pontoon network create web >/dev/null
pontoon run -d --name keep --network web host sleep 100000 >/dev/null
echo "shim of an idle container: $(memory "$(pgrep -n -x netd-shim)")"

# The bundle of the bare runtimes: the same root, the same command, no network.
mkdir -p /run/lab/bundle/rootfs /run/lab/bundle/upper /run/lab/bundle/work
mount -t overlay overlay -o lowerdir=/,upperdir=/run/lab/bundle/upper,workdir=/run/lab/bundle/work /run/lab/bundle/rootfs
(cd /run/lab/bundle && runc spec && jq '.process.terminal = false | .process.args = ["true"] | del(.process.rlimits)' config.json > c && mv c config.json)

echo; echo "| command | median ms | min ms |"; echo "|---|---|---|"
bench "bare runc run" "runc --root /run/lab/runc run -b /run/lab/bundle x"
bench "bare crun run" "crun --root /run/lab/crun run -b /run/lab/bundle x"
bench "pontoon --version" "pontoon --version"
bench "pontoon run --rm, network + port" "pontoon run --rm --network web -p 8080:80 host true"
bench "pontoon run --rm, none" "pontoon run --rm --network none host true"
bench "pontoon exec" "pontoon exec keep true"
bench "pontoon network create + rm" "sh -c 'pontoon network create b && pontoon network rm b'"
bench "pontoon network connect + disconnect" "sh -c 'pontoon network connect bridge keep && pontoon network disconnect bridge keep'"
crowd pontoon host

if command -v podman >/dev/null; then
  # runc: crun refuses hybrid cgroups. Without CAP_SYS_RESOURCE neither ulimits nor OOM scores can be what podman wants.
  printf '[containers]\noom_score_adj = 0\ndefault_ulimits = []\n[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "/run/lab/podman/networks"\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "runc"\n' > /run/lab/containers.conf
  printf '[storage]\ndriver = "overlay"\nrunroot = "/run/lab/podman/run"\ngraphroot = "/run/lab/podman/storage"\n' > /run/lab/storage.conf
  export CONTAINERS_CONF=/run/lab/containers.conf CONTAINERS_STORAGE_CONF=/run/lab/storage.conf PODMAN_IGNORE_CGROUPSV1_WARNING=1
  busybox_root | podman import -q - img >/dev/null 2>&1
  podman network create web >/dev/null 2>&1
  bench "podman run --rm, network + port" "podman run --rm --network web -p 8081:80 img true"
  bench "podman network create + rm" "sh -c 'podman network create b && podman network rm b'"
  podman network create other >/dev/null 2>&1
  podman run -d --name keep --network web img sleep 100000 >/dev/null 2>&1
  bench "podman network connect + disconnect" "sh -c 'podman network connect other keep && podman network disconnect other keep'"
  podman rm -f -t 0 keep >/dev/null 2>&1
fi

# netavark alone: attach a namespace with one port, as podman has it done.
navark=/usr/lib/podman/netavark
if [ -x $navark ]; then
  mkdir -p /run/lab/netavark
  for i in $(seq 20); do
    ip netns add "nv$i"
    printf '{"container_id":"%064x","container_name":"c%d","port_mappings":[{"container_ip":"","container_port":80,"host_ip":"","host_port":%d,"protocol":"tcp","range":1}],"networks":{"n1":{"static_ips":["10.50.0.%d"],"interface_name":"eth0"}},"network_info":{"n1":{"name":"n1","id":"%064x","driver":"bridge","network_interface":"brt0","subnets":[{"subnet":"10.50.0.0/16","gateway":"10.50.0.1"}],"ipv6_enabled":false,"internal":false,"dns_enabled":false,"ipam_options":{"driver":"host-local"}}}}' \
      "$i" "$i" $((20000 + i)) $((i + 1)) 4660 > "/run/lab/netavark/$i"
    start=${EPOCHREALTIME/./}
    $navark --config /run/lab/netavark setup "/run/netns/nv$i" < "/run/lab/netavark/$i" >/dev/null 2>/run/lab/netavark.err && echo $((${EPOCHREALTIME/./} - start))
  done | sort -n | awk '{a[NR] = $1} END {if (NR) printf "| netavark attach, one port | %.1f | %.1f |\n", a[int((NR + 1) / 2)] / 1000, a[1] / 1000}'
  for i in $(seq 20); do $navark --config /run/lab/netavark teardown "/run/netns/nv$i" < "/run/lab/netavark/$i" >/dev/null 2>&1; ip netns del "nv$i"; done
fi

if start_docker /proc/self/ns/net; then
  docker network create web >/dev/null; docker run -d --name keep --network web img sleep 100000 >/dev/null
  bench "docker run --rm, network + port" "docker run --rm --network web -p 8080:80 img true"
  bench "docker exec" "docker exec keep true"
  bench "docker network create + rm" "sh -c 'docker network create b && docker network rm b'"
  bench "docker network connect + disconnect" "sh -c 'docker network connect bridge keep && docker network disconnect bridge keep'"
  crowd docker img
  docker rm -f keep >/dev/null; docker network rm web >/dev/null
fi
unset DOCKER_HOST

floor=$(median "bare crun run"); [ "$floor" = nan ] && floor=$(median "bare runc run")   # crun refuses hybrid cgroups
awk -v p="$(median 'pontoon run --rm, network + port')" -v f="$floor" \
  'BEGIN {printf "\npontoon run --rm with network and port / bare OCI runtime without: %.2f\n", p / f}'
awk -v p="$(median 'pontoon run --rm, network + port')" -v d="$(median 'docker run --rm, network + port')" \
  'BEGIN {if (d > 0) printf "docker / pontoon, the same: %.1f\n", d / p}'
pontoon rm -f keep >/dev/null; pontoon network rm web >/dev/null
kill -TERM $netd; wait $netd || true
