# shellcheck shell=bash
# A test run is a list of parts; each prints its seconds and what it skipped, and a failing one does not stop the rest.
tally=       # file: one line "passed failed skipped" for each count that a part reports
part_lines=()

begin_tally() {
    mkdir -p build
    tally=$(mktemp build/tally.XXXXXX)
    part_lines=()
}

# count PASSED FAILED [SKIPPED]
count() { echo "$1 $2 ${3:-0}" >>"$tally"; }

sum_tally() { # sum_tally FIRST_LINE
    tail -n "+$1" "$tally" | awk '{p += $1; f += $2; s += $3} END {print p + 0, f + 0, s + 0}'
}

# part NAME COMMAND...: runs the command in a subshell; a failure that counted nothing counts as one.
part() {
    local name=$1 started=$SECONDS status passed failed skipped first
    shift
    first=$(($(wc -l <"$tally") + 1))
    printf '\n'
    say "part: $name"
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    read -r passed failed skipped < <(sum_tally "$first")
    if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
        count 0 1
        failed=1
    fi
    part_lines+=("$(printf '%-44s %5d passed %3d failed %3d skipped %5d s' \
        "$name" "$passed" "$failed" "$skipped" $((SECONDS - started)))")
    say "${part_lines[-1]}"
}

# Prints the closing lines; the last one is "N passed, N failed".
end_tally() {
    local passed failed skipped line
    read -r passed failed skipped < <(sum_tally 1)
    rm -f "$tally"
    printf '\n'
    for line in "${part_lines[@]}"; do say "$line"; done
    [ "$skipped" -eq 0 ] || say "$skipped skipped: the reasons stand above, in their parts"
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
