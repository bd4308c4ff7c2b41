#!/usr/bin/env bash
# The unit, as systemd itself judges it. Read by scripts/deploy.
# shellcheck disable=SC2154  # scripts/deploy sets root, run, plura, python and tools

# How exposed systemd thinks a unit is, in tenths: 100 is everything.
exposure=15

check_systemd() {
    mkdir -p "$run/systemd/plura.service.d"
    # Where the program is here, and nothing else is different.
    sed "s#/usr/local/bin/plura#$plura#" "$root/deploy/systemd/plura.service" >"$run/systemd/plura.service"
    cp "$root/deploy/systemd/shared-stores.conf" "$run/systemd/plura.service.d/"
    check 'systemd: the unit is valid' unit_is_valid
    check 'systemd: the unit is confined' \
        systemd-analyze security --no-pager --offline=true "--threshold=$exposure" "$run/systemd/plura.service"
    check 'systemd: variables name settings' variables_name_settings
    check 'systemd: the filter has what plura calls' filter_has_what_plura_calls
}

unit_is_valid() {
    # What it says is a problem, whatever its status.
    [ -z "$(systemd-analyze verify "$run/systemd/plura.service" 2>&1 | tee /dev/stderr)" ]
}

variables_name_settings() {
    "$plura" config reference --json | jq -r '.[].environment' >"$run/variables"
    printf 'PLURA_CONFIG\n' >>"$run/variables"
    local name
    while read -r name; do
        grep -xF -- "$name" "$run/variables" || { printf 'no such setting: %s\n' "$name" && return 1; }
    done < <(sed -nE 's/^Environment=(PLURA_[A-Z0-9_]+)=.*/\1/p' "$root"/deploy/systemd/*)
}

# The kernel would refuse a call that the unit forgot, on a day when plura makes it.
filter_has_what_plura_calls() {
    strace --follow-forks --quiet=all --output="$run/calls" -e signal=none "$plura" demo >/dev/null
    sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' "$run/calls" | sort -u >"$run/called"
    allowed @system-service | sort -u >"$run/allowed"
    allowed @privileged @resources | sort -u >"$run/denied"
    comm -23 "$run/allowed" "$run/denied" >"$run/filter"
    # systemd always allows the first. SQLite makes the other as root only, which the unit's user is not.
    printf 'execve\nfchown\n' >>"$run/filter"
    [ "$(wc -l <"$run/called")" -gt 30 ] || { printf 'too few calls were seen\n' && return 1; }
    local missing
    missing=$(grep -vxF -f "$run/filter" "$run/called") || true
    [ -z "$missing" ] || { printf 'not in the filter: %s\n' "$missing" && return 1; }
}

# allowed SET...: its calls, those of sets in it included.
allowed() {
    local name
    for name in "$@"; do
        case $name in
            @*)
                # shellcheck disable=SC2046  # names have no spaces
                allowed $(systemd-analyze syscall-filter --no-pager "$name" | sed -nE 's/^ +([@a-z0-9_-]+)$/\1/p')
                ;;
            *) printf '%s\n' "$name" ;;
        esac
    done
}
