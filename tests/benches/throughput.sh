#!/usr/bin/env bash
# One TCP stream by iperf3: between two containers, from the LAN and from the host to a published port; beside a bare veth
# and bridge without any rule (from the LAN also beside one with a single rule), and beside docker where it is installed.
# Rounds take turns. Called by run.sh, inside namespaces of its own; alone:
#
#   PONTOON_BIN=target/release unshare -nmpf --mount-proc bash tests/benches/throughput.sh [ROUNDS [SECONDS]]
rounds=${1:-5} seconds=${2:-2}
here=$(cd "$(dirname "$0")/../.." && pwd)
PONTOON_BIN=$(realpath "$PONTOON_BIN")
# shellcheck source=tests/src/lab/stage.sh
. "$here/tests/src/lab/stage.sh"
# shellcheck source=tests/benches/peers.sh
. "$here/tests/benches/peers.sh"
export PATH=$PONTOON_BIN:$PATH
work=/run/lab/throughput; mkdir -p $work

# measure NAME NAMESPACE ADDRESS PORT: Gbit/s from NAMESPACE to the server there.
measure() {
  local name=$1 from=$2 address=$3 port=$4
  nsenter "--net=$from" iperf3 -c "$address" -p "$port" -t "$seconds" -J 2>/dev/null \
    | jq -r '.end.sum_received.bits_per_second / 1e9' >> "$work/$name"
}
median() { sort -n "$work/$1" 2>/dev/null | awk '{a[NR] = $1} END {if (NR) print a[int((NR + 1) / 2)]; else print "nan"}'; }
# lan NAME HOST: a LAN host joined to the namespace HOST: 198.51.100.2 there, 198.51.100.1 here.
lan() {
  ip netns add "$1"
  nsenter "--net=$2" ip link add lan0 type veth peer name eth0 netns "$1"
  nsenter "--net=$2" ip address add 198.51.100.1/24 dev lan0
  nsenter "--net=$2" ip link set lan0 up
  ip -n "$1" address add 198.51.100.2/24 dev eth0; ip -n "$1" link set eth0 up
  ip -n "$1" route add default via 198.51.100.1
}

# bare NAME: a host with a bridge and two namespaces, NAME2 with a server, and a LAN host NAME-client.
bare() {
  ip netns add "$1"
  ip -n "$1" link set lo up
  ip netns exec "$1" sysctl -qw net.ipv4.ip_forward=1
  ip -n "$1" link add br0 type bridge; ip -n "$1" address add 10.88.0.1/16 dev br0; ip -n "$1" link set br0 up
  for n in 2 3; do
    ip netns add "$1$n"
    ip -n "$1" link add v$n up master br0 type veth peer name eth0 netns "$1$n"
    ip -n "$1$n" address add 10.88.0.$n/16 dev eth0; ip -n "$1$n" link set eth0 up
    ip -n "$1$n" route add default via 10.88.0.1
  done
  lan "$1-client" "/run/netns/$1"
  nsenter "--net=/run/netns/${1}2" iperf3 -s -D
}

# The kernel alone, and with one rule for the server.
bare bare
bare rule
ip netns exec rule nft 'add table ip t; add chain ip t c { type nat hook prerouting priority -100; };
  add rule ip t c tcp dport 5201 dnat to 10.88.0.2'

netd --data-root /run/lab/data --cgroup-parent "/pontoon-bench-$$-$(date +%s)" > /run/lab/netd.log 2>&1 &
wait_for pontoon version
pontoon network create --subnet 10.80.0.0/16 web >/dev/null
pontoon run -d --name server --network web --ip 10.80.0.2 -p 5201:5201 host iperf3 -s >/dev/null
pontoon run -d --name client --network web --ip 10.80.0.3 host sleep 100000 >/dev/null
inside() { echo "/proc/$(pontoon inspect -f '{{.State.Pid}}' "$1")/ns/net"; }
ours_client=$(inside client)
lan ours-client /proc/self/ns/net

docker=
ip netns add beside; ip -n beside link set lo up
if start_docker /run/netns/beside; then
  docker network create --subnet 10.81.0.0/16 web >/dev/null
  docker run -d --name server --network web --ip 10.81.0.2 -p 5201:5201 img sleep 100000 >/dev/null
  docker run -d --name client --network web --ip 10.81.0.3 img sleep 100000 >/dev/null
  docker_inside() { echo "/proc/$(docker inspect -f '{{.State.Pid}}' "$1")/ns/net"; }
  nsenter "--net=$(docker_inside server)" iperf3 -s -D
  docker_client=$(docker_inside client)
  lan docker-client /run/netns/beside
  docker=yes
fi

for _ in $(seq "$rounds"); do
  measure bare-between /run/netns/bare3 10.88.0.2 5201
  measure ours-between "$ours_client" 10.80.0.2 5201
  [ -z $docker ] || measure docker-between "$docker_client" 10.81.0.2 5201
  measure bare-lan /run/netns/bare-client 10.88.0.2 5201
  measure rule-lan /run/netns/rule-client 198.51.100.1 5201
  measure ours-lan /run/netns/ours-client 198.51.100.1 5201
  [ -z $docker ] || measure docker-lan /run/netns/docker-client 198.51.100.1 5201
  measure bare-host /run/netns/bare 10.88.0.2 5201
  measure ours-host /proc/self/ns/net 198.51.100.1 5201
  [ -z $docker ] || measure docker-host /run/netns/beside 198.51.100.1 5201
done

echo "| Gbit/s | veth and bridge alone | Pontoon | ratio | docker | ratio |"; echo "|---|---|---|---|---|---|"
for way in between lan host; do
  case $way in
    between) name="between two containers" ;;
    lan) name="LAN to a published port" ;;
    host) name="host to a published port" ;;
  esac
  awk -v n="$name" -v f="$(median bare-$way)" -v o="$(median ours-$way)" -v d="$(median docker-$way)" \
    'BEGIN {printf "| %s | %.1f | %.1f | %.2f | %.1f | %.2f |\n", n, f, o, o / f, d, d / f}'
done
awk -v f="$(median bare-lan)" -v r="$(median rule-lan)" -v o="$(median ours-lan)" \
  'BEGIN {printf "LAN to a port that the only rule of a host leads on: %.1f, of veth and bridge alone %.2f; Pontoon of that %.2f\n", r, r / f, o / r}'
