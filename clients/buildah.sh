#!/usr/bin/env bash
# buildah: builds images from scratch and on top of an image of the registry, and multi-platform
# images as a manifest list; pushes them, and pulls them into an empty storage.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Build steps share the machine's kernel view, as there is no runc in a container on some machines.
export BUILDAH_ISOLATION=chroot
containers_storage

forget_everything() {
    buildah rm --all >/dev/null
    buildah rmi --all --force >/dev/null
    equal "images left here" '' "$(buildah images --quiet)"
}

# output IMAGE COMMAND...: what a command in the image prints.
output() {
    local container image=$1
    shift
    container=$(buildah from --pull-never "$image")
    buildah run --network host "$container" -- "$@"
    buildah rm "$container" >/dev/null
}

step "from scratch"
container=$(buildah from scratch)
buildah copy "$container" /bin/busybox /bin/busybox
buildah config --cmd '["/bin/busybox"]' --label plura.test=scratch "$container"
buildah commit "$container" scratch
buildah push --digestfile pushed scratch "docker://$base/scratch:v1"
stored scratch v1 "$(cat pushed)"
fetch "$NAMESPACE/scratch/manifests/v1" manifest.json
equal "type of what it pushes" application/vnd.oci.image.manifest.v1+json "$(jq -r .mediaType manifest.json)"

step "a Dockerfile on top of an image of the registry"
seed busybox busybox:v1
forget_everything
openssl rand -hex 8 >random
cat >Dockerfile <<END
FROM $base/busybox:v1
COPY random /random
RUN cat /random /random > /twice
END
buildah bud --network host --layers -t built .
buildah push --digestfile pushed built "docker://$base/built:v1"
stored built v1 "$(cat pushed)"
fetch "$NAMESPACE/built/manifests/v1" manifest.json
equal "its lowest layer, as it was" \
    "$(jq -r '.layers[0].digest' "$(blob_path "$IMAGES/busybox" "$(layout_digest "$IMAGES/busybox")")")" \
    "$(jq -r '.layers[0].digest' manifest.json)"

step "pull by tag and by digest"
for reference in "$base/built:v1" "$base/built@$(cat pushed)"; do
    forget_everything
    buildah pull "docker://$reference"
    equal "what the build made" "$(cat random random)" "$(output "$reference" cat /twice)"
done

step "an image with zstd layers, and one with 100 layers"
seed zstd zstd:v1
seed layers layers:v1
buildah pull "docker://$base/zstd:v1"
equal "a program from a zstd layer" works "$(output "$base/zstd:v1" echo works)"
buildah pull "docker://$base/layers:v1"
equal "the uppermost layer" "layer 100" "$(cat "$(buildah mount "$(buildah from "$base/layers:v1")")/layers/100")"

step "a manifest list of two platforms"
forget_everything
buildah manifest create list
for architecture in amd64 arm64; do
    printf 'FROM scratch\nCOPY random /%s\n' "$architecture" >Dockerfile
    buildah bud --platform "linux/$architecture" -t "one-$architecture" .
    buildah manifest add list "one-$architecture"
done
buildah manifest push --all --digestfile pushed list "docker://$base/list:v1"
stored list v1 "$(cat pushed)"
fetch "$NAMESPACE/list/manifests/v1" index.json
equal platforms 'amd64 arm64' "$(jq -r '[.manifests[].platform.architecture] | sort | join(" ")' index.json)"
forget_everything
for architecture in amd64 arm64; do
    buildah pull --arch "$architecture" "docker://$base/list:v1"
    cmp random "$(buildah mount "$(buildah from --pull-never "$base/list:v1")")/$architecture"
    forget_everything
done
refused 'manifest unknown|not found' buildah pull "docker://$base/list:v2"
