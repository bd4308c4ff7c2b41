#!/usr/bin/env bash
# skopeo: copies from and to OCI layouts, directories and docker archives without changing a byte,
# whole repositories with sync, what inspect and list-tags tell, and deletion.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

copy() {
    skopeo copy --quiet --all --preserve-digests "$@"
}

step "OCI layouts there and back"
for image in busybox multi zstd layers; do
    copy "oci:$IMAGES/$image" "docker://$base/$image:v1"
    stored "$image" v1 "$(layout_digest "$IMAGES/$image")"
    copy "docker://$base/$image:v1" "oci:$WORK/$image"
    same_layout "$image" "$IMAGES/$image" "$WORK/$image"
done

step "by digest"
digest=$(layout_digest "$IMAGES/busybox")
copy "docker://$base/busybox@$digest" "oci:$WORK/by-digest"
same_layout "busybox by digest" "$IMAGES/busybox" "$WORK/by-digest"

step "one platform out of an index"
skopeo copy --quiet --override-arch s390x "docker://$base/multi:v1" "oci:$WORK/s390x"
equal "the s390x image" \
    "$(jq -r '.manifests[] | select(.platform.architecture == "s390x").digest' \
        "$(blob_path "$IMAGES/multi" "$(layout_digest "$IMAGES/multi")")")" \
    "$(layout_digest "$WORK/s390x")"

step "a docker archive there and back"
skopeo copy --quiet --digestfile "$WORK/pushed" \
    "docker-archive:$IMAGES/busybox.tar" "docker://$base/archive:v1"
stored archive v1 "$(cat "$WORK/pushed")"
skopeo copy --quiet "docker://$base/archive:v1" "docker-archive:$WORK/back.tar:busybox:archive"
mkdir "$WORK/sent" "$WORK/back"
tar -xf "$IMAGES/busybox.tar" -C "$WORK/sent"
tar -xf "$WORK/back.tar" -C "$WORK/back"
for member in Config 'Layers[0]'; do
    same_file "the archive's $member" \
        "$WORK/sent/$(jq -r ".[0].$member" "$WORK/sent/manifest.json")" \
        "$WORK/back/$(jq -r ".[0].$member" "$WORK/back/manifest.json")"
done

step "from one repository to another"
copy "docker://$base/layers:v1" "docker://$base/elsewhere/layers:v1"
stored elsewhere/layers v1 "$(layout_digest "$IMAGES/layers")"

step "inspect"
skopeo inspect "docker://$base/layers:v1" >"$WORK/inspect.json"
equal digest "$(layout_digest "$IMAGES/layers")" "$(jq -r .Digest "$WORK/inspect.json")"
equal label yes "$(jq -r '.Labels["plura.test"]' "$WORK/inspect.json")"
equal "number of layers" 100 "$(jq '.Layers | length' "$WORK/inspect.json")"
skopeo inspect --raw "docker://$base/multi:v1" >"$WORK/raw.json"
equal "digest of the raw index" "$(layout_digest "$IMAGES/multi")" "$(digest_of "$WORK/raw.json")"
skopeo inspect --raw --config "docker://$base/busybox:v1" >"$WORK/config.json"
equal "digest of the raw configuration" \
    "$(jq -r .config.digest "$(blob_path "$IMAGES/busybox" "$digest")")" \
    "$(digest_of "$WORK/config.json")"

step "list-tags"
for tag in v2 v10 latest A_b-c.d; do
    copy "oci:$IMAGES/busybox" "docker://$base/busybox:$tag"
done
equal tags 'A_b-c.d latest v1 v10 v2' \
    "$(skopeo list-tags "docker://$base/busybox" | jq -r '.Tags | sort | join(" ")')"
refused 'name unknown|not found' skopeo list-tags "docker://$base/nobody-pushed-this"

step "sync a repository out and in again"
copy "oci:$IMAGES/zstd" "docker://$base/busybox:zstd"
mkdir "$WORK/sync"
skopeo sync --all --preserve-digests --src docker --dest dir "$base/busybox" "$WORK/sync"
skopeo sync --all --preserve-digests --src dir --dest docker "$WORK/sync" "$base/synced"
equal tags "$(skopeo list-tags "docker://$base/busybox" | jq -c '.Tags | sort')" \
    "$(skopeo list-tags "docker://$base/synced/busybox" | jq -c '.Tags | sort')"
stored synced/busybox v10 "$digest"
stored synced/busybox zstd "$(layout_digest "$IMAGES/zstd")"

step "delete"
# skopeo deletes the manifest, so its other tags go with it and tags of other manifests stay.
skopeo delete "docker://$base/synced/busybox:v1"
equal "the deleted manifest" 404 "$(http_status "$NAMESPACE/synced/busybox/manifests/$digest")"
equal "another tag of it" 404 "$(http_status "$NAMESPACE/synced/busybox/manifests/v10")"
stored synced/busybox zstd "$(layout_digest "$IMAGES/zstd")"
stored busybox v1 "$digest"
refused 'manifest unknown|not found|status code 404' skopeo inspect "docker://$base/synced/busybox:v1"
