# shellcheck shell=bash
# The daemons that some clients are, sourced after lib.sh. Each ends with the script that starts it,
# and shows its log if that fails.

export DOCKER_HOST=unix:///run/docker.sock
# The builder without BuildKit: the other one is a plugin that Debian 12 does not have.
export DOCKER_BUILDKIT=0

# A dockerd without a bridge, which touches no packet filter. Registries on loopback may use plain HTTP.
start_dockerd() {
    local driver=overlay2
    [ "$(storage_driver)" = overlay ] || driver=vfs
    jq -n --arg work "$WORK" --arg driver "$driver" --arg cgroup "/$CGROUP" '{
        "data-root": "\($work)/docker", "exec-root": "/run/docker", "pidfile": "/run/docker.pid",
        "hosts": ["unix:///run/docker.sock"], "storage-driver": $driver,
        "iptables": false, "ip6tables": false, "bridge": "none", "ip-forward": false,
        "ip-masq": false, "userland-proxy": false, "cgroup-parent": $cgroup,
        "exec-opts": ["native.cgroupdriver=cgroupfs"], "insecure-registries": ["127.0.0.0/8"]
    }' >daemon.json
    dockerd --config-file "$WORK/daemon.json" >dockerd.log 2>&1 &
    show_if_failed "$WORK/dockerd.log"
    wait_until 30 docker version
}

# A containerd for ctr, without what Kubernetes needs.
start_containerd() {
    cat >config.toml <<END
version = 2
root = "$WORK/root"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "/run/containerd/containerd.sock"
END
    containerd --config config.toml >containerd.log 2>&1 &
    show_if_failed "$WORK/containerd.log"
    wait_until 30 ctr version
}

daemon_logs=()

show_if_failed() {
    daemon_logs+=("$1")
    trap 'show_daemon_logs $?' EXIT
}

show_daemon_logs() {
    [ "$1" -eq 0 ] || tail -n 20 "${daemon_logs[@]}"
    exit "$1"
}
