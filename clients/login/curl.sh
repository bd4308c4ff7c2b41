#!/usr/bin/env bash
# curl: how a login works, request by request; read it as an introduction.
#
# The token protocol is https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# request STATUS CURL-ARGUMENTS...: leaves the answer in the files `headers` and `body`.
request() {
    local expected=$1 status
    shift
    : >body
    status=$(curl -sS -D headers -o body -w '%{http_code}' "$@")
    [ "$status" = "$expected" ] || fail "expected $expected, got $status: curl $*: $(cat headers body)"
    printf 'ok: %s: curl %s\n' "$status" "$*"
}

# challenge FIELD: what the last answer's WWW-Authenticate says of it.
challenge() {
    tr -d '\r' <headers | sed -nE "s/^www-authenticate: Bearer (.*,)?$1=\"([^\"]*)\".*/\2/Ip"
}

error_code() {
    jq -r '.errors[0].code' body
}

# token FIELD CURL-ARGUMENTS...: asks the token service, prints a field of the answer.
token() {
    request 200 "${@:2}" >/dev/null
    jq -er ".$1" body
}

# claims TOKEN: what is inside, which anybody may read.
claims() {
    cut -d . -f 2 <<<"$1" | tr -- '-_' '+/' | base64 -d 2>/dev/null || true
}

prepare
seed busybox busybox:v1
v2=http://$REGISTRY/v2
auth=http://$REGISTRY/auth/token
manifest=$v2/$NAMESPACE/busybox/manifests/v1
accept=(-H "Accept: $manifest_types")
digest=$(layout_digest "$IMAGES/busybox")

step "the registry says where to log in"
request 401 "$v2/"
equal error UNAUTHORIZED "$(error_code)"
equal "where" "$auth" "$(challenge realm)"
service=$(challenge service)
request 401 "${accept[@]}" "$manifest"
equal "for what" "repository:$NAMESPACE/busybox:pull" "$(challenge scope)"
request 401 -X POST "$v2/$NAMESPACE/busybox/blobs/uploads/"
equal "for what" "repository:$NAMESPACE/busybox:pull,push" "$(challenge scope)"

step "a password is exchanged for a token, the token goes with requests"
scope="repository:$NAMESPACE/busybox:pull,push"
pull=$(token token -u "$reader:$password" "$auth?service=$service&scope=$scope")
equal "what a reader may do" "[{\"type\":\"repository\",\"name\":\"$NAMESPACE/busybox\",\"actions\":[\"pull\"]}]" \
    "$(claims "$pull" | jq -c .access)"
request 200 -H "Authorization: Bearer $pull" "$v2/"
request 200 -H "Authorization: Bearer $pull" "${accept[@]}" "$manifest"
equal digest "$digest" "$(digest_of body)"
request 403 -H "Authorization: Bearer $pull" -X POST "$v2/$NAMESPACE/busybox/blobs/uploads/"
equal error DENIED "$(error_code)"

step "a token is good for what it was asked for; a wider one can be had"
narrow=$(token token -u "$developer:$password" "$auth?service=$service&scope=repository:$NAMESPACE/busybox:pull")
request 401 -H "Authorization: Bearer $narrow" -X POST "$v2/$NAMESPACE/busybox/blobs/uploads/"
equal error insufficient_scope "$(challenge error)"
wide=$(token token -u "$developer:$password" "$auth?service=$service&scope=$(challenge scope)")
request 202 -H "Authorization: Bearer $wide" -X POST "$v2/$NAMESPACE/busybox/blobs/uploads/"
request 401 -H "Authorization: Bearer $wide" "${accept[@]}" "$v2/$NAMESPACE/other/manifests/v1"

step "wrong, damaged and missing credentials"
request 401 -u "$reader:wrong-password" "$auth?service=$service&scope=$scope"
request 401 -u "nobody-$client:wrong-password" "$auth?service=$service&scope=$scope"
request 401 -H "Authorization: Bearer ${pull%?????}AAAAA" "${accept[@]}" "$manifest"
request 401 -H "Authorization: Bearer nonsense" "$v2/"
equal error invalid_token "$(challenge error)"
request 400 -u "$reader:$password" "$auth?service=elsewhere&scope=$scope"

step "name and password in every request, for programs without the protocol"
request 200 -u "$reader:$password" "$v2/"
request 200 -u "$reader:$password" "${accept[@]}" "$manifest"
request 403 -u "$reader:$password" -X POST "$v2/$NAMESPACE/busybox/blobs/uploads/"

step "what may not be read and what does not exist are answered alike"
for path in "$NAMESPACE/busybox/manifests/v1" "$NAMESPACE/nothing/manifests/v1" "nowhere-$client/x/manifests/v1"; do
    request 403 -u "$stranger:$password" "$v2/$path"
    equal error DENIED "$(error_code)"
    jq -r '.errors[0].message' body | sed "s|${path%/manifests*}|NAME|g; s|${path%%/*}|PROJECT|g" >>messages
done
equal "different messages" 1 "$(sort -u messages | wc -l)"

step "whoever shows nothing gets a token for what is public"
anonymous=$(token token "$auth?service=$service&scope=repository:$PUBLIC/busybox:pull,push")
request 200 -H "Authorization: Bearer $anonymous" "${accept[@]}" "$v2/$PUBLIC/busybox/manifests/v1"
request 200 "${accept[@]}" "$v2/$PUBLIC/busybox/manifests/v1"
request 401 -H "Authorization: Bearer $anonymous" -X POST "$v2/$PUBLIC/busybox/blobs/uploads/"
request 401 -H "Authorization: Bearer $anonymous" "${accept[@]}" "$manifest"

