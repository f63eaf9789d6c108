#!/usr/bin/env bash
# The story of Pontoon in one command: networks, names, published ports, lifecycles, a killed daemon.
#
#   examples/quickstart.sh [--keep]
#
# Root only. Builds what is missing (or takes the programs in $PONTOON_BIN), then plays in a network, mount and PID
# namespace of its own, with its own netd: the machine's interfaces, rules and files are not touched, and nothing is
# left at the end. With --keep the last story's containers stay, and a shell in the stage opens; `exit` ends both.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
keep=no
case "$*" in
  "") ;;
  --keep) keep=yes ;;
  *) echo "quickstart: unknown option: $*; usage: examples/quickstart.sh [--keep]" >&2; exit 1 ;;
esac
[ "$(id -u)" = 0 ] || { echo "quickstart: run this as root: it makes namespaces" >&2; exit 1; }

if [ -z "${PONTOON_STAGE:-}" ]; then
  if [ -z "${PONTOON_BIN:-}" ]; then
    PONTOON_BIN=$here/target/release
    (cd "$here" && cargo build --release -p netd -p netd-runtime -p pontoon)
  fi
  cgroup=pontoon-quickstart-$$
  set +e
  PONTOON_STAGE=$cgroup PONTOON_BIN=$(cd "$PONTOON_BIN" && pwd) \
    unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc bash "$0" "$@"
  code=$?
  # Cgroups are the machine's; with the last process of the stage they are empty.
  find /sys/fs/cgroup -depth -type d -path "*$cgroup*" -exec rmdir {} \; 2>/dev/null
  exit $code
fi

# ---- The stage: a host with a /run of its own, and a second host on its LAN.
# shellcheck source=tests/src/lab/stage.sh
. "$here/tests/src/lab/stage.sh"
ip netns add lan
ip link add lan0 type veth peer name eth0 netns lan
ip address add 198.51.100.1/24 dev lan0
ip link set lan0 up
ip -n lan link set lo up
ip -n lan address add 198.51.100.2/24 dev eth0
ip -n lan link set eth0 up
ip -n lan route add default via 198.51.100.1

export PATH=$PONTOON_BIN:$PATH
socket=/run/pontoon/pontoon.sock
echo '{"bip": "10.10.0.1/16"}' > /run/lab/netd.json
for name in c1 c2; do mkdir -p /run/lab/$name && echo "the page of $name" > /run/lab/$name/index.html; done

# ---- How the story is told: every command is shown, and what it must say is checked.
checks=0
fail() { printf '\nquickstart: %s\n' "$*" >&2; [ -s /run/lab/netd.log ] && { echo '--- netd' >&2; tail -20 /run/lab/netd.log >&2; }; exit 1; }
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
client=(pontoon)
c() { "${client[@]}" "$@"; }
show() { local words="$*"; printf '\033[2m$ %s\033[0m\n' "${words/#c /${client[*]} }"; }
# run CMD...: must succeed.
run() { show "$@"; "$@" || fail "\`$*\` failed"; }
# want PATTERN CMD...: must say PATTERN (extended regular expression), whatever it exits with; tried until it does.
want() {
  local pattern=$1 out; shift
  show "$@"
  for _ in $(seq 100); do
    out=$("$@" 2>&1 </dev/null) || true
    if grep -qE -- "$pattern" <<<"$out"; then echo "$out"; checks=$((checks + 1)); return; fi
    read -rt 0.1 <> <(:) || true
  done
  echo "$out"; fail "\`$*\` should say: $pattern"
}
# never PATTERN CMD...: must not say PATTERN.
never() {
  local pattern=$1 out; shift
  show "$@"
  out=$("$@" 2>&1 </dev/null) || true
  echo "$out"
  if grep -qE -- "$pattern" <<<"$out"; then fail "\`$*\` should not say: $pattern"; fi
  checks=$((checks + 1))
}
# code N CMD...: must exit with N.
code() {
  local wanted=$1 got=0; shift
  show "$@"
  "$@" </dev/null || got=$?
  [ "$got" = "$wanted" ] || fail "\`$*\` exited with $got, not $wanted"
  checks=$((checks + 1))
}
start_netd() {
  netd --config-file /run/lab/netd.json --data-root /run/lab/data --cgroup-parent "/$PONTOON_STAGE" \
    >> /run/lab/netd.log 2>&1 &
  netd=$!
  for _ in $(seq 200); do
    curl -fsS --unix-socket $socket http://pontoon/_ping >/dev/null 2>&1 && return
    kill -0 $netd 2>/dev/null || fail "netd has ended"
    read -rt 0.05 <> <(:) || true
  done
  fail "netd does not answer"
}
# Every kernel object of the host, a line each.
objects() {
  ip -o link show | awk -F': ' '{print $2}'; ls /run/netns; nft list tables
  awk '{print $5}' /proc/self/mountinfo | sort
  ps -e -o stat=,comm= | awk '$1 !~ /^Z/ {print $2}' | grep -E '^(netd|netd-shim|python3)' || true
}

