#!/usr/bin/env bash
# shellcheck shell=bash
# A private Patroni cluster in synchronous mode: one etcd, three nodes, free ports, in memory, gone when ./dev ends.
# Sourced by ./dev; as a program (`tools/dev/patroni.sh kill_leader DIR`) for the test that fails it over.
#   DIR/url        all three hosts, with the password        DIR/NODE.log, DIR/NODE   what each says and has

# shellcheck source=tools/dev/postgres.sh
. "$(dirname "${BASH_SOURCE[0]}")/postgres.sh"

patroni_nodes=(n1 n2 n3)
patroni_dir=  # started by this process

is_free_port() { ! (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    while port=$((10000 + RANDOM % 20000)); do
        if is_free_port "$port"; then break; fi
    done
    echo "$port"
}

# in_background DIR NAME COMMAND...: as the server's user; DIR/NAME.pid and DIR/NAME.log.
in_background() {
    local dir=$1 name=$2
    shift 2
    # shellcheck disable=SC2016  # the process itself tells its id
    unprivileged sh -c 'echo $$ >"$0" && exec "$@"' "$dir/$name.pid" "$@" >>"$dir/$name.log" 2>&1 </dev/null &
}

write_patroni_settings() { # DIR NODE PORT PASSWORD BIN
    local api
    api=127.0.0.1:$(free_port)
    cat <<TEXT
scope: pawl
name: $2
restapi: {listen: '$api', connect_address: '$api'}
etcd3: {host: '$(cat "$1/etcd_host")'}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 5
    retry_timeout: 5
    synchronous_mode: true
    postgresql: {use_pg_rewind: true, parameters: {max_connections: 100}}
  initdb: [{encoding: UTF8}, {locale: C.UTF-8}, data-checksums]
postgresql:
  listen: 127.0.0.1:$3
  connect_address: 127.0.0.1:$3
  data_dir: $1/$2/data
  bin_dir: $5
  pgpass: $1/$2/pgpass
  authentication:
    superuser: {username: pawl, password: $4}
    replication: {username: replicator, password: $4}
  parameters: {unix_socket_directories: '$1/$2'}
  pg_hba:
    - local all all trust
    - host all all 127.0.0.1/32 scram-sha-256
    - host replication all 127.0.0.1/32 scram-sha-256
TEXT
}

start_patroni() { # DIR
    local dir=$1 bin node client peer port password url hosts=() started=$SECONDS
    bin=$(postgres_bin) || return 1
    if [ "$(id -u)" -eq 0 ]; then chown postgres:postgres "$dir"; fi
    client=127.0.0.1:$(free_port)
    peer=127.0.0.1:$(free_port)
    echo "$client" >"$dir/etcd_host"
    in_background "$dir" etcd etcd --data-dir "$dir/etcd" --listen-client-urls "http://$client" --log-level warn \
        --advertise-client-urls "http://$client" --listen-peer-urls "http://$peer" \
        --initial-advertise-peer-urls "http://$peer" --initial-cluster "default=http://$peer"
    password=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')
    for node in "${patroni_nodes[@]}"; do
        unprivileged mkdir -p "$dir/$node"
        port=$(free_port)
        write_patroni_settings "$dir" "$node" "$port" "$password" "$bin" | write_secret "$dir/$node.yml"
        hosts+=("127.0.0.1:$port")
        in_background "$dir" "$node" patroni "$dir/$node.yml"
    done
    port=$(IFS=, && echo "${hosts[*]}")
    write_secret "$dir/url" <<<"postgres://pawl:$password@$port/pawl_test?target_session_attrs=read-write"
    await_patroni "$dir" || return 1
    url=$(sed 's|/pawl_test|/postgres|' "$dir/url")
    "$bin/psql" -X -q -d "$url" -c 'create database pawl_test' </dev/null || return 1
    echo ">> patroni: three nodes in $((SECONDS - started)) s, the leader is $(patroni_leader "$dir")"
}

# patroni_members DIR: a line "NODE ROLE STATE" for each.
patroni_members() {
    unprivileged patronictl -c "$1/n1.yml" list -f json 2>/dev/null </dev/null | python3 -c '
import json, sys
for member in json.load(sys.stdin):
    print(member["Member"], member["Role"].replace(" ", "_"), member["State"])' 2>/dev/null || true
}

patroni_leader() { patroni_members "$1" | awk '$2 == "Leader" && $3 == "running" {print $1}'; }

# Until there are a leader, a synchronous standby and a replica; each question takes Patroni a second.
await_patroni() { # DIR
    local turn
    for turn in {1..180}; do
        if patroni_members "$1" | awk '
            $2 == "Leader" && $3 == "running" {l = 1}
            $2 == "Sync_Standby" {s = 1}
            $2 ~ /Standby|Replica/ && $3 ~ /running|streaming/ {n++}
            END {exit !(l && s && n == 2)}'
        then return 0; fi
    done
    echo "the nodes are not in order after $turn questions:" >&2
    patroni_members "$1" >&2
    return 1
}

# kill_leader DIR: SIGKILL to the leader's Patroni and to its PostgreSQL; answers when another one leads. What is dead
# stays so until await_order.
kill_leader() {
    local dir=$1 old new turn
    old=$(patroni_leader "$dir")
    kill -9 "$(cat "$dir/$old.pid")" "$(head -n 1 "$dir/$old/data/postmaster.pid")" || return 1
    echo "$old" >"$dir/dead"
    for turn in {1..180}; do
        new=$(patroni_leader "$dir")
        if [ -n "$new" ] && [ "$new" != "$old" ]; then return 0; fi
    done
    echo "nobody took the place of $old after $turn questions" >&2
    return 1
}

# switch_leader DIR: a change of the leader that an operator asks for.
switch_leader() {
    local dir=$1 old
    old=$(patroni_leader "$dir")
    unprivileged patronictl -c "$dir/n1.yml" switchover pawl --master "$old" --force </dev/null >>"$dir/switchover.log" 2>&1
    [ "$(patroni_leader "$dir")" != "$old" ]
}

# await_order DIR: starts what was killed, and waits until there is a synchronous standby for the next failure.
await_order() {
    local dir=$1 node
    if [ -f "$dir/dead" ]; then
        node=$(cat "$dir/dead")
        rm "$dir/dead"
        in_background "$dir" "$node" patroni "$dir/$node.yml"
    fi
    await_patroni "$dir"
}

stop_patroni() { # DIR
    local dir=$1 pid node
    # Without their Patroni nobody starts the servers again.
    for pid in "$dir"/*.pid; do
        if [ -f "$pid" ]; then kill -9 "$(cat "$pid")" 2>/dev/null || true; fi
    done
    for node in "${patroni_nodes[@]}"; do
        if [ -f "$dir/$node/data/postmaster.pid" ]; then
            kill -QUIT "$(head -n 1 "$dir/$node/data/postmaster.pid")" 2>/dev/null || true
        fi
    done
    rm -rf "$dir"
}

# provide_patroni: exports PAWL_TEST_PATRONI.
provide_patroni() {
    local parent=${TMPDIR:-/tmp}
    if [ -d /dev/shm ]; then parent=/dev/shm; fi
    patroni_dir=$(mktemp -d "$parent/pawl-patroni.XXXXXX")
    trap 'stop_patroni "$patroni_dir"' EXIT
    start_patroni "$patroni_dir" || {
        echo "./dev: no Patroni cluster" >&2
        exit 1
    }
    export PAWL_TEST_PATRONI=$patroni_dir
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    "$@"
fi