step "a blob cannot be mounted from where one may not read"
layer=$(jq -r '.layers[0].digest' "$(blob_path "$IMAGES/busybox" "$digest")")
api POST projects "{\"name\": \"own-$client\"}" >/dev/null
api POST "projects/own-$client/members" "{\"subject\": \"user:$stranger\", \"role\": \"developer\"}" >/dev/null
request 202 -u "$stranger:$password" -X POST "$v2/own-$client/x/blobs/uploads/?mount=$layer&from=$NAMESPACE/busybox"
request 201 -u "$stranger:$password" -X POST "$v2/own-$client/x/blobs/uploads/?mount=$layer&from=$PUBLIC/busybox"

step "the list of repositories has those that one may read"
request 401 "$v2/_catalog"
request 200 -u "$stranger:$password" "$v2/_catalog?n=1000"
equal repositories "[\"own-$client/x\",\"$PUBLIC/busybox\"]" \
    "$(jq -c --arg client "-$client/" '[.repositories[] | select(contains($client))]' body)"

step "a refresh token takes the place of the password, until it is ended"
refresh=$(token refresh_token -u "$reader:$password" \
    "$auth?service=$service&scope=$scope&offline_token=true&client_id=curl")
form=(--data-urlencode "service=$service" --data-urlencode "scope=$scope" --data-urlencode client_id=curl)
fresh=$(token access_token "${form[@]}" -d grant_type=refresh_token --data-urlencode "refresh_token=$refresh" "$auth")
request 200 -H "Authorization: Bearer $fresh" "${accept[@]}" "$manifest"
# It is good for tokens and for nothing else.
request 401 -H "Authorization: Bearer $refresh" "$v2/"
by_form=$(token access_token "${form[@]}" -d grant_type=password --data-urlencode "username=$reader" \
    --data-urlencode "password=$password" "$auth")
request 200 -H "Authorization: Bearer $by_form" "${accept[@]}" "$manifest"
equal ended 1 "$(api DELETE "users/$reader/sessions" | jq .ended)"
request 401 "${form[@]}" -d grant_type=refresh_token --data-urlencode "refresh_token=$refresh" "$auth"

step "tokens end with the password they were got for, and with the account"
request 200 -H "Authorization: Bearer $by_form" "${accept[@]}" "$manifest"
changed=$(openssl rand -hex 16)
api PUT "users/$reader/password" "{\"new\": \"$changed\"}"
request 401 -H "Authorization: Bearer $by_form" "${accept[@]}" "$manifest"
request 401 -u "$reader:$password" "$v2/"
again=$(token token -u "$reader:$changed" "$auth?service=$service&scope=$scope")
request 200 -H "Authorization: Bearer $again" "${accept[@]}" "$manifest"
api PATCH "users/$reader" '{"disabled": true}' >/dev/null
request 401 -H "Authorization: Bearer $again" "${accept[@]}" "$manifest"

step "a role that is taken away counts at once, too"
member_id=$(api GET "projects/$NAMESPACE/members" |
    jq -r --arg who "user:$developer" '.members[] | select(.subject == $who).id')
request 200 -H "Authorization: Bearer $narrow" "${accept[@]}" "$manifest"
api DELETE "projects/$NAMESPACE/members/$member_id"
request 403 -H "Authorization: Bearer $narrow" "${accept[@]}" "$manifest"

step "an API token and a robot's secret, in place of a password"
member "$developer" developer
secret=$(api_as "$developer:$password" POST tokens \
    "{\"name\": \"ci\", \"scopes\": [\"repository:$NAMESPACE/**:pull\"]}" | jq -r .secret)
request 200 -u "$developer:$secret" "${accept[@]}" "$manifest"
request 200 -H "Authorization: Bearer $secret" "${accept[@]}" "$manifest"
request 401 -u "$developer:$secret" -X POST "$v2/$NAMESPACE/busybox/blobs/uploads/"
robot=$(api POST robots "{\"name\": \"ci\", \"project\": \"$NAMESPACE\", \"grants\": [{\"role\": \"developer\"}]}")
old=$(jq -r .secret <<<"$robot")
robot=$(jq -r .robot.name <<<"$robot")
request 202 -u "$robot:$old" -X POST "$v2/$NAMESPACE/busybox/blobs/uploads/"
new=$(api POST "robots/$robot/rotate" '{"overlap_seconds": 0}' | jq -r .secret)
request 202 -u "$robot:$new" -X POST "$v2/$NAMESPACE/busybox/blobs/uploads/"
request 401 -u "$robot:$old" "$v2/"

step "the keys that tokens are signed with"
request 200 "http://$REGISTRY/auth/keys"
equal "the key of a token" "$(cut -d . -f 1 <<<"$pull" | tr -- '-_' '+/' | base64 -d 2>/dev/null | jq -r .kid)" \
    "$(jq -r '.keys[0].kid' body)"

step "who did what"
api GET "audit?action=blob.upload.start&limit=1" >/dev/null
api GET "audit?outcome=denied&limit=100" >audit.json
jq -e --arg name "$stranger" '[.entries[] | select(.actor.name == $name)] | length > 0' audit.json >/dev/null ||
    fail "refusals of $stranger are not in the audit"
refused 'UNAUTHORIZED' curl -sS --fail-with-body "http://$REGISTRY/api/v1/audit"
