#!/usr/bin/env bash
# Makes the images that the clients push: clients/images.sh DIR
#
# Each is an OCI image layout written by hand from the image specification, so what is pushed does
# not depend on any of the clients under test. Nothing is fetched: the only program inside is
# Debian's static busybox. The same machine always makes the same bytes.
#
#   busybox     one platform, runs; the layer is gzip
#   zstd        the same files in a zstd layer
#   multi       an index of three platforms, the one of this machine runs
#   layers      100 layers
#   artifact    no image: its own type, two files, empty configuration, busybox as its subject
#   busybox.tar busybox as the archive of `docker save`
#
# The 1 GiB layer belongs to the one client that pushes it, see large-layer.sh.
set -euo pipefail
shopt -s inherit_errexit

architecture=$(dpkg --print-architecture)
images=${1:?usage: clients/images.sh DIR}

manifest_type=application/vnd.oci.image.manifest.v1+json
index_type=application/vnd.oci.image.index.v1+json
config_type=application/vnd.oci.image.config.v1+json
layer_type=application/vnd.oci.image.layer.v1.tar
empty_type=application/vnd.oci.empty.v1+json

main() {
    mkdir -p "$images"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT

    mkdir -p "$scratch/root/bin"
    cp /bin/busybox "$scratch/root/bin/busybox"
    local applet
    for applet in sh cat echo ls; do
        ln -s busybox "$scratch/root/bin/$applet"
    done
    pack "$scratch/root" >"$scratch/busybox.layer"

    make_busybox
    make_zstd
    make_multi
    make_layers
    make_artifact
    make_docker_archive
}

make_busybox() {
    new_layout busybox
    name busybox "$(single busybox "linux/$architecture" gzip "$scratch/busybox.layer")"
}

make_zstd() {
    new_layout zstd
    name zstd "$(single zstd "linux/$architecture" zstd "$scratch/busybox.layer")"
}

# The two other platforms are ones that no machine of ours has.
make_multi() {
    new_layout multi
    local platform layer manifests=()
    for platform in "linux/$architecture" linux/s390x linux/riscv64; do
        layer=$scratch/busybox.layer
        if [ "$platform" != "linux/$architecture" ]; then
            one_file etc/platform "$platform" >"$scratch/platform.layer"
            layer=$scratch/platform.layer
        fi
        manifests+=("$(single multi "$platform" gzip "$layer" |
            jq --arg arch "${platform#*/}" '. + {platform: {os: "linux", architecture: $arch}}')")
    done
    printf '%s\n' "${manifests[@]}" |
        jq -s --arg type "$index_type" '{schemaVersion: 2, mediaType: $type, manifests: .}' \
            >"$scratch/index"
    name multi "$(add multi "$index_type" "$scratch/index")"
}

make_layers() {
    new_layout layers
    local i files=()
    for i in {001..100}; do
        one_file "layers/$i" "layer $i" >"$scratch/$i.layer"
        files+=("$scratch/$i.layer")
    done
    name layers "$(single layers "linux/$architecture" gzip "${files[@]}")"
}

make_artifact() {
    new_layout artifact
    local config hello data subject
    printf '{}' >"$scratch/empty"
    printf 'hello from an artifact\n' >"$scratch/hello"
    # Not text, and longer than one read or write of any client.
    pseudorandom 300000 >"$scratch/data"
    config=$(add artifact "$empty_type" "$scratch/empty")
    hello=$(add artifact text/plain "$scratch/hello" |
        jq '.annotations["org.opencontainers.image.title"] = "hello.txt"')
    data=$(add artifact application/octet-stream "$scratch/data" |
        jq '.annotations["org.opencontainers.image.title"] = "data.bin"')
    subject=$(jq '.manifests[0] | {mediaType, digest, size}' "$images/busybox/index.json")
    jq -n --arg type "$manifest_type" --argjson config "$config" --argjson subject "$subject" \
        --argjson layers "[$hello, $data]" '{
            schemaVersion: 2, mediaType: $type, artifactType: "application/vnd.plura.test",
            config: $config, layers: $layers, subject: $subject,
            annotations: {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"}
        }' >"$scratch/manifest"
    name artifact "$(add artifact "$manifest_type" "$scratch/manifest")"
}

