#!/usr/bin/env bash
# Fifty cosigns that sign one image at once, each with a key of its own: every signature is there after,
# for cosign and for plura.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

: "${PLURA:?run this through scripts/clients}"
export COSIGN_PASSWORD=plura PLURA_SERVER=http://$REGISTRY
signers=50

seed busybox busybox:v1
digest=$(layout_digest "$IMAGES/busybox")

step "keys"
seq $signers | xargs -P "$(nproc)" -I '{}' cosign generate-key-pair --output-key-prefix 'signer-{}'

step "sign, all at once"
processes=()
for i in $(seq $signers); do
    cosign sign --yes --tlog-upload=false --allow-http-registry --allow-insecure-registry \
        --key "signer-$i.key" "$base/busybox@$digest" >"signer-$i.log" 2>&1 &
    processes+=($!)
done
for i in $(seq $signers); do
    wait "${processes[$((i - 1))]}" || fail "signer $i: $(cat "signer-$i.log")"
done

step "every signature is there and valid"
fetch "$NAMESPACE/busybox/manifests/${digest/:/-}.sig" signatures.json
equal signatures $signers "$(jq '.layers | length' signatures.json)"
keys=()
for i in $(seq $signers); do
    keys+=(--key "signer-$i.pub")
done
"$PLURA" verify "$NAMESPACE/busybox:v1" "${keys[@]}" --required $signers --json >verdict.json ||
    fail "not verified: $(jq -c '.verdicts[0].reason' verdict.json)"
equal "signers for plura" $signers "$(jq '.verdicts[0].signers | length' verdict.json)"
for i in 1 $((signers / 2)) $signers; do
    cosign verify --insecure-ignore-tlog=true --allow-http-registry --allow-insecure-registry \
        --key "signer-$i.pub" "$base/busybox@$digest" >/dev/null
done
