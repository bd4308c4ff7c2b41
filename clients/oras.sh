#!/usr/bin/env bash
# oras: artifacts that are not images, and the artifacts attached to them, which it finds through
# the referrers API.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# referrers REPOSITORY DIGEST: what the registry itself says, as sorted lines of digest and type.
referrers() {
    fetch "$NAMESPACE/$1/referrers/$2" "$WORK/referrers.json"
    jq -r '.manifests[] | "\(.digest) \(.artifactType)"' "$WORK/referrers.json" | sort
}

mkdir sent
printf 'a text\n' >sent/notes.txt
openssl rand 1000000 >sent/data.bin
cd sent

step "push an artifact and pull it"
oras push --plain-http --no-tty --artifact-type application/vnd.plura.notes --annotation by=oras \
    --export-manifest "$WORK/pushed.json" "$base/notes:v1" \
    notes.txt:text/plain data.bin:application/octet-stream
digest=$(digest_of "$WORK/pushed.json")
stored notes v1 "$digest"
oras pull --plain-http --no-tty -o "$WORK/received" "$base/notes:v1"
diff -r . "$WORK/received" || fail "the files differ"

step "manifest fetch, resolve, blob fetch"
oras manifest fetch --plain-http -o "$WORK/fetched.json" "$base/notes:v1"
same_file manifest "$WORK/pushed.json" "$WORK/fetched.json"
equal resolved "$digest" "$(oras resolve --plain-http "$base/notes:v1")"
oras blob fetch --plain-http -o "$WORK/blob" "$base/notes@$(digest_of data.bin)"
same_file blob data.bin "$WORK/blob"

step "tags"
oras tag --plain-http "$base/notes:v1" latest v1.0
equal tags 'latest v1 v1.0' "$(oras repo tags --plain-http "$base/notes" | sort | paste -sd ' ')"
stored notes latest "$digest"

step "attach to it, and to what was attached"
# The flag keeps oras from falling back to the tag that older registries need.
attach() {
    oras attach --plain-http --no-tty --distribution-spec v1.1-referrers-api \
        --export-manifest "$WORK/attached.json" "$@"
    digest_of "$WORK/attached.json" >"$WORK/attached"
}
printf '{"spdx":true}\n' >bom.json
printf 'looks good\n' >review.txt
attach --artifact-type application/spdx+json "$base/notes:v1" bom.json
bom=$(cat "$WORK/attached")
attach --artifact-type text/review "$base/notes@$digest" review.txt
review=$(cat "$WORK/attached")
attach --artifact-type text/review "$base/notes@$bom" review.txt
second=$(cat "$WORK/attached")
equal referrers \
    "$(printf '%s application/spdx+json\n%s text/review\n' "$bom" "$review" | sort)" \
    "$(referrers notes "$digest")"
equal "referrers of the first one" "$second text/review" "$(referrers notes "$bom")"
equal "tags in place of the API" 404 "$(http_status "$NAMESPACE/notes/manifests/${digest/:/-}")"

step "discover"
discover() {
    oras discover --plain-http --distribution-spec v1.1-referrers-api --format json "$@" |
        jq -r '.manifests[].digest' | sort
}
equal "all of them" "$(printf '%s\n' "$bom" "$review" | sort)" "$(discover "$base/notes:v1")"
equal "those of one type" "$review" "$(discover --artifact-type text/review "$base/notes:v1")"
tree=$(oras discover --plain-http --format tree "$base/notes:v1")
for attached in "$bom" "$review"; do
    grep -q "$attached" <<<"$tree" || fail "$attached is not in the tree: $tree"
done
oras pull --plain-http --no-tty -o "$WORK/bom" "$base/notes@$bom"
same_file "attached file" bom.json "$WORK/bom/bom.json"

step "copy with everything attached to another repository"
oras cp -r --no-tty --from-plain-http --to-plain-http "$base/notes:v1" "$base/elsewhere/notes:v1"
stored elsewhere/notes v1 "$digest"
equal "copied referrers" "$(referrers notes "$digest")" "$(referrers elsewhere/notes "$digest")"
stored elsewhere/notes "$second" "$second"

step "copy out to an OCI layout and in again"
oras cp -r --no-tty --from-plain-http --to-oci-layout "$base/notes:v1" "$WORK/layout:v1"
oras cp -r --no-tty --from-oci-layout --to-plain-http "$WORK/layout:v1" "$base/again/notes:v1"
stored again/notes v1 "$digest"
equal "copied referrers" "$(referrers notes "$digest")" "$(referrers again/notes "$digest")"

step "an artifact whose subject is an image, the subject last"
artifact=$(layout_digest "$IMAGES/artifact")
subject=$(layout_digest "$IMAGES/busybox")
# Piece by piece, because `oras cp` wants the subject to be where the artifact is.
manifest=$(blob_path "$IMAGES/artifact" "$artifact")
for blob in $(jq -r '.config.digest, .layers[].digest' "$manifest"); do
    oras blob push --plain-http --no-tty "$base/image@$blob" "$(blob_path "$IMAGES/artifact" "$blob")"
done
oras manifest push --plain-http "$base/image@$artifact" "$manifest"
equal "known before its subject" "$artifact application/vnd.plura.test" "$(referrers image "$subject")"
seed busybox image:v1
stored image "$artifact" "$artifact"
equal discovered "$artifact" "$(discover "$base/image:v1")"

step "delete"
oras manifest delete --plain-http --force "$base/notes@$review"
equal "referrers left" "$bom application/spdx+json" "$(referrers notes "$digest")"
refused 'not found' oras pull --plain-http --no-tty -o "$WORK/gone" "$base/notes@$review"
