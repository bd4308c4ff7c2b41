#!/usr/bin/env bash
# containerd: what a Kubernetes node does. ctr pulls an index with all its platforms, pushes it
# elsewhere with every digest unchanged, and runs a container of it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/daemons.sh"

start_containerd

# exported REFERENCE DIR: an image of containerd as an OCI layout.
exported() {
    mkdir "$2"
    ctr images export --all-platforms exported.tar "$1"
    tar -xf exported.tar -C "$2"
    rm exported.tar
}

for image in busybox multi zstd layers; do
    step "$image: pull, push, pull again"
    digest=$(layout_digest "$IMAGES/$image")
    seed "$image" "$image:v1"
    ctr images pull --plain-http --all-platforms --snapshotter native "$base/$image:v1" >pull.log ||
        fail "$(tail pull.log)"
    equal "digest of $image" "$digest" "$(ctr images ls "name==$base/$image:v1" | awk 'NR == 2 {print $3}')"
    exported "$base/$image:v1" "$image"
    diff -r "$IMAGES/$image/blobs" "$image/blobs" || fail "$image arrived with other blobs"

    ctr images tag "$base/$image:v1" "$base/copy/$image:v2"
    ctr images push --plain-http "$base/copy/$image:v2" >push.log || fail "$(tail push.log)"
    stored "copy/$image" v2 "$digest"

    ctr images rm --sync "$base/$image:v1" "$base/copy/$image:v2" >/dev/null
    equal "images left here" '' "$(ctr images ls --quiet)"
    ctr images pull --plain-http --snapshotter native "$base/copy/$image@$digest" >pull.log ||
        fail "$(tail pull.log)"
    ctr images ls --quiet | grep -qx "$base/copy/$image@$digest" || fail "not pulled by digest"
    ctr images rm --sync "$base/copy/$image@$digest" >/dev/null
done

step "run"
for image in multi zstd; do
    ctr images pull --plain-http --snapshotter native "$base/$image:v1" >pull.log
    equal "output of a container" works \
        "$(ctr run --rm --snapshotter native --cgroup "/$CGROUP/$image" "$base/$image:v1" "$image" echo works)"
done
refused 'not found' ctr images pull --plain-http "$base/multi:v2"
