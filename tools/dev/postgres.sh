#!/usr/bin/env bash
# shellcheck shell=bash
# A private PostgreSQL cluster for tests and measurements: no service, no fixed port, gone when ./dev ends.
# Sourced by ./dev; as a program (`tools/dev/postgres.sh start_postgres DIR`) for tests that end and start a server.
#   DIR/url    where it is, with the password: postgres://pawl:PASSWORD@127.0.0.1:PORT/pawl_test
#   DIR/pooler_url   the same through a pgbouncer, where there is one
#   DIR/log    what the server says          DIR/data   the cluster; a Unix socket stands in DIR too

postgres_dirs=()  # started by this process

postgres_bin() {
    local found
    found=$(find /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1)
    [ -n "$found" ] || found=$(command -v initdb) || {
        echo "no PostgreSQL server is installed (postgresql-15)" >&2
        return 1
    }
    dirname "$found"
}

# The server refuses to run as root.
unprivileged() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups -- env HOME=/ "$@"
    else
        "$@"
    fi
}

# A folder that the server's user can write: on memory when it has room (`fast`), else on disk (`disk`).
postgres_dir() {
    local parent=${TMPDIR:-/tmp} free dir
    if [ "$1" = fast ]; then
        free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)
        if [ "${free:-0}" -ge $((512 * 1024)) ]; then parent=/dev/shm; fi
    else
        parent=$PWD/build
        mkdir -p "$parent"
        # A clone under a folder that only root may enter, or one too deep for a socket's name.
        if ! unprivileged test -x "$parent" || [ ${#parent} -gt 70 ]; then parent=/var/tmp; fi
    fi
    dir=$(mktemp -d "$parent/pawl-postgres.XXXXXX")
    echo $$ >"$dir/owner"
    echo "$dir"
}

# Clusters whose ./dev was killed before it could stop them.
stop_orphans() {
    local owner
    for owner in /dev/shm/pawl-postgres.*/owner "${TMPDIR:-/tmp}"/pawl-postgres.*/owner build/pawl-postgres.*/owner; do
        [ -O "$owner" ] || continue
        kill -0 "$(cat "$owner")" 2>/dev/null || stop_postgres "$(dirname "$owner")"
    done
}

write_secret() { (umask 077 && unprivileged tee "$1" >/dev/null); }

write_postgres_settings() { # DIR PORT
    cat <<TEXT
listen_addresses = '127.0.0.1'
port = $2
unix_socket_directories = '$1'
external_pid_file = '$1/server.pid'
shared_buffers = 128MB
max_connections = 200
fsync = on
log_line_prefix = '%m [%p] '
TEXT
}

# start_postgres DIR [INITDB_OPTIONS...]: makes the cluster if there is none, starts it if it does not run; DIR/url says
# where.
start_postgres() {
    local dir=$1 bin password port attempt started=$SECONDS
    shift
    bin=$(postgres_bin) || return 1
    mkdir -p "$dir"
    if [ "$(id -u)" -eq 0 ]; then chown postgres:postgres "$dir" "$dir"/data "$dir"/wal 2>/dev/null || true; fi
    if unprivileged "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; then return 0; fi
    if [ -f "$dir/url" ]; then
        run_pg_ctl "$bin" "$dir" start
        return
    fi

    password=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')
    write_secret "$dir/password" <<<"$password"
    unprivileged "$bin/initdb" -D "$dir/data" --username=pawl --pwfile="$dir/password" --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 --no-sync "$@" >"$dir/initdb.log" 2>&1 </dev/null || {
        cat "$dir/initdb.log" >&2
        return 1
    }
    # A port that is taken, or is taken just now, makes the start fail: then another one.
    for attempt in 1 2 3 4 5; do
        port=$((10000 + RANDOM % 20000))
        write_postgres_settings "$dir" "$port" | write_secret "$dir/data/postgresql.auto.conf"
        if run_pg_ctl "$bin" "$dir" start 2>/dev/null; then break; fi
        [ "$attempt" -lt 5 ] || {
            cat "$dir/log" >&2
            return 1
        }
    done
    PGPASSWORD=$password "$bin/psql" -X -q -h 127.0.0.1 -p "$port" -U pawl -d postgres \
        -c 'create database pawl_test' </dev/null || return 1
    write_secret "$dir/url" <<<"postgres://pawl:$password@127.0.0.1:$port/pawl_test"
    echo ">> postgres: $("$bin/postgres" --version | cut -d' ' -f3) on port $port, in $((SECONDS - started)) s"
}

run_pg_ctl() { # BIN DIR COMMAND...
    local bin=$1 dir=$2
    shift 2
    unprivileged "$bin/pg_ctl" -D "$dir/data" -s -w -t 60 -l "$dir/log" "$@" >/dev/null </dev/null
}

# halt_postgres DIR smart|fast|immediate: stops the server and keeps the cluster; start_postgres starts it again.
halt_postgres() { run_pg_ctl "$(postgres_bin)" "$1" -m "$2" stop; }

postgres_port() { # DIR
    local url
    url=$(cat "$1/url")
    url=${url##*:}
    echo "${url%%/*}"
}

# start_standby DIR PRIMARY: a server that follows the one of PRIMARY, which from now on confirms no commit without it.
start_standby() {
    local dir=$1 primary=$2 bin url port attempt
    bin=$(postgres_bin) || return 1
    if [ -f "$dir/url" ]; then
        start_postgres "$dir"
        return
    fi
    mkdir -p "$dir"
    if [ "$(id -u)" -eq 0 ]; then chown postgres:postgres "$dir"; fi
    url=$(cat "$primary/url")
    unprivileged "$bin/pg_basebackup" -d "$url" -D "$dir/data" -R -X stream -c fast --no-sync </dev/null || return 1
    for attempt in 1 2 3 4 5; do
        port=$((10000 + RANDOM % 20000))
        # Behind what came along from the primary: the last one counts.
        write_postgres_settings "$dir" "$port" | unprivileged tee -a "$dir/data/postgresql.auto.conf" >/dev/null
        if run_pg_ctl "$bin" "$dir" start 2>/dev/null; then break; fi
        [ "$attempt" -lt 5 ] || {
            cat "$dir/log" >&2
            return 1
        }
    done
    write_secret "$dir/url" <<<"${url/:$(postgres_port "$primary")\//:$port\/}"
    "$bin/psql" -X -q -d "$url" -c "alter system set synchronous_standby_names = '*'" -c 'select pg_reload_conf()' \
        </dev/null >/dev/null || return 1
    # Each question takes the time of a connection: ten seconds and more.
    for attempt in {1..1000}; do
        if [ "$("$bin/psql" -X -q -At -d "$url" -c 'select max(sync_state) from pg_stat_replication' </dev/null)" = sync ]
        then return 0; fi
    done
    echo "the standby does not confirm" >&2
    return 1
}

# promote_postgres DIR: a standby becomes a server of its own.
promote_postgres() { run_pg_ctl "$(postgres_bin)" "$1" promote; }

write_pooler_settings() { # DIR PORT
    cat <<TEXT
[databases]
* = host=127.0.0.1 port=$(postgres_port "$1")
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $2
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $1/pooler_users
pool_mode = transaction
default_pool_size = 5
logfile = $1/pooler.log
pidfile = $1/pooler.pid
TEXT
}

# It takes its port when it is in the background already: true when it answers, false when it has ended.
is_pooler_up() { # DIR URL
    local bin turn
    bin=$(postgres_bin) || return 1
    for turn in {1..1000}; do
        if "$bin/psql" -X -q -d "$2" -c '' >/dev/null 2>&1 </dev/null; then return 0; fi
        # A while after the program that started it has ended there is no id yet.
        if [ "$turn" -gt 50 ] && ! kill -0 "$(cat "$1/pooler.pid" 2>/dev/null)" 2>/dev/null; then return 1; fi
    done
    return 1
}

# start_pooler DIR: a pgbouncer in transaction mode in front of DIR's server; DIR/pooler_url says where.
start_pooler() {
    local dir=$1 url port attempt
    write_secret "$dir/pooler_users" <<<"\"pawl\" \"$(cat "$dir/password")\""
    for attempt in 1 2 3 4 5; do
        port=$((10000 + RANDOM % 20000))
        # Started again it is where it was.
        if [ -f "$dir/pooler_url" ]; then port=$(sed 's|.*:\([0-9]*\)/.*|\1|' "$dir/pooler_url"); fi
        url=$(sed "s|:[0-9][0-9]*/|:$port/|" "$dir/url")
        write_pooler_settings "$dir" "$port" | write_secret "$dir/pooler.ini"
        if unprivileged /usr/sbin/pgbouncer -q -d "$dir/pooler.ini" 2>/dev/null </dev/null && is_pooler_up "$dir" "$url"; then
            write_secret "$dir/pooler_url" <<<"$url"
            return 0
        fi
    done
    cat "$dir/pooler.log" >&2
    return 1
}

# Ends its connections at once, and waits until it is gone.
stop_pooler() {
    local pid
    pid=$(cat "$1/pooler.pid" 2>/dev/null) || return 0
    if kill "$pid" 2>/dev/null; then timeout 10 tail -s 0.05 --pid="$pid" -f /dev/null || kill -9 "$pid" || true; fi
    rm -f "$1/pooler.pid"
}

# stop_postgres DIR: ends it and takes everything away; nothing when there is nothing.
stop_postgres() {
    local dir=$1 bin pid
    stop_pooler "$dir"
    if [ -d "$dir/data" ] && bin=$(postgres_bin) && unprivileged "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; then
        run_pg_ctl "$bin" "$dir" -m immediate stop || true
    fi
    # A server of a test that crashed may have its data where only its own processes see it.
    pid=$(cat "$dir/server.pid" 2>/dev/null || true)
    if [ -n "$pid" ] && grep -qaF "$dir/data" "/proc/$pid/cmdline" 2>/dev/null; then kill -QUIT "$pid" || true; fi
    rm -rf "$dir"
}

stop_all_postgres() {
    local dir
    for dir in "${postgres_dirs[@]}"; do stop_postgres "$dir"; done
    postgres_dirs=()
}

# provide_postgres fast|disk: exports PAWL_TEST_POSTGRES; one that is set already is used as it is.
provide_postgres() {
    local dir
    if [ -n "${PAWL_TEST_POSTGRES:-}" ]; then return 0; fi
    stop_orphans
    dir=$(postgres_dir "$1")
    postgres_dirs+=("$dir")
    trap stop_all_postgres EXIT
    start_postgres "$dir" || {
        echo "./dev: no PostgreSQL for the tests" >&2
        exit 1
    }
    PAWL_TEST_POSTGRES=$(cat "$dir/url")
    export PAWL_TEST_POSTGRES
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    "$@"
fi
