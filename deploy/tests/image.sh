#!/usr/bin/env bash
# The image: what follows the compiler is built, looked at and run. Read by scripts/deploy.
# shellcheck disable=SC2154  # scripts/deploy sets root, run, plura, python and tools

check_image() {
    if [ "$(id -u)" != 0 ]; then
        fail 'the image is built as root'
    fi
    local here=$run/image
    check 'image: the Dockerfile is sound' "$tools/deploy-venv/bin/hadolint" --ignore DL3008 "$root/deploy/docker/Dockerfile"
    mkdir -p "$here/storage" "$here/run" "$here/context/deploy/docker" "$here/program/usr/local/bin"
    # One layer, and nothing that needs a kernel module.
    printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$here/storage" "$here/run" >"$here/storage.conf"
    export CONTAINERS_STORAGE_CONF=$here/storage.conf BUILDAH_ISOLATION=chroot
    check 'image: its sources are whole' sources_are_whole "$here/sources"
    check 'image: it is built' image_is_built "$here"
    check 'image: it has what it needs, and no more' image_is_small "$here"
    check 'image: it says what it is' image_says_what_it_is
    check 'image: it is the same twice' image_is_reproducible "$here"
    check 'image: plura runs in it' image_runs "$here"
    unset CONTAINERS_STORAGE_CONF BUILDAH_ISOLATION
}

# sources_are_whole DIRECTORY: what the compiler's stage gets is a workspace, and compiled as it is here.
sources_are_whole() {
    mkdir -p "$1"
    (cd "$root" && sed -n 's/^!//p' deploy/docker/Dockerfile.dockerignore | xargs cp --parents -r -t "$1")
    cargo metadata --locked --offline --format-version 1 --no-deps --manifest-path "$1/Cargo.toml" |
        jq --exit-status '.packages | map(.name) | index("plura") != null'
    local file
    while read -r file; do
        [ -s "$1/${file#"$root/"}" ] || { printf 'no %s\n' "$file" && return 1; }
    done < <(included)
    local compiler
    compiler=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    grep -F "/rust:$compiler." "$root/deploy/docker/Dockerfile"
}

# Files that the sources take in, wherever they are.
included() {
    grep -rHoE 'include_(str|bytes)!\("[^"]+"' "$root"/crates/*/src "$root"/crates/*/build.rs | sed 's/include_[a-z]*!("//; s/"$//' |
        while IFS=: read -r source file; do realpath "${source%/*}/$file"; done
}

# The stages after the compiler, on a base made of this machine's own Debian, with the program that is
# under test. What the compiler's stage does, scripts/test does.
image_is_built() {
    local here=$1
    cp "$plura" "$here/program/usr/local/bin/plura"
    cp "$root/deploy/docker/make-root" "$here/context/deploy/docker/"
    # The first stage as an image that is there, the others as they are.
    # shellcheck disable=SC2016  # they are variables of the Dockerfile
    sed -e '/^FROM ${RUST_IMAGE} AS build$/,/^FROM ${DEBIAN_IMAGE} AS root$/{
        /^FROM ${DEBIAN_IMAGE} AS root$/!d
        s/^/FROM localhost\/program AS build\n/
    }' "$root/deploy/docker/Dockerfile" >"$here/Dockerfile"
    [ "$(grep -c '^FROM ' "$here/Dockerfile")" = 3 ]
    base_image program "$here/program" /out
    make_debian "$here/debian"
    base_image debian "$here/debian" /
    build "$here" plura
}

# build DIRECTORY TAG
build() {
    buildah build --quiet --no-cache --pull=never --network=none --timestamp 0 --format oci \
        --file "$1/Dockerfile" --build-arg DEBIAN_IMAGE=localhost/debian --build-arg COMMIT=0123456789 \
        --tag "localhost/$2" "$1/context"
}

# base_image NAME DIRECTORY WHERE
base_image() {
    local container
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$2" "$3"
    buildah commit --quiet --rm "$container" "localhost/$1"
}

# make_debian DIRECTORY: a shell, the tools that make-root uses, what it copies, and the package database.
make_debian() {
    local to=$1 package
    mkdir -p "$to"/{dev,proc,sys,tmp,var/lib} "$to"/usr/{bin,lib,lib64,sbin}
    ln -s usr/bin usr/lib usr/lib64 usr/sbin "$to"
    for package in base-files coreutils dash dpkg findutils gcc-12-base grep libc6 libgcc-s1 libacl1 libattr1 libbz2-1.0 \
        liblzma5 libmd0 libpcre2-8-0 libselinux1 libzstd1 zlib1g libssl3 libgmp10; do
        dpkg -L "$package" | while read -r file; do
            if [ -f "$file" ] || [ -L "$file" ]; then printf '%s\n' "${file#/}"; fi
        done
    done | { grep -vE '^usr/share/(man|locale|info|i18n|zoneinfo)/' || true; } >"$run/files"
    printf 'etc/ssl/certs/ca-certificates.crt\n' >>"$run/files"
    tar --create --directory / --no-recursion --files-from "$run/files" | tar --extract --directory "$to"
    mkdir -p "$to/var/lib/dpkg"
    cp -r /var/lib/dpkg/status /var/lib/dpkg/info "$to/var/lib/dpkg/"
    # Debian's update-alternatives makes this one.
    ln -sf dash "$to/bin/sh"
}

