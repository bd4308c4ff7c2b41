#!/usr/bin/env bash
# cosign and plura verify what the other signs, with each form and key; plura says why what an attacker
# would put there does not count.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

: "${PLURA:?run this through scripts/clients}"
export COSIGN_PASSWORD=plura PLURA_SERVER=http://$REGISTRY
registry_flags=(--allow-http-registry --allow-insecure-registry)
sign_flags=(--yes --tlog-upload=false "${registry_flags[@]}")
verify_flags=(--insecure-ignore-tlog=true "${registry_flags[@]}")

plura() {
    "$PLURA" "$@"
}

# not_verified REASON IMAGE OPTIONS...: plura must say no, and this kind of reason among its reasons.
not_verified() {
    local reason=$1 status=0
    shift
    plura verify --json "$@" >verdict.json || status=$?
    equal "plura's answer about $1" 1 $status
    jq -e --arg reason "$reason" \
        '[.verdicts[] | .reason.reason, .refusals[].reason] | any(. == $reason)' verdict.json >/dev/null ||
        fail "not verified, but not for $reason: $(jq -c .verdicts verdict.json)"
    printf 'ok: not verified, for %s\n' "$reason"
}

# pushed REPOSITORY: an image of its own, so that nothing is signed yet.
pushed() {
    seed busybox "$1:v1"
}

mismatch='invalid signature|no matching|no valid|failed to verify|could not verify'
digest=$(layout_digest "$IMAGES/busybox")
prefix=${digest/:/-}

step "keys of both"
cosign generate-key-pair
plura trust key ours
plura trust key stranger
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out pkcs8.pem
openssl pkey -in pkcs8.pem -pubout -out pkcs8.pub

step "what cosign signs, plura verifies: with a tag"
pushed tag
cosign sign "${sign_flags[@]}" --key cosign.key "$base/tag@$digest"
plura verify "$NAMESPACE/tag:v1" --key cosign.pub
plura verify "$base/tag@$digest" --key cosign.pub --explain | tee explained.txt
grep -q "$prefix.sig" explained.txt || fail "the signature's place is not explained"
not_verified other-key "$NAMESPACE/tag:v1" --key stranger.pub

step "what cosign signs, plura verifies: with a referrer"
pushed referrer
COSIGN_EXPERIMENTAL=1 cosign sign "${sign_flags[@]}" --registry-referrers-mode=oci-1-1 --key cosign.key \
    "$base/referrer@$digest"
plura verify "$NAMESPACE/referrer:v1" --key cosign.pub
not_verified other-key "$NAMESPACE/referrer:v1" --key stranger.pub

step "what cosign signs with a key of plura"
pushed crossed
cosign sign "${sign_flags[@]}" --key ours.key "$base/crossed@$digest"
plura verify "$NAMESPACE/crossed:v1" --key ours.pub
cosign verify "${verify_flags[@]}" --key ours.pub "$base/crossed:v1"

step "what cosign attests, plura verifies"
printf '{"answer": 42}\n' >predicate.json
cosign attest "${sign_flags[@]}" --key cosign.key --type custom --predicate predicate.json \
    "$base/tag@$digest"
plura verify "$NAMESPACE/tag:v1" --key cosign.pub --attestation custom
not_verified missing-attestation "$NAMESPACE/tag:v1" --key cosign.pub --attestation cyclonedx

step "what plura signs, cosign verifies: its own key, cosign's, and one of openssl"
for key in ours cosign pkcs8; do
    pushed "by-$key"
    private=$key.key
    [ -e "$private" ] || private=$key.pem
    plura sign "$NAMESPACE/by-$key:v1" --key "$private" --form tag -a stage=test
    cosign verify "${verify_flags[@]}" --key "$key.pub" -a stage=test "$base/by-$key:v1" >verified.json
    equal "signed digest" "$digest" \
        "$(jq -r '[.[].critical.image["docker-manifest-digest"]] | unique[]' verified.json)"
    refused 'no matching signatures|invalid signature' \
        cosign verify "${verify_flags[@]}" --key stranger.pub "$base/by-$key:v1"
done

step "both sign, under one tag"
plura sign "$NAMESPACE/tag:v1" --key ours.key --form tag
cosign sign "${sign_flags[@]}" --key stranger.key "$base/tag@$digest"
for key in cosign ours stranger; do
    cosign verify "${verify_flags[@]}" --key "$key.pub" "$base/tag:v1"
done
plura verify "$NAMESPACE/tag:v1" --key cosign.pub --key ours.pub --key stranger.pub --required 3

step "what plura attests, cosign verifies"
plura attest "$NAMESPACE/tag:v1" --predicate predicate.json --type https://example.com/answer \
    --key ours.key --form tag