# Configuration and layer have the same digests as in the layout: the archive is the same image.
make_docker_archive() {
    local dir=$scratch/archive layer config
    mkdir "$dir"
    layer=$(digest_of "$scratch/busybox.layer")
    config=$(jq -r '.config.digest' "$(blob busybox "$(jq -r '.manifests[0].digest' "$images/busybox/index.json")")")
    cp "$scratch/busybox.layer" "$dir/${layer#*:}.tar"
    cp "$(blob busybox "$config")" "$dir/${config#*:}.json"
    jq -n --arg config "${config#*:}.json" --arg layer "${layer#*:}.tar" \
        '[{Config: $config, RepoTags: ["busybox:archive"], Layers: [$layer]}]' >"$dir/manifest.json"
    pack "$dir" >"$images/busybox.tar"
}

# single LAYOUT PLATFORM COMPRESSION LAYER...: adds an image, prints its manifest's descriptor.
single() {
    local layout=$1 platform=$2 compression=$3 file config
    local descriptors=() diff_ids=()
    shift 3
    for file in "$@"; do
        diff_ids+=("$(digest_of "$file")")
        compress "$compression" <"$file" >"$scratch/compressed"
        descriptors+=("$(add "$layout" "$layer_type+$compression" "$scratch/compressed")")
    done
    # buildah insists on a history as long as the list of layers.
    printf '%s\n' "${diff_ids[@]}" | jq -nR --arg arch "${platform#*/}" '
        "2026-01-01T00:00:00Z" as $created | [inputs] as $diff_ids | {
            created: $created, architecture: $arch, os: "linux",
            config: {Env: ["PATH=/bin"], Cmd: ["sh"], Labels: {"plura.test": "yes"}},
            rootfs: {type: "layers", diff_ids: $diff_ids},
            history: [$diff_ids[] | {created: $created, created_by: "clients/images.sh"}]
        }' >"$scratch/config"
    config=$(add "$layout" "$config_type" "$scratch/config")
    printf '%s\n' "${descriptors[@]}" |
        jq -s --arg type "$manifest_type" --argjson config "$config" \
            '{schemaVersion: 2, mediaType: $type, config: $config, layers: .}' >"$scratch/manifest"
    add "$layout" "$manifest_type" "$scratch/manifest"
}

compress() {
    case $1 in
        gzip) gzip -n ;;
        zstd) zstd -q -c ;;
    esac
}

new_layout() {
    rm -rf "${images:?}/$1"
    mkdir -p "$images/$1/blobs/sha256"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$images/$1/oci-layout"
}

# add LAYOUT MEDIA-TYPE FILE: adds a blob and prints its descriptor.
add() {
    local digest size
    digest=$(digest_of "$3")
    size=$(stat -c %s "$3")
    cp "$3" "$(blob "$1" "$digest")"
    printf '{"mediaType":"%s","digest":"%s","size":%d}\n' "$2" "$digest" "$size"
}

# name LAYOUT DESCRIPTOR: makes it the layout's entry, without a tag name, so that it is the default.
name() {
    jq '{schemaVersion: 2, manifests: [.]}' <<<"$2" >"$images/$1/index.json"
}

blob() {
    printf '%s/%s/blobs/%s\n' "$images" "$1" "${2/://}"
}

# A layer with one small file.
one_file() {
    rm -rf "$scratch/one"
    mkdir -p "$scratch/one/$(dirname "$1")"
    printf '%s\n' "$2" >"$scratch/one/$1"
    pack "$scratch/one"
}

# A tar of a directory that depends on nothing but names, modes and contents.
pack() {
    (cd "$1" && find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort |
        tar -c --no-recursion --format=ustar --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
            --mtime=2026-01-01T00:00:00Z -T -)
}

# Bytes that do not compress, the same every time.
pseudorandom() {
    head -c "$1" /dev/zero |
        openssl enc -aes-128-ctr -nosalt -K 00000000000000000000000000000000 -iv 00000000000000000000000000000000
}

digest_of() {
    printf 'sha256:%s\n' "$(openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1)"
}

main
