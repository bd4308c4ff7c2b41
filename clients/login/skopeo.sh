#!/usr/bin/env bash
# skopeo login, and credentials for each side of a copy: from and to private repositories, delete.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

log_in() {
    skopeo login --username "$1" --password-stdin "$REGISTRY" <<<"$2"
}

copy() {
    skopeo copy --quiet --all --preserve-digests "$@"
}

prepare
digest=$(layout_digest "$IMAGES/busybox")

step "without a login: read what is public, and nothing else"
copy "docker://$public/busybox:v1" "oci:$WORK/public"
same_layout "the public image" "$IMAGES/busybox" "$WORK/public"
skopeo list-tags "docker://$public/busybox" >/dev/null
refused "$unauthorized" copy "oci:$IMAGES/busybox" "docker://$public/pushed:v1"
refused "$unauthorized" copy "oci:$IMAGES/busybox" "docker://$base/busybox:v1"
refused "$unauthorized" skopeo inspect "docker://$base/busybox:v1"
refused "$unauthorized" skopeo list-tags "docker://$base/busybox"

step "login, push, pull, inspect"
refused 'invalid username/password' log_in "$developer" wrong-password
log_in "$developer" "$password"
equal "who is logged in" "$developer" "$(skopeo login --get-login "$REGISTRY")"
for image in busybox multi; do
    copy "oci:$IMAGES/$image" "docker://$base/$image:v1"
    stored "$image" v1 "$(layout_digest "$IMAGES/$image")"
    copy "docker://$base/$image:v1" "oci:$WORK/$image"
    same_layout "$image" "$IMAGES/$image" "$WORK/$image"
done
equal digest "$digest" "$(skopeo inspect --format '{{.Digest}}' "docker://$base/busybox:v1")"
equal tags v1 "$(skopeo list-tags "docker://$base/busybox" | jq -r '.Tags | join(" ")')"

step "from one repository to another"
copy "docker://$base/multi:v1" "docker://$base/elsewhere/multi:v1"
stored elsewhere/multi v1 "$(layout_digest "$IMAGES/multi")"
copy "docker://$public/busybox:v1" "docker://$base/elsewhere/busybox:v1"
stored elsewhere/busybox v1 "$digest"
refused "$denied" copy "docker://$base/busybox:v1" "docker://$public/pushed:v1"

step "sync"
mkdir "$WORK/sync"
skopeo sync --all --preserve-digests --src docker --dest dir "$base/busybox" "$WORK/sync"
skopeo sync --all --preserve-digests --src dir --dest docker "$WORK/sync" "$base/synced"
stored synced/busybox v1 "$digest"

step "logout"
skopeo logout "$REGISTRY"
refused "$unauthorized" skopeo inspect "docker://$base/busybox:v1"

step "credentials for each side"
copy --src-creds "$reader:$password" --dest-creds "$developer:$password" \
    "docker://$base/busybox:v1" "docker://$base/copied:v1"
stored copied v1 "$digest"
refused "$denied" copy --src-creds "$reader:$password" --dest-creds "$reader:$password" \
    "docker://$base/busybox:v1" "docker://$base/copied:v2"
refused "$denied" skopeo inspect --creds "$stranger:$password" "docker://$base/busybox:v1"

step "deleting takes a maintainer"
refused "$denied" skopeo delete --creds "$developer:$password" "docker://$base/copied:v1"
stored copied v1 "$digest"
member "$stranger" maintainer
skopeo delete --creds "$stranger:$password" "docker://$base/copied:v1"
equal "the deleted manifest" 404 "$(http_status "$NAMESPACE/copied/manifests/$digest")"
