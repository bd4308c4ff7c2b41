#!/usr/bin/env bash
# Helm: a chart is pushed, found by version, and pulled again.
#
# Debian has no helm, so this uses Helm's own library through its Python binding, see helm.py.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

helm() {
    "$TOOLS/helm-venv/bin/python" "$(dirname "${BASH_SOURCE[0]}")/helm.py" "$@"
}

step "push two versions"
helm create hello
for version in 1.2.3 1.3.0; do
    helm package hello "$version"
    helm push "hello-$version.tgz" "oci://$base/charts"
done

step "what the registry has"
for version in 1.2.3 1.3.0; do
    digest=$(helm digest "oci://$base/charts/hello:$version")
    stored charts/hello "$version" "$digest"
    fetch "$NAMESPACE/charts/hello/manifests/$version" manifest.json
    equal "type of the configuration" application/vnd.cncf.helm.config.v1+json \
        "$(jq -r .config.mediaType manifest.json)"
    equal "the chart's layer" "$(digest_of "hello-$version.tgz")" "$(jq -r '.layers[0].digest' manifest.json)"
done
equal "versions, newest first" '1.3.0 1.2.3' "$(helm versions "oci://$base/charts/hello" | paste -sd ' ')"

step "pull"
mkdir pulled
helm pull "oci://$base/charts/hello" 1.2.3 pulled
same_file chart hello-1.2.3.tgz pulled/hello-1.2.3.tgz
grep -q '^version: 1.3.0' <(helm show "oci://$base/charts/hello:1.3.0") || fail "show: wrong chart"
refused 'not found' helm pull "oci://$base/charts/hello" 9.9.9 pulled
