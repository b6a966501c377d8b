#!/usr/bin/env bash
# Private PostgreSQL and Redis for the tests, on free ports of the loopback interface, in a folder of
# their own.   eval "$(tests/services.sh start)"   …   tests/services.sh stop
# `start` prints the variables that the tests read; `stop` needs INTERLINE_TEST_SERVICES_DIR.
set -euo pipefail

die() {
    echo "services: $*" >&2
    exit 1
}

find_program() { # name: on the path, or where Debian keeps the server's programs
    command -v "$1" 2>/dev/null && return
    local found
    found=$(compgen -G "/usr/lib/postgresql/*/bin/$1" | sort -V | tail -n 1) || true
    [[ -n $found ]] || die "$1 is not installed (Debian/Ubuntu: apt-get install postgresql redis-server)"
    echo "$found"
}

# A port from below the ephemeral range, so that no outgoing connection of a test takes it meanwhile.
free_port() {
    local port
    for _ in {1..200}; do
        port=$((10000 + RANDOM % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
            echo "$port"
            return
        }
    done
    die "no free port"
}

as_postgres() { # the server refuses to run as root
    if [[ $EUID -eq 0 ]]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

# Runs a check until it succeeds; gives up after 30 s or when the process has ended.
wait_for() { # pid command...
    local pid=$1
    shift
    for _ in {1..300}; do
        "$@" >/dev/null 2>&1 && return
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

start_postgres() {
    local initdb postgres
    initdb=$(find_program initdb)
    postgres=$(find_program postgres)
    mkdir "$dir/postgres"
    [[ $EUID -ne 0 ]] || chown postgres "$dir/postgres"
    as_postgres "$initdb" -D "$dir/postgres/data" -A trust -U interline --no-sync \
        --encoding=UTF8 --locale=C >"$dir/initdb.log" 2>&1 || {
        cat "$dir/initdb.log" >&2
        return 1
    }
    for _ in {1..5}; do
        postgres_port=$(free_port)
        # Data of a test need not survive the machine: no fsync.
        as_postgres "$postgres" -D "$dir/postgres/data" -p "$postgres_port" -k "$dir/postgres" \
            -c listen_addresses=127.0.0.1 -c max_connections=300 -c fsync=off \
            -c full_page_writes=off -c shared_buffers=64MB \
            </dev/null >"$dir/postgres.log" 2>&1 3>&- &
        if wait_for $! as_postgres "$(find_program psql)" -h 127.0.0.1 -p "$postgres_port" \
            -U interline -d postgres -c 'select 1'; then
            return
        fi
    done
    cat "$dir/postgres.log" >&2
    return 1
}

start_redis() {
    local redis
    redis=$(find_program redis-server)
    mkdir "$dir/redis"
    for _ in {1..5}; do
        redis_port=$(free_port)
        "$redis" --bind 127.0.0.1 --port "$redis_port" --dir "$dir/redis" --save '' \
            --appendonly no --pidfile "$dir/redis.pid" </dev/null >"$dir/redis.log" 2>&1 3>&- &
        echo $! >"$dir/redis.pid"
        if wait_for $! answers_ping "$redis_port"; then
            return
        fi
    done
    cat "$dir/redis.log" >&2
    return 1
}

answers_ping() { # port
    exec 4<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf 'PING\r\n' >&4
    local answer
    read -r -t 1 answer <&4
    exec 4>&-
    [[ $answer == +PONG* ]]
}

# Ends a process and waits until it is gone; after 10 s without mercy.
end() { # pid signal
    kill "-$2" "$1" 2>/dev/null || return 0
    for _ in {1..100}; do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null || true
}

stop_in() { # dir
    local pid_file="$1/postgres/data/postmaster.pid"
    [[ ! -f $pid_file ]] || end "$(head -n 1 "$pid_file")" INT
    [[ ! -f $1/redis.pid ]] || end "$(cat "$1/redis.pid")" TERM
    rm -rf "$1"
}

start() {
    dir=$(mktemp -d "${TMPDIR:-/tmp}/interline-services.XXXXXX")
    trap 'stop_in "$dir"; exit 130' INT TERM HUP
    chmod 755 "$dir"
    echo "interline test services" >"$dir/.interline-services"
    if ! { start_postgres && start_redis; }; then
        stop_in "$dir"
        die "a server did not start"
    fi
    cat <<VARIABLES
export INTERLINE_TEST_POSTGRES_URL=postgres://interline@127.0.0.1:$postgres_port/postgres
export INTERLINE_TEST_REDIS_URL=redis://127.0.0.1:$redis_port
export INTERLINE_TEST_SERVICES_DIR=$dir
VARIABLES
}

stop() {
    local running=${INTERLINE_TEST_SERVICES_DIR:-}
    [[ -n $running ]] || die "INTERLINE_TEST_SERVICES_DIR is not set: nothing to stop"
    # Only a folder that `start` made is removed.
    [[ -f $running/.interline-services ]] || die "$running holds no test services"
    stop_in "$running"
}

case ${1:-} in
start) start ;;
stop) stop ;;
*) die "usage: tests/services.sh start|stop" ;;
esac
