#!/usr/bin/env bash
# cosign: signatures and attestations with a key pair, kept under tags of their own (the old form)
# and as referrers (OCI 1.1); and that verification fails where it has to.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export COSIGN_PASSWORD=
# The transparency log is a service on the internet.
registry_flags=(--allow-http-registry --allow-insecure-registry)
sign_flags=(--yes --tlog-upload=false "${registry_flags[@]}")
verify_flags=(--insecure-ignore-tlog=true "${registry_flags[@]}")

step "keys"
cosign generate-key-pair
mkdir stranger
(cd stranger && cosign generate-key-pair)

for repository in old new unsigned; do
    seed busybox "$repository:v1"
done
seed layers tampered:v1
digest=$(layout_digest "$IMAGES/busybox")
prefix=${digest/:/-}

verify() {
    cosign verify "${verify_flags[@]}" "$@" >verified.json
    equal "signed digest" "$digest" \
        "$(jq -r '[.[].critical.image["docker-manifest-digest"]] | unique[]' verified.json)"
}

step "sign and verify, with a tag"
cosign sign "${sign_flags[@]}" --key cosign.key -a stage=test "$base/old@$digest"
equal "the signature's tag" 200 "$(http_status "$NAMESPACE/old/manifests/$prefix.sig")"
stored old "$prefix.sig" "$(remote_digest old "$prefix.sig")"
verify --key cosign.pub "$base/old@$digest"
verify --key cosign.pub -a stage=test "$base/old:v1"
stored old v1 "$digest"

step "a second signature does not push out the first"
cosign sign "${sign_flags[@]}" --key stranger/cosign.key "$base/old@$digest"
verify --key cosign.pub "$base/old@$digest"
verify --key stranger/cosign.pub "$base/old@$digest"

step "attest and verify, with a tag"
printf '{"answer": 42}\n' >predicate.json
cosign attest "${sign_flags[@]}" --key cosign.key --type custom --predicate predicate.json \
    "$base/old@$digest"
equal "the attestation's tag" 200 "$(http_status "$NAMESPACE/old/manifests/$prefix.att")"
cosign verify-attestation "${verify_flags[@]}" --key cosign.pub --type custom "$base/old@$digest" \
    >attestation.json
statement=$(jq -r '.payload | @base64d' attestation.json)
equal "attested digest" "${digest#*:}" "$(jq -r '.subject[0].digest.sha256' <<<"$statement")"
equal predicate 42 "$(jq -r '.predicate.Data | fromjson.answer' <<<"$statement")"

step "tree"
cosign tree "${registry_flags[@]}" "$base/old:v1" | tee tree.txt
for kind in sig att; do
    grep -q "$prefix.$kind" tree.txt || fail "the tree has no $kind"
done

step "verification that must fail"
cosign generate-key-pair --output-key-prefix third
refused 'no matching signatures|invalid signature' \
    cosign verify "${verify_flags[@]}" --key third.pub "$base/old@$digest"
refused 'missing or incorrect annotation|no matching signatures' \
    cosign verify "${verify_flags[@]}" --key cosign.pub -a stage=prod "$base/old@$digest"
refused 'no signatures found' \
    cosign verify "${verify_flags[@]}" --key cosign.pub "$base/unsigned@$digest"
refused 'no matching attestations|invalid signature' \
    cosign verify-attestation "${verify_flags[@]}" --key third.pub --type custom "$base/old@$digest"
# The signature of one image, put where the signature of another is looked for.
other=$(layout_digest "$IMAGES/layers")
skopeo copy --quiet --preserve-digests "docker://$base/old:$prefix.sig" \
    "docker://$base/tampered:${other/:/-}.sig"
refused 'no matching signatures|invalid or missing digest' \
    cosign verify "${verify_flags[@]}" --key cosign.pub "$base/tampered@$other"

step "sign and verify, with a referrer"
export COSIGN_EXPERIMENTAL=1
cosign sign "${sign_flags[@]}" --registry-referrers-mode=oci-1-1 --key cosign.key "$base/new@$digest"
equal "a tag for it" 404 "$(http_status "$NAMESPACE/new/manifests/$prefix.sig")"
equal "a tag in place of the API" 404 "$(http_status "$NAMESPACE/new/manifests/$prefix")"
fetch "$NAMESPACE/new/referrers/$digest" referrers.json
equal referrers application/vnd.dev.cosign.artifact.sig.v1+json \
    "$(jq -r '.manifests[].artifactType' referrers.json)"
signature=$(jq -r '.manifests[0].digest' referrers.json)
stored new "$signature" "$signature"
verify --experimental-oci11 --key cosign.pub "$base/new@$digest"
# Here cosign also says that it found none when none fits the key.
refused 'no signatures found|no matching signatures' \
    cosign verify "${verify_flags[@]}" --experimental-oci11 --key third.pub "$base/new@$digest"

step "a signature that was deleted no longer counts"
equal "deletion" 202 "$(http_status "$NAMESPACE/new/manifests/$signature" -X DELETE)"
refused 'no signatures found|no matching signatures' \
    cosign verify "${verify_flags[@]}" --experimental-oci11 --key cosign.pub "$base/new@$digest"
