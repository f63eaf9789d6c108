#!/usr/bin/env bash
# All benches: what Pontoon costs, as a ratio to the kernel's floor and to the peers that are installed, in one run.
#
#   tests/benches/run.sh [RUNS]
#
# Root only. Works in namespaces of its own and leaves nothing. Peers: runc and crun always; dockerd, podman and netavark
# where they are installed. Figures of one run are comparable with each other, not with those of another machine or day.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" = 0 ] || { echo "benches: run this as root" >&2; exit 1; }
cd "$here"
cargo build --release --quiet -p netd -p netd-runtime -p pontoon
export PONTOON_BIN=$here/target/release

cargo bench --quiet -p tests --bench attach
cargo bench --quiet -p tests --bench scale
cargo bench --quiet -p tests --bench ports
cargo bench --quiet -p tests --bench heal
unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc bash tests/benches/commands.sh "${1:-30}"
unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc bash tests/benches/dns.sh
unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc bash tests/benches/ports.sh
unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc bash tests/benches/throughput.sh
