#!/usr/bin/env bash
# nginx as it is delivered, before a real plura. Read by scripts/deploy.
# shellcheck disable=SC2154  # scripts/deploy sets root, run, plura, python and tools

# On loopback, and the one plura stands for all three; nothing else is different.
check_nginx() {
    local here=$run/nginx
    mkdir -p "$here/temporary"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 1 -subj /CN=localhost \
        -addext subjectAltName=IP:127.0.0.1 -keyout "$here/tls.key" -out "$here/tls.crt" 2>/dev/null
    start_plura "$here"
    http_port=$(free_port)
    https_port=$(free_port)
    configure_nginx "$here" "${address#http://}" >"$here/nginx.conf"
    check 'nginx: the configuration is valid' nginx -t -q -p "$here" -c "$here/nginx.conf"
    nginx -p "$here" -c "$here/nginx.conf" -g 'daemon off;' >"$here/out" 2>&1 </dev/null &
    servers+=($!)
    check 'nginx: a registry answers through it' answers_soon "$here"
    check 'nginx: large layers are streamed both ways' layers_pass "$here"
    check 'nginx: figures stay inside' figures_stay_inside "$here"
    check 'nginx: plain HTTP is sent to TLS' plain_http_is_redirected
}

# configure_nginx DIRECTORY HOST:PORT
configure_nginx() {
    cat <<END
pid $1/nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path $1/temporary/body;
    proxy_temp_path $1/temporary/proxy;
    fastcgi_temp_path $1/temporary/fastcgi;
    uwsgi_temp_path $1/temporary/uwsgi;
    scgi_temp_path $1/temporary/scgi;
END
    sed -e "s#plura-[0-9]:5000#$2#" -e "s#/etc/nginx/tls/#$1/#" \
        -e "s#listen 8080#listen 127.0.0.1:$http_port#" -e "s#listen 8443#listen 127.0.0.1:$https_port#" \
        "$root/deploy/nginx/plura.conf"
    printf '}\n'
}

through_nginx() {
    curl --silent --show-error --max-time 60 --cacert "$run/nginx/tls.crt" "$@"
}

answers_soon() {
    local deadline=$((SECONDS + seconds_to_start))
    until [ "$(through_nginx --output /dev/null --write-out '%{http_code}' "https://127.0.0.1:$https_port/v2/")" = 200 ]; do
        if [ $SECONDS -ge $deadline ]; then
            cat "$1/out"
            return 1
        fi
        sleep 0.05
    done
}

# Larger than any limit or buffer of nginx: begun, sent in two pieces, finished, and fetched again.
layers_pass() {
    local here=$1 base=https://127.0.0.1:$https_port where digest
    head --bytes 40M /dev/urandom >"$here/layer"
    split --bytes 20M "$here/layer" "$here/piece-"
    digest=sha256:$(sha256sum "$here/layer" | cut -d ' ' -f 1)
    where=$(location --request POST "$base/v2/apps/hello/blobs/uploads/")
    where=$(location --request PATCH --upload-file "$here/piece-aa" "$(absolute "$where")")
    # Of unknown length, as docker sends it.
    where=$(location --request PATCH --header 'Transfer-Encoding: chunked' --upload-file - "$(absolute "$where")" <"$here/piece-ab")
    where=$(absolute "$where")
    location --request PUT "$where$(case $where in *\?*) printf '&' ;; *) printf '?' ;; esac)digest=$digest"
    through_nginx --fail --output "$here/back" "$base/v2/apps/hello/blobs/$digest"
    cmp "$here/layer" "$here/back"
    # Nothing was put down on the way.
    [ -z "$(find "$here/temporary" -type f)" ]
}

# location OPTIONS...: where the answer points to.
location() {
    through_nginx --fail --output /dev/null --dump-header - "$@" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p' | grep .
}

absolute() {
    case $1 in
        /*) printf 'https://127.0.0.1:%s%s' "$https_port" "$1" ;;
        "https://127.0.0.1:$https_port"/*) printf %s "$1" ;;
        *) printf 'the answer points elsewhere: %s\n' "$1" >&2 && return 1 ;;
    esac
}

figures_stay_inside() {
    [ "$(through_nginx --output /dev/null --write-out '%{http_code}' "https://127.0.0.1:$https_port/metrics")" = 404 ]
    curl --silent --fail --output "$run/figures" --max-time 30 "$(sed -n 's/^Listening on //p' "$1/plura-out")/metrics"
    grep -E '^plura_requests_total' "$run/figures"
}

plain_http_is_redirected() {
    [ "$(curl --silent --output /dev/null --write-out '%{http_code} %{redirect_url}' --max-time 30 "http://127.0.0.1:$http_port/v2/")" = \
        '308 https://127.0.0.1/v2/' ]
    curl --silent --fail --max-time 30 "http://127.0.0.1:$http_port/readyz"
}
