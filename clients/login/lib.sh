# shellcheck shell=bash
# What the client scripts with a login share, besides ../lib.sh: projects and accounts of their own.
#
# scripts/clients sets, besides what ../lib.sh reads:
#
#   REGISTRY        HOST:PORT of a plura that wants a login, plain HTTP
#   ADMIN_PASSWORD  the password of its administrator `admin`
#   TLS_REGISTRY    HOST:PORT of another one, with the same administrator, TLS only
#   CA              certificate of the authority that the latter's certificate is from
#   PLURA           the plura program
#
# The checks of ../lib.sh are made as the administrator, who may read everything. What a client may
# and may not do is seen with `developer` (push and pull in one project), `reader` (pull there) and
# `stranger` (nothing there).
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

: "${ADMIN_PASSWORD:?run this through scripts/clients}" "${TLS_REGISTRY:?}" "${CA:?}" "${PLURA:?}"

client=${NAMESPACE##*/}

# The project of the members, and one that everybody may pull from.
NAMESPACE=private-$client
PUBLIC=public-$client

developer=dev-$client
reader=reader-$client
stranger=stranger-$client
password=$(openssl rand -hex 16)

curl_flags=(-u "admin:$ADMIN_PASSWORD")
# shellcheck disable=SC2034  # used by ../lib.sh
skopeo_flags=(--dest-creds "admin:$ADMIN_PASSWORD")

# Where docker and those that do as it does keep their logins. `HOME` is empty at the start.
# shellcheck disable=SC2034  # used by the scripts that source this file
logins=$HOME/.docker/config.json

# What clients say when they are refused: `unauthorized` without a login or with a wrong one, `denied`
# with one that may not do this. Some say the latter of the former, too.
# shellcheck disable=SC2034  # used by the scripts that source this file
unauthorized='unauthorized|authentication required|authorization failed|401|incorrect username or password'
# shellcheck disable=SC2034  # used by the scripts that source this file
denied='denied|forbidden|403'

# api METHOD PATH [JSON]: asks as the administrator, prints the answer.
api() {
    api_as "admin:$ADMIN_PASSWORD" "$@"
}

# api_as NAME:PASSWORD METHOD PATH [JSON]
api_as() {
    local answer body=()
    [ $# -lt 4 ] || body=(-H 'Content-Type: application/json' --data-binary "$4")
    answer=$(curl -sS --fail-with-body -u "$1" -X "$2" "${body[@]}" "$scheme://$REGISTRY/api/v1/$3") ||
        fail "$2 $3: $answer"
    printf '%s\n' "$answer"
}

# Makes the projects and the accounts, and puts an image where everybody may pull it.
prepare() {
    base=$REGISTRY/$NAMESPACE
    public=$REGISTRY/$PUBLIC
    api POST projects "{\"name\": \"$NAMESPACE\"}" >/dev/null
    api POST projects "{\"name\": \"$PUBLIC\", \"public\": true}" >/dev/null
    local name
    for name in "$developer" "$reader" "$stranger"; do
        api POST users "{\"name\": \"$name\", \"password\": \"$password\"}" >/dev/null
    done
    member "$developer" developer
    member "$reader" reader
    skopeo copy --quiet --preserve-digests "${skopeo_flags[@]}" \
        "oci:$IMAGES/busybox" "docker://$public/busybox:v1"
}

# member USER ROLE
member() {
    api POST "projects/$NAMESPACE/members" "{\"subject\": \"user:$1\", \"role\": \"$2\"}" >/dev/null
}

# Nobody's password may be where the client keeps its logins, in any form.
no_password_in() {
    local secret
    for secret in "$password" "$(printf '%s:%s' "$developer" "$password" | base64 -w 0)"; do
        if grep -qF "$secret" "$1"; then
            fail "the password is in $1"
        fi
    done
    printf 'ok: no password in %s\n' "$1"
}

# identity_token FILE: what docker's file keeps in place of a password.
identity_token() {
    jq -er --arg host "$REGISTRY" '.auths[$host].identitytoken' "$1"
}
