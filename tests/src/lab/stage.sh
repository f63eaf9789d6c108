# shellcheck shell=bash
# Makes fresh network and mount namespaces look like a host: a /run of its own; /sys anew, because sysfs shows
# the network namespace that it was mounted in, with the cgroups put back; a resolver configuration that leads nowhere.
# Sourced by bash inside the namespaces: by the lab, by examples/quickstart.sh and by the benches.
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lab/cgroup /run/netns /run/lock
# As the first `ip netns add` leaves it, and the first sandbox.
mount --bind /run/netns /run/netns
mount --make-shared /run/netns
mount --rbind /sys/fs/cgroup /run/lab/cgroup
mount -t sysfs sysfs /sys
mount --move /run/lab/cgroup /sys/fs/cgroup
rmdir /run/lab/cgroup
printf 'search lab.test\noptions timeout:1 attempts:1\n' > /run/lab/resolv.conf
mount --bind /run/lab/resolv.conf /etc/resolv.conf
ip link set lo up
