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
        script:bsdutils python3:python3 shellcheck:shellcheck)
missing=()
for pair in "${needed[@]}"; do command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}"); done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}" >&2
  if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null; then
    echo "tests/run.sh: these packages are needed and could not be installed: ${missing[*]}" >&2
    exit 1
  fi
fi

cargo build --workspace --all-targets
if command -v cargo-nextest >/dev/null; then
  cargo nextest run --workspace --no-fail-fast "$@"
  cargo test --workspace --doc -q
else
  cargo test --workspace --no-fail-fast "$@"
fi
