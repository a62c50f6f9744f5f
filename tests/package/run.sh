#!/usr/bin/env bash
# Installs the release build into a fresh folder and builds a user's project, and the examples, against that copy.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${1:-build/release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >"$work/install.log" || {
    cat "$work/install.log"
    exit 1
}
# With g++ as Debian 12 has it: what a user has at hand.
cmake -S tests/package -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=g++ \
    -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log" || {
    cat "$work/configure.log"
    exit 1
}
ninja -C "$work/build" --quiet
said=$("$work/build/consumer" "sqlite:$work/hello.db")
[ "$said" = "Hello, Ada!" ] || {
    echo "the consumer said \"$said\" in place of \"Hello, Ada!\""
    exit 1
}
"$work/prefix/bin/pawl" version
echo "package: installed, found by find_package, $(find "$work/build" -maxdepth 1 -type f -executable | wc -l) programs built"
