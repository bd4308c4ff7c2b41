#!/usr/bin/env bash
# containerd: ctr with a user and password, a robot's secret as nodes have it, and a refresh token.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../daemons.sh"

# pull REFERENCE OPTIONS...
pull() {
    ctr images pull --plain-http --snapshotter native "${@:2}" "$1"
}

# push REFERENCE OPTIONS...
push() {
    ctr images push --plain-http "${@:2}" "$1"
}

prepare
seed multi multi:v1
start_containerd

step "without a login: pull what is public, and nothing else"
pull "$public/busybox:v1" >/dev/null
ctr images tag "$public/busybox:v1" "$base/busybox:v1" "$public/pushed:v1" >/dev/null
refused "$unauthorized" pull "$base/multi:v1"
refused "$unauthorized|$denied" push "$base/busybox:v1"
refused "$unauthorized|$denied" push "$public/pushed:v1"
refused "$unauthorized" pull "$base/multi:v1" --user "$developer:wrong-password"

step "a user and password"
push "$base/busybox:v1" --user "$developer:$password" >/dev/null
stored busybox v1 "$(layout_digest "$IMAGES/busybox")"
pull "$base/multi:v1" --user "$reader:$password" >/dev/null
equal "output of a container" works \
    "$(ctr run --rm --snapshotter native --cgroup "/$CGROUP/login" "$base/multi:v1" login echo works)"
ctr images tag "$base/busybox:v1" "$base/other:v1" >/dev/null
refused "$denied|$unauthorized" push "$base/other:v1" --user "$reader:$password"
refused "$denied|$unauthorized" pull "$base/multi:v1" --user "$stranger:$password"

step "a robot of the project"
robot=$(api POST robots "{\"name\": \"node\", \"project\": \"$NAMESPACE\", \"grants\": [{\"role\": \"reader\"}]}")
name=$(jq -r .robot.name <<<"$robot")
pull "$base/multi:v1" --user "$name:$(jq -r .secret <<<"$robot")" >/dev/null
api PATCH "robots/$name" '{"disabled": true}' >/dev/null
refused "$unauthorized" pull "$base/multi:v1" --user "$name:$(jq -r .secret <<<"$robot")"

step "a refresh token"
refresh=$(curl -sS --fail-with-body -u "$reader:$password" \
    "http://$REGISTRY/auth/token?offline_token=true&client_id=node" | jq -er .refresh_token)
pull "$base/busybox:v1" --refresh "$refresh" >/dev/null
api DELETE "users/$reader/sessions" >/dev/null
refused "$unauthorized" pull "$base/busybox:v1" --refresh "$refresh"
