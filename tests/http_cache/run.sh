#!/usr/bin/env bash
# Conformance of the response cache: runs the HTTP cache tests (https://cache-tests.fyi) through a proxy
# and compares the score with the goals. Needs Node.js 20 and npm.
#
#   tests/http_cache/run.sh
#
#   HTTP_CACHE_PROXY     a proxy to test instead of the crate's example, as http://host:port. It
#                        forwards to HTTP_CACHE_ORIGIN, which is then needed too (host:port of the
#                        interface on which the tests' origin is to listen).
#   HTTP_CACHE_TESTS     a folder with another version of the tests than the package from npm
#   HTTP_CACHE_RESULTS   where the results go; a file in the target folder by default
set -euo pipefail
cd "$(dirname "$0")/../.."

version=0.4.5
target=${CARGO_TARGET_DIR:-target}
folder=$target/http_cache
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
results=${HTTP_CACHE_RESULTS:-$folder/results.json}
here=$PWD/tests/http_cache

die() {
    echo "http_cache: $*" >&2
    exit 1
}

command -v node >/dev/null || die "node is not installed (Debian/Ubuntu: apt-get install nodejs npm)"

tests=${HTTP_CACHE_TESTS:-}
if [[ -z $tests ]]; then
    tests=$folder/node_modules/http-cache-tests
    if [[ ! -e $tests/package.json ]]; then
        npm install --silent --no-audit --no-fund --prefix "$folder" "http-cache-tests@$version" \
            >"$folder/npm.log" 2>&1 || die "npm install failed: $folder/npm.log"
    fi
fi
# Newer versions keep their programs in a folder of their own.
engine=$tests
[[ ! -d $tests/test-engine ]] || engine=$tests/test-engine

free_port() {
    node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {
        console.log(s.address().port); s.close() })'
}

# What an earlier run has left there must not be taken for this one's.
rm -f "$folder"/*.log

processes=()
finish() {
    for process in "${processes[@]}"; do
        kill "$process" 2>/dev/null || true
    done
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

wait_for() { # what file pattern
    for _ in {1..300}; do
        ! grep -q "$3" "$2" 2>/dev/null || return 0
        sleep 0.1
    done
    cat "$2" >&2 || true
    die "$1 did not start"
}

origin=${HTTP_CACHE_ORIGIN:-127.0.0.1:$(free_port)}
npm_config_protocol=http npm_config_port=${origin##*:} npm_config_pidfile=$folder/origin.pid \
    node "$engine/server/server.mjs" >"$folder/origin.log" 2>&1 &
processes+=($!)
wait_for "the tests' origin" "$folder/origin.log" Listening

proxy=${HTTP_CACHE_PROXY:-}
if [[ -z $proxy ]]; then
    cargo build --quiet --locked --package response_cache --example caching_proxy
    # `localhost`, for the origin listens on whichever family comes first.
    "$target/debug/examples/caching_proxy" 127.0.0.1:0 "localhost:${origin##*:}" \
        >"$folder/proxy.log" 2>&1 &
    processes+=($!)
    wait_for "the proxy" "$folder/proxy.log" '^http://'
    proxy=$(grep -m 1 '^http://' "$folder/proxy.log")
elif [[ -z ${HTTP_CACHE_ORIGIN:-} ]]; then
    die "HTTP_CACHE_PROXY needs HTTP_CACHE_ORIGIN"
fi

npm_config_base=$proxy npm_package_config_id='' node --no-warnings "$engine/cli.mjs" \
    >"$results" 2>"$folder/client.log" || {
    cat "$folder/client.log" >&2
    die "the tests did not end"
}
node --no-warnings "$here/score.mjs" "$tests" "$results"