# image_is_small DIRECTORY: no shell, nobody else's program, nothing that anybody may write to.
image_is_small() {
    local container
    container=$(buildah from --pull=never localhost/plura)
    cp -a "$(buildah mount "$container")" "$1/root"
    buildah rm "$container" >/dev/null
    (cd "$1/root" && find . -type f -perm /111 ! -name '*.so.*') >"$1/programs"
    [ "$(cat "$1/programs")" = ./usr/local/bin/plura ] || { cat "$1/programs" && return 1; }
    # Links go somewhere; libraries that the program wants are there.
    [ -z "$(find "$1/root" -xtype l)" ]
    ldd "$plura" | sed -nE 's/.*(=> |^\t)(\/[^ ]+) .*/\2/p' | while read -r library; do
        [ -s "$1/root$library" ] || { printf 'no %s\n' "$library" && return 1; }
    done
    [ -s "$1/root/etc/ssl/certs/ca-certificates.crt" ]
    grep -q '^Package: libc6$' "$1/root/var/lib/dpkg/status.d/libc6"
    [ "$(stat --format '%u %a' "$1/root/var/lib/plura")" = '65532 700' ]
    [ "$(cd "$1/root" && find . -perm /7000)" = ./tmp ]
    [ "$(cd "$1/root" && find . ! -type l -perm /022)" = ./tmp ]
}

image_says_what_it_is() {
    buildah inspect --type image localhost/plura >"$run/inspected"
    jq --exit-status '.OCIv1.config | .User == "65532:65532"
        and .Entrypoint == ["/usr/local/bin/plura"] and .Cmd == ["serve"] and .StopSignal == "SIGTERM"
        and .Labels["org.opencontainers.image.revision"] == "0123456789"
        and .Labels["org.opencontainers.image.licenses"] == "Apache-2.0"' "$run/inspected"
    local version
    version=$("$plura" version --json | jq -r .version)
    jq --exit-status --arg version "$version" '.OCIv1.config.Labels["org.opencontainers.image.version"] == $version' "$run/inspected"
    grep -F "appVersion: $version" "$root/deploy/helm/plura/Chart.yaml"
}

image_is_reproducible() {
    build "$1" again
    [ "$(layers plura)" = "$(layers again)" ]
}

layers() {
    buildah inspect --type image "localhost/$1" | jq -c --exit-status .OCIv1.rootfs.diff_ids
}

# image_runs DIRECTORY: as its user, with nothing but its data to write to, not even /tmp.
image_runs() {
    local confined=$1/confined pid
    mkdir -p "$1/root/dev" "$1/root/proc" "$1/data"
    chown 65532:65532 "$1/data"
    confine "$1" >"$confined"
    chmod 755 "$confined"
    "$confined" version
    "$confined" config check
    openssl rand -hex 16 | "$confined" init --quiet --password-stdin
    "$confined" serve --listen 127.0.0.1:0 >"$1/out" &
    pid=$!
    # shellcheck disable=SC2064  # this one
    trap "kill $pid" EXIT
    answers_in_time "$1/out" "$pid"
    curl --silent --fail --max-time 30 "$(sed -n 's/^Listening on //p' "$1/out")/readyz"
    # As what a container starts, it is the first process, which gets no signal that it does not ask for.
    pkill --signal TERM --parent "$pid"
    trap - EXIT
    wait "$pid"
    "$confined" check
    [ -s "$1/data/plura.db" ]
}

# confine DIRECTORY: a script that starts plura as a container engine does, with arguments. What it mounts
# goes with it.
confine() {
    cat <<END
#!/bin/sh
exec env --ignore-environment $(jq -r '.OCIv1.config.Env | map(@sh) | join(" ")' "$run/inspected") \\
    unshare --mount --pid --fork --kill-child -- sh -euc '
        root=\$1 data=\$2
        shift 2
        mount --bind "\$root" "\$root"
        mount --bind "\$data" "\$root/var/lib/plura"
        mount -o remount,bind,ro "\$root"
        exec chroot --userspec=65532:65532 --groups= "\$root" /usr/local/bin/plura "\$@"
    ' sh "$1/root" "$1/data" "\$@"
END
}

# answers_in_time OUT PID: it listens.
answers_in_time() {
    local deadline=$((SECONDS + seconds_to_start))
    until grep '^Listening on ' "$1"; do
        if ! kill -0 "$2" || [ $SECONDS -ge $deadline ]; then
            return 1
        fi
        sleep 0.05
    done
}
