# shellcheck shell=bash
# Other firewalls in a host of the lab: the real programs, with files of the host's own. Sourced inside the host, after
# stage.sh; their processes end with the host's PID namespace.
set -eu

# An /etc and a /var/log of the host's own: what programs write there goes with it.
own_files() {
  [ ! -d /run/lab/etc ] || return 0
  mkdir -p /run/lab/etc/upper /run/lab/etc/work
  mount -t overlay -o lowerdir=/etc,upperdir=/run/lab/etc/upper,workdir=/run/lab/etc/work overlay /etc
  mount --bind /run/lab/resolv.conf /etc/resolv.conf
  mount -t tmpfs tmpfs /var/log
}

# Waits until a command succeeds: soon SECONDS COMMAND…
soon() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/run/lab/soon.log 2>&1; do
    [ $SECONDS -lt $deadline ] || { echo "not in time: $*" >&2; cat /run/lab/soon.log /run/lab/*.out >&2; return 1; }
    sleep 0.05
  done
}

# Starts a program in the background, its words in /run/lab/NAME.out: background NAME COMMAND…
background() {
  local name=$1
  shift
  setsid "$@" >"/run/lab/$name.out" 2>&1 </dev/null &
}

# Which iptables the programs of this host run: use_iptables nft|legacy
use_iptables() {
  own_files
  local tool what
  for tool in iptables ip6tables; do
    for what in '' -restore -save; do ln -sfn "/usr/sbin/$tool-$1$what" "/etc/alternatives/$tool$what"; done
  done
}

start_dbus() {
  own_files
  [ ! -e /run/dbus/pid ] || return 0
  mkdir -p /run/dbus
  background dbus dbus-daemon --system --nofork --nopidfile
  soon 10 test -S /run/dbus/system_bus_socket
  touch /run/dbus/pid
}

start_firewalld() {
  start_dbus
  background firewalld firewalld --nofork --nopid
  soon 20 firewall-cmd --state
}

stop_firewalld() {
  pkill -TERM -f /usr/sbin/firewalld
  soon 20 eval '! pgrep -f /usr/sbin/firewalld'
}

# Docker's daemon with its own containerd, at unix:///run/docker.sock; further words are its own: start_dockerd [WORD…]
start_dockerd() {
  own_files
  background dockerd dockerd --data-root /run/lab/docker/data --exec-root /run/lab/docker/exec \
    --pidfile /run/lab/docker.pid -H unix:///run/docker.sock --exec-opt native.cgroupdriver=cgroupfs "$@"
  soon 60 docker -H unix:///run/docker.sock version
}

# An image of busybox alone, so that nothing is fetched.
docker_image() {
  docker -H unix:///run/docker.sock image inspect lab >/dev/null 2>&1 && return 0
  mkdir -p /run/lab/image/bin
  cp "$(command -v busybox)" /run/lab/image/bin/
  /run/lab/image/bin/busybox --install -s /run/lab/image/bin
  tar -C /run/lab/image -c . | docker -H unix:///run/docker.sock import - lab >/dev/null
}

stop_dockerd() {
  kill -TERM "$(cat /run/lab/docker.pid)"
  soon 30 test ! -e /run/lab/docker.pid
}
