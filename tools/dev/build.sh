# shellcheck shell=bash
# Building one preset of CMakePresets.json.

# ccache must not see what differs between two clones, or between two configurations of one header.
export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros}
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$PWD}
export CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-1}
presets=(release dev asan tsan gcc tsan-gcc)

# build PRESET [TARGET...]: no target = everything. Quiet until something is to be said.
build() {
    local preset=$1 started=$SECONDS log
    shift
    [[ " ${presets[*]} " == *" $preset "* ]] || die "no preset \"$preset\"; there are: ${presets[*]}"
    mkdir -p "build/$preset"
    log=build/$preset/configure.log
    cmake --preset "$preset" >"$log" 2>&1 </dev/null || {
        cat "$log" >&2
        die "cmake could not configure $preset"
    }
    say "build $preset: ${*:-everything}"
    ninja -C "build/$preset" --quiet "$@" </dev/null || die "the build of $preset failed"
    say "build $preset: $((SECONDS - started)) s"
}

# Areas of tests that have tests: each is a folder, an executable test_AREA and a label of ctest.
areas() {
    local area
    for area in "$@"; do
        if compgen -G "tests/$area/*.cpp" >/dev/null; then echo "$area"; fi
    done
}

# All C++ files of ours, NUL-separated.
cpp_files() {
    find include src tests examples bench -type f \( -name '*.cpp' -o -name '*.hpp' \) -print0 | sort -z
}