cosign verify-attestation "${verify_flags[@]}" --key ours.pub --type https://example.com/answer \
    "$base/tag@$digest" >attestation.json
statement=$(jq -r '.payload | @base64d' attestation.json)
equal "attested digest" "${digest#*:}" "$(jq -r '.subject[0].digest.sha256' <<<"$statement")"
equal predicate 42 "$(jq -r .predicate.answer <<<"$statement")"
refused 'no matching attestations|invalid signature' \
    cosign verify-attestation "${verify_flags[@]}" --key stranger.pub --type https://example.com/answer \
    "$base/tag@$digest"

step "what plura bundles, cosign verifies as a file"
pushed bundle
plura attest "$NAMESPACE/bundle:v1" --predicate predicate.json --type https://example.com/answer --key ours.key
fetch "$NAMESPACE/bundle/referrers/$digest" referrers.json
fetch "$NAMESPACE/bundle/manifests/$(jq -r '.manifests[0].digest' referrers.json)" referrer.json
fetch "$NAMESPACE/bundle/blobs/$(jq -r '.layers[0].digest' referrer.json)" bundle.json
fetch "$NAMESPACE/bundle/manifests/$digest" image.json
printf '{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}\n' >root.json
bundled=(cosign verify-blob-attestation --new-bundle-format --insecure-ignore-tlog --trusted-root root.json
    --type https://example.com/answer --bundle bundle.json)
"${bundled[@]}" --key ours.pub image.json
refused 'signature|verif' "${bundled[@]}" --key stranger.pub image.json
refused 'digest|verif' "${bundled[@]}" --key ours.pub referrer.json

step "what plura bundles, cosign finds through the referrers"
bundle_flags=("${verify_flags[@]}" --new-bundle-format --trusted-root root.json)
cosign verify-attestation "${bundle_flags[@]}" --key ours.pub --type https://example.com/answer \
    "$base/bundle@$digest" >/dev/null
refused "$mismatch" cosign verify-attestation "${bundle_flags[@]}" --key stranger.pub \
    --type https://example.com/answer "$base/bundle@$digest"
pushed bundled
plura sign "$NAMESPACE/bundled:v1" --key ours.key
# What cosign 3 signs is a statement, which cosign 2 does not take for a signature yet.
signed=(cosign verify-attestation "${bundle_flags[@]}" --type https://sigstore.dev/cosign/sign/v1)
"${signed[@]}" --key ours.pub "$base/bundled@$digest" >/dev/null
refused "$mismatch" "${signed[@]}" --key stranger.pub "$base/bundled@$digest"

step "what cosign bundles, plura verifies"
pushed theirs
cosign attest "${sign_flags[@]}" --new-bundle-format --key cosign.key --type https://example.com/answer \
    --predicate predicate.json "$base/theirs@$digest"
plura sign "$NAMESPACE/theirs:v1" --key ours.key
plura verify "$NAMESPACE/theirs:v1" --key ours.pub --key cosign.pub \
    --attestation https://example.com/answer
not_verified missing-attestation "$NAMESPACE/theirs:v1" --key ours.pub \
    --attestation https://example.com/answer

step "the signature of another image"
pushed unsigned
seed layers other:v1
other=$(layout_digest "$IMAGES/layers")
skopeo copy --quiet --preserve-digests "docker://$base/tag:$prefix.sig" \
    "docker://$base/other:${other/:/-}.sig"
not_verified other-digest "$NAMESPACE/other:v1" --key cosign.pub
not_verified unsigned "$NAMESPACE/unsigned:v1" --key cosign.pub

step "a payload that was tampered with"
fetch "$NAMESPACE/by-ours/manifests/$prefix.sig" signature.json
payload=$(jq -r '.layers[0].digest' signature.json)
fetch "$NAMESPACE/by-ours/blobs/$payload" payload.json
sed 's/"stage":"test"/"stage":"prod"/' payload.json >tampered.json
pushed tampered
# blob FILE: pushes it.
blob() {
    equal "upload of $1" 201 "$(http_status "$NAMESPACE/tampered/blobs/uploads/?digest=$(digest_of "$1")" \
        -X POST -H 'Content-Type: application/octet-stream' --data-binary "@$1")"
}
printf '{}' >config.json
blob tampered.json
blob config.json
jq --arg digest "$(digest_of tampered.json)" --argjson size "$(stat -c %s tampered.json)" \
    '.layers[0].digest = $digest | .layers[0].size = $size' signature.json >forged.json
equal "upload of the forged signature" 201 "$(http_status "$NAMESPACE/tampered/manifests/$prefix.sig" -X PUT \
    -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @forged.json)"
not_verified other-key "$NAMESPACE/tampered:v1" --key ours.pub
refused 'invalid signature|no matching signatures' \
    cosign verify "${verify_flags[@]}" --key ours.pub "$base/tampered:v1"
