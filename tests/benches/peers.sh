# shellcheck shell=bash
# What the benches share: waiting for a condition, and dockerd as a peer. Sourced inside namespaces of their own.

# wait_for CMD...: until it succeeds, at most twenty seconds.
wait_for() {
  for _ in $(seq 400); do "$@" >/dev/null 2>&1 && return; read -rt 0.05 <> <(:) || true; done
  echo "benches: \`$*\` does not succeed" >&2; return 1
}

# start_docker [NAMESPACE]: containerd and dockerd with an image `img` of busybox, in the network namespace of that path or
# in this one; false where they are not installed. Sets DOCKER_HOST for who asks for it.
start_docker() {
  local within=(nsenter "--net=${1-/proc/self/ns/net}")
  command -v dockerd containerd >/dev/null || { echo "benches: no dockerd here: left out" >&2; return 1; }
  mkdir -p /run/containerd /run/lab/docker /run/lab/containerd
  printf 'version = 2\nroot="/run/lab/containerd"\nstate="/run/containerd"\ndisabled_plugins=["io.containerd.grpc.v1.cri"]\n[grpc]\naddress="/run/containerd/containerd.sock"\n' > /run/containerd/config.toml
  "${within[@]}" containerd --config /run/containerd/config.toml >/run/lab/containerd.log 2>&1 &
  wait_for test -S /run/containerd/containerd.sock || return
  # Without CAP_SYS_RESOURCE a negative OOM score is refused.
  echo '{"oom-score-adjust": 0}' > /run/lab/docker.json
  "${within[@]}" dockerd --config-file /run/lab/docker.json --data-root /run/lab/docker --exec-root /run/docker \
    --pidfile /run/dockerd.pid -H unix:///run/docker.sock --containerd /run/containerd/containerd.sock >/run/lab/dockerd.log 2>&1 &
  export DOCKER_HOST=unix:///run/docker.sock
  wait_for docker version || return
  busybox_root | docker import - img >/dev/null
}

# busybox_root: a root file system of busybox alone, as a tar archive.
busybox_root() {
  mkdir -p /run/lab/image/bin && cp "$(command -v busybox)" /run/lab/image/bin/busybox
  for name in sh true sleep; do ln -sf busybox /run/lab/image/bin/$name; done
  tar -C /run/lab/image -c .
}
