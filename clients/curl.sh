#!/usr/bin/env bash
# curl: the protocol itself, one request after another, as an introduction to it that is checked.
#
# The steps follow the OCI distribution specification: https://github.com/opencontainers/distribution-spec
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

repository=http://$REGISTRY/v2/$NAMESPACE/hello
image_type=application/vnd.oci.image.manifest.v1+json

# request STATUS CURL-ARGUMENTS...: leaves the answer in the files `headers` and `body`.
request() {
    local expected=$1 status
    shift
    : >body
    status=$(curl -sS -D headers -o body -w '%{http_code}' "$@")
    [ "$status" = "$expected" ] || fail "expected $expected, got $status: curl $*: $(cat headers body)"
    printf 'ok: %s: curl %s\n' "$status" "$*"
}

# header NAME: from the last answer, empty if it is not there.
header() {
    tr -d '\r' <headers | sed -n "s/^$1: *//Ip" | tail -n 1
}

# Where the last answer points to. It may be a path or a whole address.
location() {
    local location
    location=$(header Location)
    [ -n "$location" ] || fail "no Location: $(cat headers)"
    case $location in
        /*) printf 'http://%s%s\n' "$REGISTRY" "$location" ;;
        *) printf '%s\n' "$location" ;;
    esac
}

# with_digest URL DIGEST: the address of an upload may have a query already.
with_digest() {
    case $1 in
        *\?*) printf '%s&digest=%s\n' "$1" "$2" ;;
        *) printf '%s?digest=%s\n' "$1" "$2" ;;
    esac
}

# error_code: the first one in the last answer.
error_code() {
    jq -r '.errors[0].code' body
}

step "is this a registry?"
request 200 "http://$REGISTRY/v2/"

step "push a blob: open an upload, then send all of it"
head -c 100000 /dev/urandom >blob
blob=$(digest_of blob)
request 404 -I "$repository/blobs/$blob"
request 202 -X POST "$repository/blobs/uploads/"
request 201 -X PUT --data-binary @blob -H 'Content-Type: application/octet-stream' \
    "$(with_digest "$(location)" "$blob")"
equal digest "$blob" "$(header Docker-Content-Digest)"
request 200 "$(location)"
same_file blob blob body

step "pull a blob"
request 200 -I "$repository/blobs/$blob"
equal length 100000 "$(header Content-Length)"
equal digest "$blob" "$(header Docker-Content-Digest)"
request 200 "$repository/blobs/$blob"
same_file blob blob body

step "pull a part of a blob"
request 206 -r 10-19 "$repository/blobs/$blob"
equal range 'bytes 10-19/100000' "$(header Content-Range)"
same_file part <(head -c 20 blob | tail -c 10) body
request 206 -r 99990- "$repository/blobs/$blob"
same_file end <(tail -c 10 blob) body
request 206 -r -7 "$repository/blobs/$blob"
same_file "last seven bytes" <(tail -c 7 blob) body
request 416 -r 100000- "$repository/blobs/$blob"

step "push a blob in chunks, and ask in between how far it got"
printf 'first second third' >chunks
chunks=$(digest_of chunks)
request 202 -X POST "$repository/blobs/uploads/"
request 202 -X PATCH --data-binary 'first ' -H 'Content-Type: application/octet-stream' \
    -H 'Content-Range: 0-5' "$(location)"
equal progress 0-5 "$(header Range)"
request 204 "$(location)"
equal progress 0-5 "$(header Range)"
upload=$(location)
request 202 -X PATCH --data-binary 'second ' -H 'Content-Type: application/octet-stream' \
    -H 'Content-Range: 6-12' "$upload"
request 201 -X PUT --data-binary 'third' -H 'Content-Type: application/octet-stream' \
    -H 'Content-Range: 13-17' "$(with_digest "$(location)" "$chunks")"
request 200 "$repository/blobs/$chunks"
same_file "the chunks together" chunks body

step "stream a blob without saying how long it is"
request 202 -X POST "$repository/blobs/uploads/"
request 202 -X PATCH -T - -H 'Content-Type: application/octet-stream' "$(location)" <blob
request 201 -X PUT "$(with_digest "$(location)" "$blob")"

step "bytes that do not have the digest they should are not kept"
wrong=$(printf 'other bytes' | openssl dgst -sha256 -r | cut -d ' ' -f 1)
request 202 -X POST "$repository/blobs/uploads/"
request 400 -X PUT --data-binary @blob -H 'Content-Type: application/octet-stream' \
    "$(with_digest "$(location)" "sha256:$wrong")"
equal error DIGEST_INVALID "$(error_code)"
request 404 -I "$repository/blobs/sha256:$wrong"

step "give up an upload"
request 202 -X POST "$repository/blobs/uploads/"
upload=$(location)
request 204 -X DELETE "$upload"
request 404 "$upload"
equal error BLOB_UPLOAD_UNKNOWN "$(error_code)"

step "push and pull a manifest"
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["%s"]}}' "$blob" >config
config=$(digest_of config)
request 202 -X POST "$repository/blobs/uploads/"
request 201 -X PUT --data-binary @config -H 'Content-Type: application/octet-stream' \
    "$(with_digest "$(location)" "$config")"
# With white space of our own: these very bytes must come back.
cat >manifest <<END
{ "schemaVersion": 2,
  "mediaType": "$image_type",
  "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "$config", "size": $(stat -c %s config)},
  "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "$blob", "size": 100000}] }
END
manifest=$(digest_of manifest)
request 201 -X PUT --data-binary @manifest -H "Content-Type: $image_type" "$repository/manifests/v1"
equal digest "$manifest" "$(header Docker-Content-Digest)"
for reference in v1 "$manifest"; do
    request 200 -H "Accept: $image_type" "$repository/manifests/$reference"
    same_file manifest manifest body
    equal type "$image_type" "$(header Content-Type)"
    request 200 -I -H "Accept: $image_type" "$repository/manifests/$reference"
    equal digest "$manifest" "$(header Docker-Content-Digest)"
    equal length "$(stat -c %s manifest)" "$(header Content-Length)"
done
request 404 "$repository/manifests/v2"
equal error MANIFEST_UNKNOWN "$(error_code)"

step "a manifest must not name what is not there"
sed "s/$blob/sha256:$wrong/" manifest >dangling
status=$(curl -sS -o body -w '%{http_code}' -X PUT --data-binary @dangling \
    -H "Content-Type: $image_type" "$repository/manifests/dangling")
[[ $status = 4* ]] || fail "a manifest with an unknown layer was answered $status"
[[ $(error_code) = *BLOB_UNKNOWN ]] || fail "the error is $(cat body)"
request 404 -I -H "Accept: $image_type" "$repository/manifests/dangling"

step "list tags, a page at a time"
for tag in a b c d; do
    request 201 -X PUT --data-binary @manifest -H "Content-Type: $image_type" "$repository/manifests/$tag"
done
request 200 "$repository/tags/list"
equal tags '["a","b","c","d","v1"]' "$(jq -c .tags body)"
request 200 "$repository/tags/list?n=2"
equal "first page" '["a","b"]' "$(jq -c .tags body)"
next=$(header Link | sed -n 's/^<\([^>]*\)>; *rel="\{0,1\}next"\{0,1\}.*/\1/p')
[[ $next = /* ]] || next=/${next#http://*/}
request 200 "http://$REGISTRY$next"
equal "second page" '["c","d"]' "$(jq -c .tags body)"
request 200 "$repository/tags/list?n=2&last=d"
equal "last page" '["v1"]' "$(jq -c .tags body)"
equal "no page after it" '' "$(header Link)"

step "use a blob of another repository without sending it"
other=http://$REGISTRY/v2/$NAMESPACE/other
request 404 -I "$other/blobs/$blob"
request 201 -X POST "$other/blobs/uploads/?mount=$blob&from=$NAMESPACE/hello"
request 200 "$other/blobs/$blob"
same_file "mounted blob" blob body

step "push a blob with one request"
printf 'one request' >single
single=$(digest_of single)
request 201 -X POST --data-binary @single -H 'Content-Type: application/octet-stream' \
    "$repository/blobs/uploads/?digest=$single"
request 200 "$repository/blobs/$single"
same_file blob single body

step "a chunk that is out of order is refused, and the upload goes on where it was"
request 202 -X POST "$repository/blobs/uploads/"
request 202 -X PATCH --data-binary 'first ' -H 'Content-Type: application/octet-stream' \
    -H 'Content-Range: 0-5' "$(location)"
upload=$(location)
request 416 -X PATCH --data-binary 'third' -H 'Content-Type: application/octet-stream' \
    -H 'Content-Range: 13-17' "$upload"
request 204 "$upload"
equal progress 0-5 "$(header Range)"

step "an artifact that refers to the image"
printf '{}' >empty
empty=$(digest_of empty)
request 201 -X POST --data-binary @empty -H 'Content-Type: application/octet-stream' \
    "$repository/blobs/uploads/?digest=$empty"
cat >artifact <<END
{"schemaVersion": 2, "mediaType": "$image_type", "artifactType": "text/review",
 "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "$empty", "size": 2},
 "layers": [{"mediaType": "application/vnd.oci.empty.v1+json", "digest": "$empty", "size": 2}],
 "annotations": {"verdict": "good"},
 "subject": {"mediaType": "$image_type", "digest": "$manifest", "size": $(stat -c %s manifest)}}
END
artifact=$(digest_of artifact)
request 200 "$repository/referrers/$manifest"
equal "referrers before" '[]' "$(jq -c .manifests body)"
request 201 -X PUT --data-binary @artifact -H "Content-Type: $image_type" "$repository/manifests/$artifact"
equal subject "$manifest" "$(header OCI-Subject)"
request 200 "$repository/referrers/$manifest"
equal type application/vnd.oci.image.index.v1+json "$(header Content-Type)"
equal referrer "$artifact text/review good $(stat -c %s artifact)" \
    "$(jq -r '.manifests[] | "\(.digest) \(.artifactType) \(.annotations.verdict) \(.size)"' body)"
request 200 "$repository/referrers/$manifest?artifactType=text/review"
equal "of this type" "$artifact" "$(jq -r '.manifests[].digest' body)"
request 200 "$repository/referrers/$manifest?artifactType=text/other"
equal "of another type" '[]' "$(jq -c .manifests body)"
equal "said to be filtered" artifactType "$(header OCI-Filters-Applied)"

step "delete a tag, a manifest, a blob"
request 202 -X DELETE "$repository/manifests/a"
request 404 "$repository/manifests/a"
request 200 -H "Accept: $image_type" "$repository/manifests/b"
request 202 -X DELETE "$repository/manifests/$artifact"
request 200 "$repository/referrers/$manifest"
equal "referrers after" '[]' "$(jq -c .manifests body)"
request 202 -X DELETE "$repository/manifests/$manifest"
request 404 "$repository/manifests/$manifest"
request 404 "$repository/manifests/b"
request 202 -X DELETE "$repository/blobs/$single"
request 404 -I "$repository/blobs/$single"
# The mounted one is the other repository's own.
request 202 -X DELETE "$repository/blobs/$blob"
request 200 "$other/blobs/$blob"
same_file "mounted blob" blob body
