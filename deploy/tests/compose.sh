#!/usr/bin/env bash
# The compose file, as compose understands it. Read by scripts/deploy.
# shellcheck disable=SC2154  # scripts/deploy sets root, run, plura, python and tools

check_compose() {
    local here=$run/compose
    cp -r "$root/deploy" "$here"
    rm -rf "$here/compose/secrets" "$here/compose/.env"
    check 'compose: secrets are made once' secrets_are_made_once "$here/compose"
    check 'compose: the file is valid' compose config --quiet
    compose config --format json >"$run/compose.json" 2>/dev/null || true
    check 'compose: three replicas that differ in nothing' replicas_are_alike
    check 'compose: no secret is in the file' no_secret_is_shown
    check 'compose: every image has a version' versions_are_named
    check 'compose: nothing runs with more than it needs' services_are_confined
    check 'compose: plura knows the commands' commands_are_known
}

compose() {
    # Not the variables of this shell, and no file above.
    env -i PATH="$PATH" HOME="$run" "$tools/bin/docker-compose" --project-directory "$run/compose/compose" "$@"
}

secrets_are_made_once() {
    local where=$1 before after
    refused "$where/make-secrets"
    refused "$where/make-secrets" 'registry.example.com; true'
    "$where/make-secrets" registry.example.com:8443
    before=$(cd "$where/secrets" && sha256sum -- *)
    "$where/make-secrets" registry.example.com:8443
    after=$(cd "$where/secrets" && sha256sum -- *)
    [ "$before" = "$after" ]
    [ "$(stat --format %a "$where/secrets")" = 700 ]
    # Containers run as other users.
    [ -z "$(find "$where/secrets" -type f ! -perm 444)" ]
    [ "$(sort -u "$where"/secrets/*-password "$where"/secrets/s3-* | wc -l)" = 4 ]
    openssl x509 -noout -checkhost registry.example.com -in "$where/secrets/tls.crt" | grep 'does match'
    # Long enough for plura.
    "$plura" init --quiet --password-file "$where/secrets/administrator-password" --data "$run/initialised"
    "$plura" init --quiet --if-none --password-file "$where/secrets/administrator-password" --data "$run/initialised"
}

# ask_compose FILTER [OPTION...]: of the file as compose understands it; false is a failure.
ask_compose() {
    jq --exit-status "${@:2}" "$1" "$run/compose.json"
}

replicas_are_alike() {
    ask_compose '[.services | to_entries[] | select(.key | startswith("plura-")).value] | length == 3 and (unique | length == 1)'
    ask_compose '.services["plura-1"].environment.PLURA_SERVER__PUBLIC_URL == "https://registry.example.com:8443"'
    # Each is known to nginx.
    local name
    for name in plura-1 plura-2 plura-3; do
        grep -F "server $name:5000 " "$root/deploy/nginx/plura.conf"
    done
}

no_secret_is_shown() {
    local secret
    while read -r secret; do
        refused grep -F -- "$secret" "$root"/deploy/compose/*.yaml "$root"/deploy/compose/*.toml
    done < <(cat "$run"/compose/compose/secrets/*-password "$run"/compose/compose/secrets/s3-*)
    # And nobody but Garage, which wants it so, gets one by its environment.
    ask_compose '[.services | to_entries[] | select(.key != "garage").value.environment // {} | to_entries[]
        | select(.key | test("PASSWORD|SECRET|KEY")) | select(.key | endswith("_FILE") | not)] == []'
}

versions_are_named() {
    ask_compose '[.services[].image | select((test(":[^:/]*[0-9]") | not) or endswith(":latest"))] == []'
}

services_are_confined() {
    ask_compose '[.services[] | select((.security_opt // []) | index("no-new-privileges:true") | not)] == []'
    # PostgreSQL changes its user at the start, and takes over the volume.
    ask_compose '[.services | to_entries[] | select(.key != "postgresql").value
        | select(.read_only != true or .cap_drop != ["ALL"])] == []'
    ask_compose '[.services[] | select(.privileged or .network_mode or .pid)] == []'
    # The stores are reached by plura alone.
    ask_compose '[.services | to_entries[] | select(.value.ports).key] == ["nginx"]'
    ask_compose '.services.nginx.networks | has("stores") | not'
    ask_compose '.networks.stores.internal'
}

commands_are_known() {
    local words
    while read -r words; do
        # shellcheck disable=SC2086  # they are words
        "$plura" $words --help
    done < <(jq -r '.services[] | select(.image | startswith("plura:")).command | join(" ")' "$run/compose.json" | sort -u)
}
