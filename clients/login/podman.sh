#!/usr/bin/env bash
# podman login: its own file of logins and docker's, credentials of one command, roles, logout.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

containers_storage

log_in() {
    podman login --username "$1" --password-stdin "$REGISTRY" <<<"$2"
}

forget_everything() {
    podman rmi --all --force >/dev/null
    equal "images left here" '' "$(podman images --quiet)"
}

prepare
podman load --quiet --input "$IMAGES/busybox.tar"
podman tag localhost/busybox:archive "$base/busybox:v1"

step "without a login: pull what is public, and nothing else"
podman pull --quiet "$public/busybox:v1"
refused "$unauthorized" podman push --quiet "$base/busybox:v1"
refused "$unauthorized" podman push --quiet "$base/busybox:v1" "$public/pushed:v1"
refused "$unauthorized" podman pull --quiet "$base/busybox:v1"

step "a wrong password"
refused 'invalid username/password' log_in "$developer" wrong-password

step "login, push, pull, run"
log_in "$developer" "$password"
equal "who is logged in" "$developer" "$(podman login --get-login "$REGISTRY")"
podman push --quiet --digestfile pushed "$base/busybox:v1"
stored busybox v1 "$(cat pushed)"
forget_everything
podman pull --quiet "$base/busybox:v1"
equal "output of a container" works "$(podman run --rm --network none "$base/busybox:v1" echo works)"
equal tags v1 \
    "$(podman search --list-tags --format json "$base/busybox" | jq -r '[.[].Tags[]] | join(" ")')"

step "a project where the user is no member"
refused "$denied" podman push --quiet "$base/busybox:v1" "$public/pushed:v1"

step "logout"
podman logout "$REGISTRY"
refused "$unauthorized" podman pull --quiet "$base/busybox:v1"

step "credentials for one command: a reader, and an API token in place of a password"
podman pull --quiet --creds "$reader:$password" "$base/busybox:v1"
refused "$denied" podman push --quiet --creds "$reader:$password" "$base/busybox:v1"
refused "$denied" podman pull --quiet --creds "$stranger:$password" "$base/busybox:v1"
token=$(api_as "$developer:$password" POST tokens \
    "{\"name\": \"laptop\", \"scopes\": [\"repository:$NAMESPACE/**:pull\"]}" | jq -r .secret)
podman pull --quiet --creds "$developer:$token" "$base/busybox:v1"
# It is limited to pulling, though the developer is not.
refused "$denied|$unauthorized" podman push --quiet --creds "$developer:$token" "$base/busybox:v1"
