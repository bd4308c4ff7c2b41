# shellcheck shell=bash
# What the client scripts share: the addresses they work on, and the checks.
#
# Sourced by every clients/NAME.sh and, through clients/login/lib.sh, every clients/login/NAME.sh.
# scripts/clients runs them one by one with these variables set:
#
#   REGISTRY    HOST:PORT of the registry under test, plain HTTP
#   NAMESPACE   prefix for every repository of this client in this run; nothing is stored there yet
#   IMAGES      directory with the images of clients/images.sh, read-only
#   WORK        empty directory for whatever the client writes; HOME and TMPDIR are inside it
#   TOOLS       directory of scripts/install-test-tools
#   CGROUP      name of the control group that containers of this run belong in
#
# A client may leave daemons, mounts and files behind: it runs in mount and process namespaces of
# its own, where /etc, /run and /var/lib are private copies, and all of that ends with it.
#
# The checks ask the registry with curl, never with the client under test, and compare digests of
# the bytes that arrive: a client that believes itself does not count as evidence.
set -euo pipefail
shopt -s inherit_errexit

: "${REGISTRY:?run this through scripts/clients}" "${NAMESPACE:?}" "${IMAGES:?}" "${WORK:?}" "${TOOLS:?}" "${CGROUP:?}"

# Where this client's repositories are, as most clients want to be told.
# shellcheck disable=SC2034  # used by the scripts that source this file
base=$REGISTRY/$NAMESPACE

# How the checks reach the registry; with a login, clients/login/lib.sh adds credentials.
scheme=http
curl_flags=()
skopeo_flags=()

# Every manifest type there is: a registry may refuse to answer with a type not asked for.
manifest_types='application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json'
manifest_types+=', application/vnd.docker.distribution.manifest.v2+json'
manifest_types+=', application/vnd.docker.distribution.manifest.list.v2+json'

# Says what comes next. The runner shows this log when the client fails.
step() {
    printf '\n--- %s\n' "$*"
}

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# equal WHAT EXPECTED ACTUAL
equal() {
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
    printf 'ok: %s is %s\n' "$1" "$2"
}

# same_file WHAT EXPECTED ACTUAL
same_file() {
    cmp "$2" "$3" || fail "$1: $3 differs from $2"
    printf 'ok: %s is the same byte for byte\n' "$1"
}

# refused REASON COMMAND...: the command must fail, and say REASON (an extended regular expression).
# Without the reason, a misspelt option would pass for a refusal.
refused() {
    local reason=$1 output status=0
    shift
    output=$("$@" 2>&1) || status=$?
    [ $status -ne 0 ] || fail "should have been refused: $*"
    grep -qiE "$reason" <<<"$output" || fail "refused, but not for '$reason': $*: $output"
    printf 'ok: refused: %s\n' "$*"
}

# wait_until SECONDS COMMAND...: polls, because no daemon here can tell when it is ready.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || fail "still not true at the deadline: $*"
        sleep 0.1
    done
}

digest_of() {
    printf 'sha256:%s\n' "$(openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1)"
}

# The manifest digest of the only entry of an OCI layout.
layout_digest() {
    jq -er 'if (.manifests | length) == 1 then .manifests[0].digest else error("not one entry") end' \
        "$1/index.json"
}

# blob_path LAYOUT DIGEST
blob_path() {
    printf '%s/blobs/%s\n' "$1" "${2/://}"
}

# http_status PATH [CURL OPTIONS...]: the status of a request below /v2/.
http_status() {
    local path=$1
    shift
    curl -sS -o /dev/null -w '%{http_code}\n' -H "Accept: $manifest_types" "${curl_flags[@]}" "$@" \
        "$scheme://$REGISTRY/v2/$path"
}

# fetch PATH FILE: an answer of the registry below /v2/, which must be 200.
fetch() {
    curl -sS --fail-with-body -o "$2" -H "Accept: $manifest_types" "${curl_flags[@]}" \
        "$scheme://$REGISTRY/v2/$1" || fail "GET /v2/$1: $(cat "$2")"
}

# remote_digest REPOSITORY REFERENCE: the digest of the manifest bytes the registry gives.
remote_digest() {
    local file
    file=$(mktemp)
    fetch "$NAMESPACE/$1/manifests/$2" "$file"
    digest_of "$file"
    rm "$file"
}

# stored REPOSITORY REFERENCE DIGEST: the reference leads to the digest, and the registry gives back
# that manifest and everything it names with exactly the bytes that the digests promise.
stored() {
    equal "$1:$2" "$3" "$(remote_digest "$1" "$2")"
    stored_manifest "$1" "$3"
    printf 'ok: everything below %s@%s is there, bytes compared\n' "$1" "$3"
}

stored_manifest() {
    local repository=$1 digest=$2 file manifests blobs child
    file=$(mktemp)
    fetch "$NAMESPACE/$repository/manifests/$digest" "$file"
    [ "$(digest_of "$file")" = "$digest" ] || fail "manifest $digest comes back with other bytes"
    manifests=$(jq -r '.manifests[]?.digest' "$file")
    blobs=$(jq -r '[.config?.digest, .layers[]?.digest] | unique[] | values' "$file")
    rm "$file"
    [ -n "$manifests$blobs" ] || fail "manifest $digest names nothing"
    for child in $manifests; do
        stored_manifest "$repository" "$child"
    done
    for child in $blobs; do
        stored_blob "$repository" "$child"
    done
}

stored_blob() {
    local file
    file=$(mktemp)
    fetch "$NAMESPACE/$1/blobs/$2" "$file"
    [ "$(digest_of "$file")" = "$2" ] || fail "blob $2 comes back with other bytes"
    rm "$file"
}

# same_layout WHAT EXPECTED ACTUAL: two OCI layouts hold the same blobs.
same_layout() {
    equal "$1" "$(layout_digest "$2")" "$(layout_digest "$3")"
    diff -r "$2/blobs" "$3/blobs" || fail "$1: the blobs differ"
}

# seed IMAGE REPOSITORY:TAG: puts an image there for clients that want to start with a pull.
seed() {
    skopeo copy --quiet --all --preserve-digests "${skopeo_flags[@]}" \
        "oci:$IMAGES/$1" "docker://$base/$2"
}

# Gives buildah and podman a storage of this client's own.
containers_storage() {
    export CONTAINERS_STORAGE_CONF=$WORK/storage.conf
    cat >"$CONTAINERS_STORAGE_CONF" <<END
[storage]
driver = "$(storage_driver)"
graphroot = "$WORK/storage"
runroot = "$WORK/storage-run"
END
}

# Overlay does not work on every filesystem; vfs does, and is slower.
storage_driver() {
    local dir
    dir=$(mktemp -d)
    mkdir "$dir/lower" "$dir/upper" "$dir/work" "$dir/merged"
    if mount -t overlay overlay "$dir/merged" \
        -o "lowerdir=$dir/lower,upperdir=$dir/upper,workdir=$dir/work" 2>/dev/null; then
        umount "$dir/merged"
        echo overlay
    else
        echo vfs
    fi
    rm -r "$dir"
}
