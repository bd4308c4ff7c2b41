#!/usr/bin/env bash
# oras login: artifacts and what is attached to them in a private project; copies between repositories.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

log_in() {
    oras login --plain-http --username "$1" --password-stdin "$REGISTRY" <<<"$2"
}

# One blob at a time: oras 1.2 panics when two are refused at once, each with an error of another kind.
push() {
    oras push --plain-http --no-tty --concurrency 1 --artifact-type application/vnd.plura.notes "$@" \
        notes.txt:text/plain
}

prepare
printf 'a text\n' >notes.txt

step "without a login: pull what is public, and nothing else"
oras manifest fetch --plain-http -o public.json "$public/busybox:v1"
equal "the public manifest" "$(layout_digest "$IMAGES/busybox")" "$(digest_of public.json)"
refused "$unauthorized" push "$base/notes:v1"
refused "$unauthorized" push "$public/notes:v1"
refused "$unauthorized" oras pull --plain-http --no-tty "$base/notes:v1"

step "login, push, pull"
refused "$unauthorized" log_in "$developer" wrong-password
log_in "$developer" "$password"
push --export-manifest pushed.json "$base/notes:v1"
digest=$(digest_of pushed.json)
stored notes v1 "$digest"
oras pull --plain-http --no-tty -o received "$base/notes:v1"
same_file "the file" notes.txt received/notes.txt
oras tag --plain-http "$base/notes:v1" latest
equal tags 'latest v1' "$(oras repo tags --plain-http "$base/notes" | sort | paste -sd ' ')"

step "attach, discover"
printf 'looks good\n' >review.txt
oras attach --plain-http --no-tty --artifact-type text/review --export-manifest attached.json \
    --distribution-spec v1.1-referrers-api "$base/notes:v1" review.txt
attached=$(digest_of attached.json)
equal attached "$attached" \
    "$(oras discover --plain-http --format json "$base/notes:v1" | jq -r '.manifests[].digest')"

step "copy with everything attached to another repository"
oras cp -r --no-tty --from-plain-http --to-plain-http "$base/notes:v1" "$base/elsewhere/notes:v1"
stored elsewhere/notes v1 "$digest"
stored elsewhere/notes "$attached" "$attached"

step "repositories: those that the user may read"
equal repositories "$NAMESPACE/elsewhere/notes $NAMESPACE/notes $PUBLIC/busybox" \
    "$(oras repo ls --plain-http "$REGISTRY" | grep -e "-$client/" | sort | paste -sd ' ')"
equal "repositories of other projects" '' \
    "$(oras repo ls --plain-http "$REGISTRY" | grep '^private-' | grep -v "^$NAMESPACE/" || true)"

step "deleting takes a maintainer"
refused "$denied" oras manifest delete --plain-http --force "$base/notes@$attached"
member "$developer" maintainer
oras manifest delete --plain-http --force "$base/notes@$attached"
equal "the deleted manifest" 404 "$(http_status "$NAMESPACE/notes/manifests/$attached")"

step "logout, and a reader"
oras logout "$REGISTRY"
refused "$unauthorized" oras pull --plain-http --no-tty "$base/notes:v1"
log_in "$reader" "$password"
oras pull --plain-http --no-tty -o again "$base/notes:v1"
refused "$denied" push "$base/notes:v2"

step "an identity token in place of a password"
oras logout "$REGISTRY"
refresh=$(curl -sS --fail-with-body -u "$reader:$password" \
    "http://$REGISTRY/auth/token?offline_token=true&client_id=test" | jq -er .refresh_token)
oras login --plain-http --identity-token-stdin "$REGISTRY" <<<"$refresh"
equal "what is kept" "$refresh" "$(identity_token "$logins")"
oras pull --plain-http --no-tty -o thrice "$base/notes:v1"
