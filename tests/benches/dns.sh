#!/usr/bin/env bash
# The resolver in a container's namespace beside aardvark-dns and docker's, each asked by dnsperf. Called by run.sh, inside namespaces of
# its own; alone:
#
#   PONTOON_BIN=target/release unshare -nmpf --mount-proc bash tests/benches/dns.sh [SECONDS]
#
# Names, kinds of question and load are the same for all. aardvark answers over loopback, without the veth and the bridge
# that a container's questions to it would cross; ours pass the redirection of port 53 that they pass in every container.
seconds=${1:-5} # of each measurement
here=$(cd "$(dirname "$0")/../.." && pwd)
PONTOON_BIN=$(realpath "$PONTOON_BIN")
# shellcheck source=tests/src/lab/stage.sh
. "$here/tests/src/lab/stage.sh"
# shellcheck source=tests/benches/peers.sh
. "$here/tests/benches/peers.sh"
export PATH=$PONTOON_BIN:/usr/lib/podman:$PATH
work=/run/lab/dns; mkdir -p $work

# ask NAME SERVER FILE PROGRAM COMMAND...: a row of rate, lost, p50, p99, and what PROGRAM, which answers, took of the
# processors for each question; COMMAND goes before dnsperf. Rate under load of eight clients with 64 questions each; times
# of one client with one question. A rate may be what dnsperf can ask, with the processor that is left to it.
ask() {
  local name=$1 server=$2 file=$3 program=$4 spent; shift 4
  spent=$(spent "$program")
  rate=$("$@" dnsperf -s "$server" -d "$file" -l "$seconds" -c 8 -q 64 -T 1 2>/dev/null)
  spent=$(($(spent "$program") - spent))
  "$@" dnsperf -s "$server" -d "$file" -l "$seconds" -c 1 -q 1 -T 1 -v 2>/dev/null | awk '$1 == ">" {print $NF * 1e6}' | sort -n > $work/times
  local count; count=$(wc -l < $work/times)
  printf '| %s | %.0f | %s | %.0f | %.0f | %.1f |\n' "$name" \
    "$(awk '/Queries per second/ {print $4}' <<< "$rate")" "$(awk '/Queries lost/ {print $3}' <<< "$rate")" \
    "$(sed -n "$((count / 2))p" $work/times)" "$(sed -n "$((count * 99 / 100))p" $work/times)" \
    "$(awk -v spent="$spent" '/Queries completed/ {print $3 ? spent / $3 : 0}' <<< "$rate")"
}
# spent PROGRAM: microseconds of processors that it has had (proc_pid_stat(5): fields 14 and 15, in ticks of 10 ms).
spent() { awk '{print ($14 + $15) * 10000}' "/proc/$(pgrep -xo "$1")/stat"; }
# questions COUNT: files with questions about COUNT names.
questions() {
  seq 0 19999 | awk -v n="$1" '{print "n" int(($1 * 7919) % n) " A"}' > "$work/a"
  seq 0 19999 | awk -v n="$1" '{print "n" int(($1 * 7919) % n) " AAAA"}' > "$work/aaaa"
  echo "9.0.80.10.in-addr.arpa PTR" > "$work/ptr"
  echo "nobody.here.example A" > "$work/nx"
  echo "up.example A" > "$work/up"
  seq 0 19999 | sed 's/.*/f&.fresh.example A/' > "$work/fresh"
}

# Upstream: knows one name, and those below `fresh.example` for no time at all, so that each question is forwarded; denies
# all others.
python3 "$here/tests/benches/upstream.py" 127.0.0.53 &
printf 'nameserver 127.0.0.53\n' > /run/lab/resolv.conf

netd --data-root /run/lab/data --cgroup-parent "/pontoon-bench-$$-$(date +%s)" > /run/lab/netd.log 2>&1 &
wait_for pontoon version
pontoon network create --subnet 10.80.0.0/16 web >/dev/null
pontoon run -d --name asker --network web --ip 10.80.0.9 host sleep 100000 >/dev/null
inside=(nsenter "--net=$(echo /run/netns/pontoon-[0-9a-f]*)") # ready namespaces are pontoon-pool-N

echo "| | questions/s | lost | p50 us | p99 us | processors, us a question |"; echo "|---|---|---|---|---|---|"
for count in 10 10000; do
  # Records stand for aliases: ten thousand of them are more than one command line takes.
  seq -f 'n%.0f' 0 $((count - 1)) | xargs -P 2 -I{} sh -c 'pontoon network record add web {} A 10.80.1.1 2>/dev/null || true'
  questions "$count"
  for kind in a aaaa ptr nx up fresh; do ask "Pontoon, $count names, $kind" 127.0.0.11 $work/$kind netd "${inside[@]}"; done
done

if command -v aardvark-dns >/dev/null; then
  version=$(aardvark-dns --version 2>/dev/null | awk '/aardvark/ {print $2}')
  ip address add 10.80.0.1/16 dev lo; ip address add 10.80.0.9/16 dev lo
  for count in 10 10000; do
    config=$work/aardvark$count; mkdir -p $config
    names=$(seq -s, -f 'n%.0f' 0 $((count - 1)))
    printf '10.80.0.1\n%064d 10.80.0.9  asker\n%064d 10.80.1.1  %s\n' 1 2 "$names" > $config/web
    aardvark-dns --config $config -p 53 run > /run/lab/aardvark.log 2>&1 & aardvark=$!
    wait_for dig +short +tries=1 +time=1 @10.80.0.1 -b 10.80.0.9 n0
    questions "$count"
    for kind in a aaaa nx up fresh; do ask "aardvark $version, $count names, $kind" 10.80.0.1 $work/$kind aardvark-dns; done
    # It puts itself into the background, and writes down who it is.
    kill $aardvark 2>/dev/null || kill "$(cat $config/aardvark.pid)"
    wait_for sh -c "! ss -Hlun src 10.80.0.1 | grep -q ."
  done
fi

# docker answers in the namespace of the asker too. The upstream is at the gateway: it is asked from there. Ten containers
# share the aliases, since a command line holds a thousand.
if start_docker /proc/self/ns/net; then
  version=$(docker version -f '{{.Server.Version}}')
  docker network create --subnet 10.81.0.0/16 web >/dev/null
  python3 "$here/tests/benches/upstream.py" 10.81.0.1 &
  for count in 10 10000; do
    questions "$count"
    echo "9.0.81.10.in-addr.arpa PTR" > "$work/ptr"
    for part in $(seq 0 9); do
      mapfile -t aliases < <(seq -f '--network-alias=n%.0f' $((part * count / 10)) $(((part + 1) * count / 10 - 1)))
      docker run -d --name "c$part" --network web --ip "10.81.0.$((9 + part))" --dns 10.81.0.1 "${aliases[@]}" img sleep 100000 >/dev/null
    done
    inside=(nsenter "--net=/proc/$(docker inspect -f '{{.State.Pid}}' c0)/ns/net")
    for kind in a aaaa ptr nx up fresh; do ask "docker $version, $count names, $kind" 127.0.0.11 $work/$kind dockerd "${inside[@]}"; done
    docker ps -q | xargs docker rm -f >/dev/null
  done
fi
