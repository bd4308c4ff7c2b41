#!/usr/bin/env bash
# cosign with docker's logins: who may sign, who may verify; `cosign login` and an identity token.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export COSIGN_PASSWORD=
# The transparency log is a service on the internet.
registry_flags=(--allow-http-registry --allow-insecure-registry)
sign_flags=(--yes --tlog-upload=false "${registry_flags[@]}" --key cosign.key)
verify_flags=(--insecure-ignore-tlog=true "${registry_flags[@]}" --key cosign.pub)

log_in() {
    cosign login --username "$1" --password-stdin "$REGISTRY" <<<"$2"
}

prepare
seed busybox busybox:v1
digest=$(layout_digest "$IMAGES/busybox")
cosign generate-key-pair

step "without a login"
refused "$unauthorized" cosign sign "${sign_flags[@]}" "$base/busybox@$digest"
refused "$unauthorized" cosign verify "${verify_flags[@]}" "$base/busybox@$digest"
refused "$unauthorized" cosign sign "${sign_flags[@]}" "$public/busybox@$digest"

step "sign as a developer, with a tag and with a referrer"
log_in "$developer" "$password"
cosign sign "${sign_flags[@]}" "$base/busybox@$digest"
equal "the signature's tag" 200 "$(http_status "$NAMESPACE/busybox/manifests/${digest/:/-}.sig")"
COSIGN_EXPERIMENTAL=1 cosign sign "${sign_flags[@]}" --registry-referrers-mode=oci-1-1 "$base/busybox@$digest"
fetch "$NAMESPACE/busybox/referrers/$digest" referrers.json
equal referrers application/vnd.dev.cosign.artifact.sig.v1+json \
    "$(jq -r '.manifests[].artifactType' referrers.json)"
cosign verify "${verify_flags[@]}" "$base/busybox:v1"

step "plura signs and verifies with the same login"
"$PLURA" trust key ours
"$PLURA" sign "$base/busybox:v1" --key ours.key --form tag
"$PLURA" verify "$base/busybox:v1" --key ours.pub --key cosign.pub --required 2
cosign verify --insecure-ignore-tlog=true "${registry_flags[@]}" --key ours.pub "$base/busybox:v1"

step "a reader verifies and does not sign"
log_in "$reader" "$password"
cosign verify "${verify_flags[@]}" "$base/busybox:v1"
COSIGN_EXPERIMENTAL=1 cosign verify "${verify_flags[@]}" --experimental-oci11 "$base/busybox@$digest"
# With an annotation: what is signed already is not pushed again.
refused "$denied" cosign sign "${sign_flags[@]}" -a by=reader "$base/busybox@$digest"
"$PLURA" verify "$base/busybox:v1" --key ours.pub
refused "$denied" "$PLURA" sign "$base/busybox:v1" --key ours.key -a by=reader

step "what is public is verified without a login"
log_in admin "$ADMIN_PASSWORD"
cosign sign "${sign_flags[@]}" "$public/busybox@$digest"
rm "$logins"
cosign verify "${verify_flags[@]}" "$public/busybox:v1"
