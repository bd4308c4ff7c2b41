#!/usr/bin/env bash
# plura login: what it keeps serves docker, podman, skopeo, oras, cosign, helm and plura; so does what
# docker keeps. And the commands of access control.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../daemons.sh"

containers_storage
export PLURA_SERVER=http://$REGISTRY COSIGN_PASSWORD=

plura() {
    "$PLURA" "$@"
}

log_in() {
    plura login --user "$1" --password-stdin <<<"$2"
}

helm() {
    "$TOOLS/helm-venv/bin/python" "$(dirname "${BASH_SOURCE[0]}")/../helm.py" "$@"
}

prepare
seed busybox busybox:v1
digest=$(layout_digest "$IMAGES/busybox")
start_dockerd

step "login"
refused 'log in: plura login' plura user list
refused 'does not accept' log_in admin wrong-password
[ ! -e "$logins" ] || fail "something is kept: $(cat "$logins")"
log_in "$developer" "$password"
no_password_in "$logins"
identity_token "$logins" >/dev/null
equal "who may read the file" 600 "$(stat -c %a "$logins")"

step "it serves every client"
docker pull --quiet "$base/busybox:v1"
docker tag "$base/busybox:v1" "$base/by-docker:v1"
docker push --quiet "$base/by-docker:v1"
podman pull --quiet "$base/busybox:v1"
podman push --quiet "$base/busybox:v1" "$base/by-podman:v1"
skopeo copy --quiet --preserve-digests "docker://$base/busybox:v1" "docker://$base/by-skopeo:v1"
buildah pull --policy always "docker://$base/busybox:v1"
oras cp --no-tty --from-plain-http --to-plain-http "$base/busybox:v1" "$base/by-oras:v1"
for repository in by-docker by-podman by-skopeo by-oras; do
    equal "$repository:v1" 200 "$(http_status "$NAMESPACE/$repository/manifests/v1")"
done
cosign generate-key-pair
cosign sign --yes --tlog-upload=false --allow-http-registry --key cosign.key "$base/busybox@$digest"
equal "the signature" 200 "$(http_status "$NAMESPACE/busybox/manifests/${digest/:/-}.sig")"
helm create hello
helm package hello 1.2.3
helm push hello-1.2.3.tgz "oci://$base/charts"
stored charts/hello 1.2.3 "$(remote_digest charts/hello 1.2.3)"

step "plura itself, which says what a developer may not do"
refused 'administ' plura user list
plura project list --json | jq -e --arg name "$NAMESPACE" 'any(.[]; .name == $name)' >/dev/null ||
    fail "the project is not listed"

step "logout"
plura logout
equal "logins left" '{}' "$(jq -c .auths "$logins")"
refused 'log in: plura login' plura project list
refused "$denied" docker pull "$base/busybox:v1"
refused "$unauthorized" podman pull --quiet "$base/busybox:v1"

step "an administrator"
log_in admin "$ADMIN_PASSWORD"
plura user list --json | jq -e --arg name "$developer" 'any(.[]; .name == $name)' >/dev/null ||
    fail "the developer is not listed"
plura project create "by-plura-$client"
plura member add --project "by-plura-$client" --role developer "user:$developer"
plura user list

step "docker's login serves plura"
plura logout
docker login --username admin --password-stdin "$REGISTRY" <<<"$ADMIN_PASSWORD"
plura user list >/dev/null
docker logout "$REGISTRY"
refused 'log in: plura login' plura user list

step "podman's login serves plura"
podman login --username admin --password-stdin "$REGISTRY" <<<"$ADMIN_PASSWORD"
plura user list >/dev/null
