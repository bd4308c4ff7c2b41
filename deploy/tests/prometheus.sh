#!/usr/bin/env bash
# The alerts, and whether plura has the figures that they are about. Read by scripts/deploy.
# shellcheck disable=SC2154  # scripts/deploy sets root, run, plura, python and tools

check_prometheus() {
    local here=$root/deploy/prometheus
    check 'prometheus: the rules are valid' "$tools/bin/promtool" check rules --lint=all --lint-fatal "$here/plura.rules.yml"
    check 'prometheus: the rules say what they should' "$tools/bin/promtool" test rules "$here/plura.rules.test.yml"
    check 'prometheus: the configuration is valid' "$tools/bin/promtool" check config --syntax-only "$here/prometheus.yml"
    mkdir "$run/figures-of"
    start_plura "$run/figures-of"
    check 'prometheus: plura has the figures' figures_are_there "$here/plura.rules.yml"
    check 'prometheus: the dashboard asks for figures that there are' dashboard_is_sound "$here/grafana.json"
}

# figures_are_there RULES: a rule about a name that does not exist is silent for ever.
figures_are_there() {
    # Something to have figures about.
    curl --silent --fail --max-time 30 "$address/v2/"
    curl --silent --fail --max-time 30 --output "$run/figures" "$address/metrics"
    awk '$1 == "#" && $2 == "TYPE" {
        if ($4 == "counter") print $3 "_total"
        else if ($4 == "histogram") print $3 "_bucket\n" $3 "_sum\n" $3 "_count"
        else print $3
    }' "$run/figures" >"$run/names"
    # There are none before the first promotion.
    printf 'plura_image_count_by_env\n' >>"$run/names"
    local name
    while read -r name; do
        grep -xF -- "$name" "$run/names" || { printf 'plura has no %s\n' "$name" && return 1; }
    done < <(grep -oE '\bplura_[a-z0-9_]+' "$1" | sort -u)
}

# dashboard_is_sound FILE: what its panels ask is the language of Prometheus, and each is about plura.
dashboard_is_sound() {
    jq '{groups: [{name: "panels", rules: [.panels[] | .id as $id | .targets[]
        | {record: "panel_\($id)_\(.refId)", expr: (.expr | gsub("\\$__rate_interval"; "5m"))}]}]}' "$1" >"$run/panels.json"
    "$tools/bin/promtool" check rules "$run/panels.json"
    jq --exit-status '[.panels[].id] | length > 0 and (unique | length) == length' "$1"
    figures_are_there "$1"
}
