#!/usr/bin/env bash
# One layer of 1 GiB, pushed by oras and pulled by skopeo: time and memory limits of all involved.
#
# Half of it is random and half is zero, in stretches of a megabyte, so that neither a compressing
# nor a hole-punching storage gets away without real work. Named so that it comes after the others.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A tar with one file of 1 GiB, uncompressed.
layer() {
    head -c 536870912 /dev/zero |
        openssl enc -aes-128-ctr -nosalt -K "$(openssl rand -hex 16)" -iv "$(openssl rand -hex 16)" |
        python3 -c '
import sys, tarfile
header = tarfile.TarInfo("large")
header.size = 1 << 30
sys.stdout.buffer.write(header.tobuf())
while chunk := sys.stdin.buffer.read(1 << 20):
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.write(bytes(len(chunk)))
sys.stdout.buffer.write(bytes(1024))'
}

step "make it"
layer >layer.tar
layer=$(digest_of layer.tar)
size=$(stat -c %s layer.tar)
mkdir -p layout/blobs/sha256
mv layer.tar "$(blob_path layout "$layer")"
printf '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}' \
    "$layer" >config
config=$(digest_of config)
jq -n --arg layer "$layer" --argjson size "$size" --arg config "$config" \
    --argjson config_size "$(stat -c %s config)" '{
        schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $config, size: $config_size},
        layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar", digest: $layer, size: $size}]
    }' >manifest
manifest=$(digest_of manifest)
jq -n --arg digest "$manifest" --argjson size "$(stat -c %s manifest)" '{
    schemaVersion: 2,
    manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $digest, size: $size}]
}' >layout/index.json
mv config "$(blob_path layout "$config")"
mv manifest "$(blob_path layout "$manifest")"

step "push"
oras cp --no-tty --from-oci-layout --to-plain-http "layout@$manifest" "$base/large:v1"
equal large:v1 "$manifest" "$(remote_digest large v1)"

step "pull"
skopeo copy --quiet --preserve-digests "docker://$base/large:v1" oci:pulled
equal digest "$manifest" "$(layout_digest pulled)"
same_file layer "$(blob_path layout "$layer")" "$(blob_path pulled "$layer")"

step "the last bytes alone"
curl -sS --fail -r -1000000 -o tail "http://$REGISTRY/v2/$NAMESPACE/large/blobs/$layer"
same_file tail <(tail -c 1000000 "$(blob_path layout "$layer")") tail
