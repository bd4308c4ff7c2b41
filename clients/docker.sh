#!/usr/bin/env bash
# docker: a real dockerd loads, pushes, pulls by tag and digest, builds on a pulled image, and runs.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/daemons.sh"

forget_everything() {
    docker image prune --all --force >/dev/null
    equal "images left here" '' "$(docker images --all --quiet)"
}

# pushed_digest REPOSITORY:TAG: pushes, and prints the digest that the daemon says it pushed.
pushed_digest() {
    docker push "$base/$1" | tee /dev/stderr | sed -n 's/.* digest: \(sha256:[0-9a-f]*\) .*/\1/p'
}

step "a daemon"
start_dockerd
docker version --format 'client {{.Client.Version}}, server {{.Server.Version}}'

step "load and push"
docker load --input "$IMAGES/busybox.tar"
docker tag busybox:archive "$base/busybox:v1"
digest=$(pushed_digest busybox:v1)
stored busybox v1 "$digest"
id=$(docker image inspect --format '{{.Id}}' busybox:archive)

step "pull by tag and by digest, run"
for reference in "$base/busybox:v1" "$base/busybox@$digest"; do
    docker rmi --force "$id" >/dev/null
    forget_everything
    docker pull --quiet "$reference"
    equal "image id" "$id" "$(docker image inspect --format '{{.Id}}' "$reference")"
    equal "where it is from" "[$base/busybox@$digest]" \
        "$(docker image inspect --format '{{.RepoDigests}}' "$reference")"
    equal "output of a container" works "$(docker run --rm --network none "$reference" echo works)"
done

step "build on an image of the registry"
forget_everything
mkdir context
openssl rand -hex 8 >context/random
cat >context/Dockerfile <<END
FROM $base/busybox:v1
COPY random /random
RUN cat /random /random > /twice
CMD ["cat", "/twice"]
END
docker build --quiet --network none -t "$base/built:v1" context
built=$(pushed_digest built:v1)
stored built v1 "$built"
forget_everything
equal "output of what was built" "$(cat context/random context/random)" \
    "$(docker run --rm --network none "$base/built@$built")"

step "images of other tools: an index, 100 layers"
for image in multi layers; do
    seed "$image" "$image:v1"
    docker pull --quiet "$base/$image:v1"
done
equal "output of a container from an index" works \
    "$(docker run --rm --network none "$base/multi:v1" echo works)"
equal "id of the image with 100 layers" \
    "$(jq -r .config.digest "$(blob_path "$IMAGES/layers" "$(layout_digest "$IMAGES/layers")")")" \
    "$(docker image inspect --format '{{.Id}}' "$base/layers:v1")"

step "push again: every layer is there"
again=$(docker push "$base/layers:v1" | tee /dev/stderr)
grep -q 'Layer already exists' <<<"$again" || fail "the daemon sent layers again"
if grep -q ': Pushed' <<<"$again"; then
    fail "the daemon sent layers again"
fi

step "all tags of a repository"
docker pull --quiet "$base/busybox:v1"
docker tag "$base/busybox:v1" "$base/busybox:v2"
docker push --quiet --all-tags "$base/busybox"
stored busybox v2 "$digest"
forget_everything
docker pull --quiet --all-tags "$base/busybox"
equal tags 'v1 v2' "$(docker images --format '{{.Tag}}' "$base/busybox" | sort | paste -sd ' ')"
refused 'not found|manifest unknown' docker pull "$base/busybox:v3"
