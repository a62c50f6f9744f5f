# shellcheck shell=bash
# Debian 12 packages, by what needs them; the reason for each one stands in docs/dev/dependencies.md.
build_packages=(
    clang-19 lld-19 libclang-rt-19-dev g++ cmake ninja-build ccache git
    libboost1.81-dev libboost-json1.81-dev libsqlite3-dev libpq-dev libssl-dev libcli11-dev libtomlplusplus-dev
    libspdlog-dev libfmt-dev libvalijson-dev libre2-dev libgtest-dev libgmock-dev
)
# What the built binary uses when it runs: certificates for TLS, the sandbox of command tools, time zones of schedules.
run_packages=(ca-certificates bubblewrap tzdata)
test_packages=(python3 strace procps e2fsprogs mount openssl postgresql-15 pgbouncer)
lint_packages=(clang-format-14 python3 clang-19 g++ shellcheck)
patroni_packages=(patroni python3-etcd etcd-server)
tidy_packages=(clang-tidy-19)

say() { printf '>> %s\n' "$*"; }
die() {
    printf './dev: %s\n' "$*" >&2
    exit 1
}

# Debian makes and starts a cluster of its own when the server is installed, unless this says no. Gone afterwards.
no_system_cluster=/etc/postgresql-common/createcluster.d/pawl-dev.conf
# The same for services (pgbouncer's, Patroni's): a package asks this program whether it may start one.
no_service=/usr/sbin/policy-rc.d

# need_packages NAME...: installs those that are missing; says nothing when none is.
need_packages() {
    if ! command -v dpkg-query >/dev/null; then
        say "this is no Debian: nothing is installed, the build expects the like of: $*"
        return
    fi
    local installed missing=() name
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
    for name in "$@"; do
        grep -qxF "$name installed" <<<"$installed" || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "missing packages, and neither root nor sudo to install them: ${missing[*]}"
        as_root=(sudo)
    fi
    say "setup: installs ${missing[*]}"
    local log made=()
    log=$(mktemp)
    if [ ! -e $no_service ]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $no_service >/dev/null
        "${as_root[@]}" chmod 755 $no_service
        made+=("$no_service")
    fi
    if [[ " ${missing[*]} " == *" postgresql-15 "* ]]; then
        "${as_root[@]}" mkdir -p "$(dirname $no_system_cluster)"
        echo 'create_main_cluster = false' | "${as_root[@]}" tee $no_system_cluster >/dev/null
        made+=("$no_system_cluster")
    fi
    # -o DPkg::Lock::Timeout: a machine that just started may still be updating itself.
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300)
    if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
        "${as_root[@]}" rm -f "${made[@]}"
        tail -n 20 "$log" >&2
        die "apt-get could not install: ${missing[*]}"
    fi
    "${as_root[@]}" rm -f "${made[@]}"
    rm -f "$log"
}
