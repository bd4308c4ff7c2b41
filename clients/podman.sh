#!/usr/bin/env bash
# podman: loads an archive, pushes it, pulls it by tag and by digest, and runs it without a network.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

containers_storage

config_digest() {
    jq -r .config.digest "$(blob_path "$IMAGES/$1" "$(layout_digest "$IMAGES/$1")")"
}

forget_everything() {
    podman rmi --all --force >/dev/null
    equal "images left here" '' "$(podman images --quiet)"
}

step "load and push"
podman load --quiet --input "$IMAGES/busybox.tar"
podman tag localhost/busybox:archive "$base/busybox:v1"
podman push --quiet --digestfile pushed "$base/busybox:v1"
digest=$(cat pushed)
stored busybox v1 "$digest"

step "pull by tag, inspect, run"
forget_everything
podman pull --quiet "$base/busybox:v1"
equal "image id" "$(config_digest busybox)" "sha256:$(podman image inspect --format '{{.Id}}' "$base/busybox:v1")"
equal digest "$digest" "$(podman image inspect --format '{{.Digest}}' "$base/busybox:v1")"
equal "where it is from" "[$base/busybox@$digest]" \
    "$(podman image inspect --format '{{.RepoDigests}}' "$base/busybox:v1")"
equal "output of a container" works "$(podman run --rm --network none "$base/busybox:v1" echo works)"

step "pull by digest"
forget_everything
podman pull --quiet "$base/busybox@$digest"
podman image exists "$base/busybox@$digest"
refused 'manifest unknown|not found' \
    podman pull --quiet "$base/busybox@$(layout_digest "$IMAGES/layers")"

step "images of other tools: an index, zstd layers, 100 layers"
for image in multi zstd layers; do
    seed "$image" "$image:v1"
    podman pull --quiet "$base/$image:v1"
done
for image in zstd layers; do
    equal "id of $image" "$(config_digest "$image")" \
        "sha256:$(podman image inspect --format '{{.Id}}' "$base/$image:v1")"
done
equal "platform out of the index" "$(dpkg --print-architecture)" \
    "$(podman image inspect --format '{{.Architecture}}' "$base/multi:v1")"
equal "output of a container" works "$(podman run --rm --network none "$base/zstd:v1" echo works)"

step "tags"
podman push --quiet "$base/busybox@$digest" "$base/busybox:v2"
equal tags 'v1 v2' \
    "$(podman search --list-tags --format json "$base/busybox" | jq -r '[.[].Tags[]] | sort | join(" ")')"
