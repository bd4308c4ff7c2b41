#!/usr/bin/env bash
# helm registry login: charts in a private project, and one that everybody may pull.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

helm() {
    "$TOOLS/helm-venv/bin/python" "$(dirname "${BASH_SOURCE[0]}")/../helm.py" "$@"
}

log_in() {
    helm login "$REGISTRY" "$1" <<<"$2"
}

prepare
helm create hello
helm package hello 1.2.3
mkdir pulled

step "without a login"
refused "$unauthorized" helm push hello-1.2.3.tgz "oci://$base/charts"
refused "$unauthorized" helm push hello-1.2.3.tgz "oci://$public/charts"
refused "$unauthorized" helm pull "oci://$base/charts/hello" 1.2.3 pulled

step "login, push, pull"
refused "$unauthorized" log_in "$developer" wrong-password
log_in "$developer" "$password"
helm push hello-1.2.3.tgz "oci://$base/charts"
stored charts/hello 1.2.3 "$(helm digest "oci://$base/charts/hello:1.2.3")"
equal versions 1.2.3 "$(helm versions "oci://$base/charts/hello")"
helm pull "oci://$base/charts/hello" 1.2.3 pulled
same_file chart hello-1.2.3.tgz pulled/hello-1.2.3.tgz
refused "$denied" helm push hello-1.2.3.tgz "oci://$public/charts"

step "a reader"
log_in "$reader" "$password"
grep -q '^version: 1.2.3' <(helm show "oci://$base/charts/hello:1.2.3") || fail "show: wrong chart"
refused "$denied" helm push hello-1.2.3.tgz "oci://$base/charts"

step "logout, and what is public"
log_in admin "$ADMIN_PASSWORD"
helm push hello-1.2.3.tgz "oci://$public/charts"
helm logout "$REGISTRY"
refused "$unauthorized" helm pull "oci://$base/charts/hello" 1.2.3 pulled
mkdir public
helm pull "oci://$public/charts/hello" 1.2.3 public
same_file chart hello-1.2.3.tgz public/hello-1.2.3.tgz
