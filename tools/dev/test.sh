# shellcheck shell=bash
# ./dev test: which tests run in which build. Each build makes only the targets that it runs.

# A report is an error, and says where.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}

# run_areas PRESET AREA...: builds the areas' executables and runs their tests.
run_areas() {
    local preset=$1 present targets=() label
    shift
    mapfile -t present < <(areas "$@")
    for label in "$@"; do
        [[ " ${present[*]} " == *" $label "* ]] || say "skipped: tests/$label has no tests"
    done
    [ ${#present[@]} -gt 0 ] || return 0
    for label in "${present[@]}"; do targets+=("test_$label"); done
    # Tests of whole programs start the real binary.
    if [[ " ${present[*]} " =~ \ (crash|e2e)\  ]]; then targets+=(pawl_cli examples); fi
    build "$preset" "${targets[@]}"
    run_ctest "$preset" -L "^($(IFS='|'; echo "${present[*]}"))\$"
}

# run_ctest PRESET CTEST_OPTIONS...: two tests at a time, each with a time limit, then counts and reasons of skips.
run_ctest() {
    local preset=$1 status=0 report
    shift
    report=$PWD/build/$preset/ctest.xml
    rm -f "$report"
    ctest --test-dir "build/$preset" -j2 --timeout 300 --output-on-failure --no-tests=error --output-junit "$report" \
        "$@" </dev/null | sed -u '/^ *Start /d' || status=1
    [ -f "$report" ] || return 1
    python3 tools/count_tests.py "$report" "$tally"
    return $status
}

part_lint() { lint_checks; }
part_asan() {
    # What simulation can find by memory errors it finds in some seeds; the part with g++ runs all 2,000.
    export PAWL_SIM_SEEDS=${PAWL_SIM_SEEDS:-400}
    run_areas asan unit conformance runtime sim agent e2e
}
part_gcc() {
    build gcc
    # PostgreSQL answers clang's program and g++'s alike: one of them asks it.
    run_ctest gcc -L '^(unit|conformance|sim)$' -E '[Pp]ostgres'
}
part_tsan() {
    # Simulation is one thread: some seeds show that its harness is clean, the other parts run all of them.
    export PAWL_SIM_SEEDS=${PAWL_SIM_SEEDS:-100}
    run_areas "$1" runtime sim
}
part_release() {
    build release pawl_cli examples bench
    run_areas release crash e2e
}
part_demo() {
    build release pawl_cli
    local point
    for point in 8 every; do
        say "demo --kill-at $point"
        if build/release/pawl demo --kill-at "$point" </dev/null; then count 1 0; else count 0 1; fi
    done
}
part_docs() {
    build release pawl_cli pawl
    python3 tests/docs/run_snippets.py --build build/release --tally "$tally"
}
part_package() {
    build release pawl pawl_cli
    tests/package/run.sh build/release
    count 1 0
}
part_bad_input() {
    local targets
    mapfile -t targets < <(areas unit conformance runtime agent e2e | sed 's/^/test_/')
    build release pawl_cli "${targets[@]}"
    run_ctest release -R BadInput
}

run_all_parts() {
    part 'checks' part_lint
    part 'ASan+UBSan (clang)' part_asan
    part 'g++ with warnings as errors: unit, conformance, sim' part_gcc
    part 'TSan (clang): runtime, simulation' part_tsan tsan
    if [ "${1:-}" = full ]; then part 'TSan (g++): runtime, simulation' part_tsan tsan-gcc; fi
    part 'release: crash, end to end' part_release
    part 'demo' part_demo
    part 'README and docs' part_docs
    part 'installed package' part_package
}

run_tests() {
    local what=${1:-all}
    [ $# -eq 0 ] || shift
    need_packages "${build_packages[@]}" "${run_packages[@]}" "${test_packages[@]}" "${lint_packages[@]}"
    case "$what" in
        all | full | conformance | crash | e2e | bad_input) provide_postgres fast ;;
    esac
    begin_tally
    case "$what" in
        all | full)
            say "test: checks, ASan+UBSan, g++, TSan, release, demo, docs, package"
            run_all_parts "$what"
            ;;
        unit | conformance | runtime | sim | agent) part "$what" run_areas dev "$what" ;;
        crash | e2e) part "$what" run_areas release "$what" ;;
        bad_input) part "$what" part_bad_input ;;
        docs) part "$what" part_docs ;;
        package) part "$what" part_package ;;
        lint) part "$what" part_lint ;;
        *) die "no tests called \"$what\"; there are: unit conformance runtime sim agent crash e2e bad_input docs package lint full" ;;
    esac
    end_tally
}

run_chaos() {
    local minutes=10 seed=1
    while [ $# -gt 0 ]; do
        case "$1" in
            --minutes) minutes=${2:?--minutes needs a number} ;;
            --seed) seed=${2:?--seed needs a number} ;;
            *) die "chaos takes --minutes M and --seed S, not \"$1\"" ;;
        esac
        shift 2
    done
    need_packages "${build_packages[@]}" "${test_packages[@]}"
    provide_postgres fast
    build release test_crash
    say "chaos: three workers and their PostgreSQL for $minutes minutes, then an outage and a machine that vanishes"
    PAWL_CHAOS_SECONDS=$((minutes * 60)) PAWL_CHAOS_SEED=$seed build/release/tests/test_crash --gtest_brief=1 \
        --gtest_filter='PostgresChaos.*:PostgresOutage.*'
}

run_failover() {
    need_packages "${build_packages[@]}" "${test_packages[@]}" "${patroni_packages[@]}"
    build release test_crash
    provide_patroni
    say "failover: three workers on a Patroni cluster whose leader is killed, changed and killed again"
    build/release/tests/test_crash --gtest_brief=1 --gtest_filter='PatroniFailover.*'
}

run_simulation() {
    local seeds=2000 first=1
    while [ $# -gt 0 ]; do
        case "$1" in
            --seeds) seeds=${2:?--seeds needs a number} ;;
            --seed) first=${2:?--seed needs a number} ;;
            *) die "sim takes --seeds N and --seed S, not \"$1\"" ;;
        esac
        shift 2
    done
    need_packages "${build_packages[@]}" "${test_packages[@]}"
    build release test_sim
    say "sim: $seeds seeds from $first on, each twice with one digest"
    PAWL_SIM_SEEDS=$seeds PAWL_SIM_FIRST_SEED=$first build/release/tests/test_sim --gtest_brief=1 --gtest_filter='*/Seeds.*'
}
