# shellcheck shell=bash
# The checks that need no test. Each check of ours first proves on a bad sample that it can fail.

lint_steps=(layers headers coroutines words sizes errors migrations format shell)

# lint_checks: runs all, counts each one.
lint_checks() {
    local step failed=0 output
    for step in "${lint_steps[@]}"; do
        if output=$("lint_$step" 2>&1); then
            count 1 0
            [ -z "$output" ] || printf '%s\n' "$output"
        else
            failed=1
            count 0 1
            printf 'check failed: %s\n%s\n' "$step" "$output"
        fi
    done
    return $failed
}

lint_layers() { python3 tools/check_layers.py; }
lint_headers() { python3 tools/check_headers.py; }
lint_coroutines() { python3 tools/check_coroutines.py; }
lint_words() { python3 tools/check_words.py; }
lint_sizes() { python3 tools/check_sizes.py; }
lint_errors() { python3 tools/check_errors.py; }
lint_migrations() { python3 tools/check_migrations.py; }
lint_format() {
    local files
    files=$(cpp_files | xargs -0 clang-format-14 --dry-run -Werror --ferror-limit=1 2>&1 |
        sed -n 's/:[0-9]*:[0-9]*: error: .*//p' | sort -u)
    [ -z "$files" ] || {
        printf '%s\nrun ./dev fmt\n' "$files"
        return 1
    }
}
lint_shell() { shellcheck -x -a dev && git -c safe.directory="*" ls-files '.ci/*' 'tests/*.sh' | xargs -r shellcheck -x; }

# clang-tidy knows the compile commands of the dev build; slow, so not a part of `./dev test`.
lint_tidy() {
    need_packages "${build_packages[@]}" "${test_packages[@]}" "${tidy_packages[@]}"
    build dev
    say "lint: clang-tidy over src, with the rules of .clang-tidy"
    find src -name '*.cpp' -print0 | xargs -0 -n 1 -P "$(nproc)" clang-tidy-19 --quiet -p build/dev
}

run_lint() {
    need_packages "${lint_packages[@]}" git libboost1.81-dev
    say "lint: ${lint_steps[*]}"
    begin_tally
    part checks lint_checks
    case "${1:-}" in
        '') ;;
        --tidy) part clang-tidy lint_tidy ;;
        *) die "lint takes --tidy, not \"$1\"" ;;
    esac
    end_tally
}
