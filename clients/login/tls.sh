#!/usr/bin/env bash
# Every client logs in, pushes and pulls over TLS, under a host name, for which none of them takes
# anything else: refused as long as the authority is unknown, then with the machine's trust.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../daemons.sh"

REGISTRY=$TLS_REGISTRY
scheme=https
export COSIGN_PASSWORD=
host=${REGISTRY%:*}
unknown='unknown authority|unknown issuer|self.signed certificate|unable to get local issuer'

# Private copies, which end with this script.
echo "127.0.0.1 $host" >>/etc/hosts

containers_storage
printf 'a text\n' >notes.txt

step "an authority that nobody knows"
refused "$unknown" curl -sS "https://$REGISTRY/v2/"
refused "$unknown" skopeo inspect "docker://$REGISTRY/public/busybox:v1"
refused "$unknown" podman login --username admin --password-stdin "$REGISTRY" <<<"$ADMIN_PASSWORD"
refused "$unknown" oras login --username admin --password-stdin "$REGISTRY" <<<"$ADMIN_PASSWORD"
refused 'certificate' "$PLURA" login --user admin --password-stdin "https://$REGISTRY" <<<"$ADMIN_PASSWORD"
refused 'HTTP request to an HTTPS server|malformed|EOF|reset|HTTP/0.9|empty reply' \
    curl -sS "http://$REGISTRY/v2/"

step "it becomes known"
cat "$CA" >>/etc/ssl/certs/ca-certificates.crt
prepare
start_dockerd
start_containerd

step "curl: the token service is named with https"
curl -sS -D headers -o /dev/null "https://$REGISTRY/v2/"
grep -qi "^www-authenticate: Bearer realm=\"https://$REGISTRY/auth/token\"" headers || fail "$(cat headers)"

step "skopeo"
skopeo login --username "$developer" --password-stdin "$REGISTRY" <<<"$password"
skopeo copy --quiet --preserve-digests "oci:$IMAGES/busybox" "docker://$base/busybox:v1"
digest=$(layout_digest "$IMAGES/busybox")
stored busybox v1 "$digest"
skopeo copy --quiet --preserve-digests "docker://$base/busybox:v1" oci:pulled
same_layout busybox "$IMAGES/busybox" pulled

step "podman and buildah, with the same login"
podman pull --quiet "$base/busybox:v1"
podman push --quiet "$base/busybox:v1" "$base/by-podman:v1"
buildah push "$base/busybox:v1" "docker://$base/by-buildah:v1"
skopeo logout "$REGISTRY"
refused "$unauthorized" podman pull --quiet "$base/busybox:v1"

step "docker"
refused "$denied" docker pull "$base/busybox:v1"
docker login --username "$developer" --password-stdin "$REGISTRY" <<<"$password"
docker pull --quiet "$base/busybox:v1"
docker tag "$base/busybox:v1" "$base/by-docker:v1"
docker push --quiet "$base/by-docker:v1"
docker logout "$REGISTRY"

step "containerd"
refused "$unauthorized" ctr images pull --snapshotter native "$base/busybox:v1"
ctr images pull --snapshotter native --user "$developer:$password" "$base/busybox:v1" >/dev/null
ctr images tag "$base/busybox:v1" "$base/by-containerd:v1" >/dev/null
ctr images push --user "$developer:$password" "$base/by-containerd:v1" >/dev/null

step "plura, with the authority in a file; oras, cosign and helm with its login"
"$PLURA" login --ca-file "$CA" --user "$developer" --password-stdin "https://$REGISTRY" <<<"$password"
identity_token "$logins" >/dev/null
oras push --no-tty "$base/by-oras:v1" notes.txt:text/plain
oras pull --no-tty -o received "$base/by-oras:v1"
cosign generate-key-pair
cosign sign --yes --tlog-upload=false --key cosign.key "$base/busybox@$digest"
cosign verify --insecure-ignore-tlog=true --key cosign.pub "$base/busybox:v1" >/dev/null
helm() {
    "$TOOLS/helm-venv/bin/python" "$(dirname "${BASH_SOURCE[0]}")/../helm.py" "$@"
}
helm create hello
helm package hello 1.2.3
HELM_SCHEME=https helm push hello-1.2.3.tgz "oci://$base/charts"
HELM_SCHEME=https helm pull "oci://$base/charts/hello" 1.2.3 received
"$PLURA" logout "https://$REGISTRY"
refused "$unauthorized" oras pull --no-tty -o received "$base/by-oras:v1"

step "everything is there"
for repository in by-podman by-buildah by-docker by-containerd by-oras; do
    equal "$repository:v1" 200 "$(http_status "$NAMESPACE/$repository/manifests/v1")"
done
equal "the signature" 200 "$(http_status "$NAMESPACE/busybox/manifests/${digest/:/-}.sig")"
equal "the chart" 200 "$(http_status "$NAMESPACE/charts/hello/manifests/1.2.3")"
