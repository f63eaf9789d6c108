#!/usr/bin/env bash
# Many published ports of one container, beside docker and netavark: what they take as whole commands, and how many
# processes serve them. Called by run.sh, inside namespaces of its own; alone:
#
#   PONTOON_BIN=target/release unshare -nmpf --mount-proc bash tests/benches/ports.sh
#
# What Pontoon takes for ten thousand, and what a connection costs: `cargo bench -p tests --bench ports`.
here=$(cd "$(dirname "$0")/../.." && pwd)
PONTOON_BIN=$(realpath "$PONTOON_BIN")
# shellcheck source=tests/src/lab/stage.sh
. "$here/tests/src/lab/stage.sh"
# shellcheck source=tests/benches/peers.sh
. "$here/tests/benches/peers.sh"
export PATH=$PONTOON_BIN:$PATH

# seconds CMD...: as a number.
seconds() {
  local start=${EPOCHREALTIME/./}
  "$@" >/dev/null 2>/run/lab/error || { echo "failed: $(tail -1 /run/lab/error)"; return; }
  awk -v t=$((${EPOCHREALTIME/./} - start)) 'BEGIN {printf "%.2f", t / 1e6}'
}
# row CLIENT IMAGE PORTS: publishes, and removes.
row() {
  local client=$1 image=$2 ports=$3 processes start
  processes=$(ps -e -o pid= | wc -l)
  start=$(seconds "$client" run -d --name many -p "10000-$((9999 + ports)):10000-$((9999 + ports))" "$image" sleep 100000)
  processes=$(($(ps -e -o pid= | wc -l) - processes))
  echo "| $client | $ports | $start | $processes | $(seconds "$client" rm -f many) |"
}

netd --data-root /run/lab/data --cgroup-parent "/pontoon-bench-$$-$(date +%s)" > /run/lab/netd.log 2>&1 &
netd=$!
wait_for pontoon version
echo "| | ports | \`run -d\`, s | processes | \`rm -f\`, s |"; echo "|---|---|---|---|---|"
for ports in 1 100 1000 10000; do row pontoon host $ports; done
kill $netd; wait $netd || true

# netavark alone: the same for a namespace that is there, as podman has it done; no ports are held.
navark=/usr/lib/podman/netavark
if [ -x $navark ]; then
  for ports in 1 100 1000; do
    ip netns add many
    printf '{"container_id":"%064x","container_name":"many","port_mappings":[{"container_ip":"","container_port":10000,"host_ip":"","host_port":10000,"protocol":"tcp","range":%d}],"networks":{"n1":{"static_ips":["10.50.0.2"],"interface_name":"eth0"}},"network_info":{"n1":{"name":"n1","id":"%064x","driver":"bridge","network_interface":"brt0","subnets":[{"subnet":"10.50.0.0/16","gateway":"10.50.0.1"}],"ipv6_enabled":false,"internal":false,"dns_enabled":false,"ipam_options":{"driver":"host-local"}}}}' \
      1 $ports 4660 > /run/lab/many.json
    mkdir -p /run/lab/netavark
    call() { $navark --config /run/lab/netavark "$1" /run/netns/many < /run/lab/many.json; }
    echo "| netavark, attach and detach alone | $ports | $(seconds call setup) | 0 | $(seconds call teardown) |"
    ip netns del many
  done
fi
if start_docker /proc/self/ns/net; then
  for ports in 1 100; do row docker img $ports; done
fi
