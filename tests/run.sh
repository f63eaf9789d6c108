#!/usr/bin/env bash
# All tests of Pontoon, on a fresh machine: installs what they need, builds, runs. Root only.
# Words after `--` go to the test runner: tests/run.sh -- some_test
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" = 0 ] || { echo "tests/run.sh: the tests make namespaces: run this as root" >&2; exit 1; }
[ "${1:-}" = -- ] && shift

# program:package, for each program that a test starts
needed=(nft:nftables iptables-nft:iptables conntrack:conntrack dig:dnsutils dnsperf:dnsperf busybox:busybox-static runc:runc crun:crun
        ping:iputils-ping arping:iputils-arping curl:curl jq:jq socat:socat nc:netcat-openbsd ip:iproute2 pkill:procps
        script:bsdutils python3:python3 shellcheck:shellcheck dnsmasq:dnsmasq-base setpriv:util-linux strip:binutils
        ufw:ufw firewalld:firewalld dbus-daemon:dbus dockerd:docker.io)
missing=()
for pair in "${needed[@]}"; do command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}"); done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}" >&2
  # Other firewalls run in hosts of the lab only: on the machine nothing is started, now or with the next boot.
  quiet=/usr/sbin/policy-rc.d
  if [ ! -e $quiet ]; then
    printf '#!/bin/sh\nexit 101\n' >$quiet
    chmod 755 $quiet
    trap 'rm -f $quiet' EXIT
  fi
  if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null; then
    echo "tests/run.sh: these packages are needed and could not be installed: ${missing[*]}" >&2
    exit 1
  fi
  units=(ufw:ufw.service firewalld:firewalld.service docker.io:docker.service docker.io:docker.socket
         docker.io:containerd.service)
  for unit in "${units[@]}"; do
    if [[ " ${missing[*]} " == *" ${unit%%:*} "* ]] && command -v systemctl >/dev/null; then
      systemctl disable --quiet "${unit#*:}" || true
    fi
  done
fi

cargo build --workspace --all-targets
if command -v cargo-nextest >/dev/null; then
  cargo nextest run --workspace --no-fail-fast "$@"
  cargo test --workspace --doc -q
else
  cargo test --workspace --no-fail-fast "$@"
fi