# ---- The story, told with the client given in "$@".
story() {
  client=("$@")
  local address
  say "[$1] 1. A network"
  run c network create --subnet 192.168.0.0/24 monreseau0
  want 'monreseau0 +bridge +local' c network ls
  want '"Subnet": "192.168.0.0/24"' c network inspect monreseau0

  say "[$1] 2. Two web servers with one alias, and names"
  for name in c1 c2; do
    run c run -d --name $name --network monreseau0 --net-alias search -v /run/lab/$name:/www:ro -w /www \
      -p "$([ $name = c1 ] && echo 8080 || echo 8081):8000" host python3 -m http.server 8000
  done
  run c run -d --name c3 --network monreseau0 host sleep 1000
  want '^192\.168\.0\.' c exec c3 getent hosts c1
  want '^192\.168\.0\.' c exec c3 getent hosts c2
  want '^2$' c exec c3 sh -c 'getent ahostsv4 search | cut -d" " -f1 | sort -u | wc -l'
  address=$(c inspect -f '{{.NetworkSettings.Networks.monreseau0.IPAddress}}' c1)
  want 'c1\.monreseau0' c exec c3 getent hosts "$address"
  want 'bytes from c1\.monreseau0' c exec c3 ping -c1 c1

  say "[$1] 3. Published ports"
  want 'the page of c1' curl -sS http://127.0.0.1:8080/
  want 'the page of c2' c exec c3 curl -sS http://search:8000/
  want 'the page of c1' c exec c3 curl -sS http://c1:8000/
  want 'the page of c2' ip netns exec lan curl -sS http://198.51.100.1:8081/
  want '198\.51\.100\.2 - -' c logs c2
  want 'Bind for 0\.0\.0\.0:8080 failed: port is already allocated' c run -d --name c4 -p 8080:8000 host sleep 1000
  run c rm -f c4
  run c run -d --name c4 --network monreseau0 -P --expose 8000 -v /run/lab/c1:/www -w /www host python3 -m http.server 8000
  want '8000/tcp -> 0\.0\.0\.0:[0-9]+' c port c4
  want 'the page of c1' ip netns exec lan curl -sS "http://198.51.100.1:$(c port c4 8000/tcp | head -1 | sed 's/.*://')/"

  say "[$1] 4. The default network, and a second one"
  run c run -d --name c5 host sleep 1000
  want '^10\.10\.0\.' c inspect -f '{{.NetworkSettings.IPAddress}}' c5
  code 2 c exec c5 getent hosts c1
  run c network connect monreseau0 c5
  want 'inet 192\.168\.0\.' c exec c5 ip -o -4 address show eth1
  want '^192\.168\.0\.' c exec c5 getent hosts c1
  want '^192\.168\.0\.' c exec c3 getent hosts c5
  run c network disconnect monreseau0 c5
  never 'eth1' c exec c5 ip -o link
  code 2 c exec c3 getent hosts c5

  say "[$1] 5. No network, the host's, another container's"
  never 'eth0' c run --rm --network none host ip -o link
  want 'lan0' c run --rm --network host host ip -o link
  want "$address" c run --rm --network container:c1 host ip -o -4 address

  say "[$1] 6. Life"
  want '^hello$' c exec c3 echo hello
  want 'pts/' script -qec "${client[*]} exec -it c3 tty" /dev/null
  want 'c1 .*|Up' c ps -a
  run c stop -t 1 c1
  want 'Exited' c ps -a --filter name=c1
  run c start c1
  want "^$address\$" c inspect -f '{{.NetworkSettings.Networks.monreseau0.IPAddress}}' c1
  want 'the page of c1' curl -sS http://127.0.0.1:8080/
  run c restart -t 1 c1
  want 'the page of c1' curl -sS http://127.0.0.1:8080/
  run c kill c3
  want '^137$' c wait c3
  run c start c3
  want 'GET / HTTP' timeout 1 "${client[@]}" logs -f c4
  want '8080' c port c1
  code 7 c run --rm host sh -c 'exit 7'
  code 127 c run --rm host no-such-command
  code 126 c run --rm host /etc/hostname
  code 125 c run --rm --network no-such-network host true

  say "[$1] 8. netd is killed, and nothing stops"
  local id; id=$(c inspect -f '{{.Id}}' c3)
  kill -KILL $netd; wait $netd 2>/dev/null || true
  want 'the page of c1' curl -sS http://127.0.0.1:8080/
  want 'the page of c2' ip netns exec lan curl -sS http://198.51.100.1:8081/
  show dig @127.0.0.11 c1 "(in the namespace of c3, while no netd runs)"
  ip netns exec "pontoon-${id:0:12}" dig +short +tries=1 +time=15 @127.0.0.11 c1 > /run/lab/answer &
  local asking=$!
  start_netd
  wait $asking || true
  want "^$address\$" cat /run/lab/answer
  want '^192\.168\.0\.' c exec c3 getent hosts c2
  want 'Up' c ps --filter name=c1
  want 'the page of c1' curl -sS http://127.0.0.1:8080/
}
# What the story made goes, with the same client.
clean() {
  say "[${client[0]}] The end"
  run c rm -f c1 c2 c3 c4 c5
  run c network rm monreseau0
}

before=$(objects)
start_netd
story pontoon
if command -v docker >/dev/null; then
  clean
  story docker -H unix://$socket
else
  echo "quickstart: no docker on the PATH: its half of the story is left out" >&2
fi

if [ $keep = yes ]; then
  say "The stage stays: this shell is in it, with the containers of the story. Try \`pontoon ps\`, \`curl 127.0.0.1:8080\`, \`ip netns exec lan curl 198.51.100.1:8081\`; \`exit\` ends it."
  PONTOON_HOST=unix://$socket DOCKER_HOST=unix://$socket PS1='pontoon stage \w# ' bash --norc || true
fi
clean

say "Nothing is left"
kill -TERM $netd; wait $netd || fail "netd did not end well"
for _ in $(seq 100); do
  [ "$(objects)" = "$before" ] && break
  read -rt 0.1 <> <(:) || true
done
diff <(echo "$before") <(objects) || fail "something is left"
echo "no link, namespace, mount, rule or process; $checks checks passed"
