#!/usr/bin/env bash
# docker login: an identity token instead of the password, what each role may do, the ends of a login.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../daemons.sh"

log_in() {
    docker login --username "$1" --password-stdin "$REGISTRY" <<<"$2"
}

forget_everything() {
    docker image prune --all --force >/dev/null
    equal "images left here" '' "$(docker images --all --quiet)"
}

prepare
start_dockerd
docker load --input "$IMAGES/busybox.tar"
docker tag busybox:archive "$base/busybox:v1"
docker tag busybox:archive "$public/pushed:v1"

step "without a login: pull what is public, and nothing else"
docker pull --quiet "$public/busybox:v1"
refused "$denied" docker push "$base/busybox:v1"
refused "$denied" docker push "$public/pushed:v1"
refused "$denied" docker pull "$base/busybox:v1"

step "a wrong password"
refused "$unauthorized" log_in "$developer" wrong-password
[ ! -e "$logins" ] || fail "it is kept: $(cat "$logins")"

step "login, push, pull, run"
log_in "$developer" "$password"
no_password_in "$logins"
identity_token "$logins" >/dev/null
digest=$(docker push "$base/busybox:v1" | tee /dev/stderr | sed -n 's/.* digest: \(sha256:[0-9a-f]*\) .*/\1/p')
stored busybox v1 "$digest"
forget_everything
docker pull --quiet "$base/busybox:v1"
equal "output of a container" works "$(docker run --rm --network none "$base/busybox@$digest" echo works)"
docker tag "$base/busybox:v1" "$base/team/copy:v1"
docker push --quiet "$base/team/copy:v1"
stored team/copy v1 "$digest"

step "a project where the user is no member, and one that does not exist"
docker tag "$base/busybox:v1" "$public/pushed:v1"
docker tag "$base/busybox:v1" "$REGISTRY/nowhere-$client/busybox:v1"
refused "$denied" docker push "$public/pushed:v1"
refused "$denied" docker push "$REGISTRY/nowhere-$client/busybox:v1"

step "logout"
docker logout "$REGISTRY"
equal "logins left" '{}' "$(jq -c .auths "$logins")"
refused "$denied" docker pull "$base/busybox:v1"

step "a reader, and a stranger"
log_in "$reader" "$password"
docker pull --quiet "$base/busybox:v1"
refused "$denied" docker push "$base/busybox:v1"
log_in "$stranger" "$password"
refused "$denied" docker pull "$base/busybox:v1"
docker pull --quiet "$public/busybox:v1"

step "an identity token ends when somebody ends it"
log_in "$developer" "$password"
docker pull --quiet "$base/busybox:v1"
api DELETE "users/$developer/sessions" >/dev/null
refused "$unauthorized" docker pull "$base/busybox:v1"
log_in "$developer" "$password"
docker pull --quiet "$base/busybox:v1"

step "a robot"
robot=$(api POST robots "{\"name\": \"ci\", \"project\": \"$NAMESPACE\", \"grants\": [{\"role\": \"developer\"}]}")
log_in "$(jq -r .robot.name <<<"$robot")" "$(jq -r .secret <<<"$robot")"
docker push --quiet "$base/busybox:v1"
docker pull --quiet "$base/busybox:v1"
api PATCH "robots/$(jq -r .robot.name <<<"$robot")" '{"disabled": true}' >/dev/null
refused "$unauthorized" docker pull "$base/busybox:v1"
