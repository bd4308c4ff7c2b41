#!/usr/bin/env bash
# buildah login: builds on a private image and on a public one, and pushes what it built.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Build steps share the machine's kernel view, as there is no runc in a container on some machines.
export BUILDAH_ISOLATION=chroot
containers_storage

log_in() {
    buildah login --username "$1" --password-stdin "$REGISTRY" <<<"$2"
}

# build_on IMAGE NAME
build_on() {
    printf 'FROM %s\nRUN echo built > /built\n' "$1" >Dockerfile
    buildah bud --network host --pull-always -t "$2" .
}

prepare
seed busybox busybox:v1

step "without a login: build on what is public, and nothing else"
build_on "$public/busybox:v1" from-public
refused "$unauthorized" build_on "$base/busybox:v1" from-private
refused "$unauthorized" buildah push from-public "docker://$base/built:v1"

step "login, build, push, pull"
refused 'invalid username/password' log_in "$developer" wrong-password
log_in "$developer" "$password"
equal "who is logged in" "$developer" "$(buildah login --get-login "$REGISTRY")"
build_on "$base/busybox:v1" from-private
buildah push --digestfile pushed from-private "docker://$base/built:v1"
stored built v1 "$(cat pushed)"
buildah rmi --all --force >/dev/null
buildah pull "docker://$base/built:v1"

step "a manifest list"
for architecture in amd64 arm64; do
    printf 'FROM scratch\nCOPY Dockerfile /%s\n' "$architecture" >Dockerfile
    buildah bud --manifest list --platform "linux/$architecture" .
done
buildah manifest push --all --digestfile pushed list "docker://$base/list:v1"
stored list v1 "$(cat pushed)"

step "logout, and a reader"
buildah logout "$REGISTRY"
refused "$unauthorized" buildah pull --policy always "docker://$base/built:v1"
buildah pull --policy always --creds "$reader:$password" "docker://$base/built:v1"
refused "$denied" buildah push --creds "$reader:$password" "$base/built:v1" "docker://$base/built:v2"
