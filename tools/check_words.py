#!/usr/bin/env python3
"""Words that say nothing or too much, leftovers, waiting by the clock in tests, and paths of one machine."""
import re

import checking

EMPTY = {"manager", "managers", "helper", "helpers", "util", "utils", "common"}
# One noun for one thing (docs/concepts.md): these are other engines' words for ours.
FOREIGN = {"job", "jobs", "invocation", "invocations", "activity", "activities"}
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.}])/(work|root|home/\w+)/(?!\*)")
CPP_SLEEP = re.compile(r"this_thread::sleep_|\b(usleep|nanosleep)\s*\(|(?<![\w.>])sleep\s*\(")
SCRIPT_SLEEP = re.compile(r"^\s*sleep\s+[\d.$]|[;&|]\s*sleep\s+[\d.$]|\btime\.sleep\(", re.MULTILINE)
# The promise says where it ends (README.md); this is the one place that may name what nobody can give.
TOO_MUCH = re.compile(r'(?<!We never write ")exactly[\s-]+once', re.IGNORECASE)
IDENTIFIER = re.compile(r"(?<!std::)\b[A-Za-z_]\w*")
INCLUDE_LINE = re.compile(r"^[ \t]*#[ \t]*include.*$", re.MULTILINE)
PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def is_code(path):
    return path.endswith((".cpp", ".hpp"))


def words_of(identifier):
    return {part.lower() for part in PART.findall(identifier)}


def findings_in(path, text):
    """(line, finding) of one file."""
    banned = words_of(path) & EMPTY
    if banned:
        yield 1, f"the name of the file says {', '.join(banned)}: say what it does"
    for match in LEFTOVER.finditer(text):
        yield checking.line_of(text, match.start()), f"leftover {match.group(0)}: finish it"
    for match in MACHINE_PATH.finditer(text):
        yield checking.line_of(text, match.start()), f"path of one machine: {match.group(0)}"
    for match in TOO_MUCH.finditer(text):
        yield checking.line_of(text, match.start()), f"{match.group(0)}: nobody can promise that"
    if is_code(path):
        code = INCLUDE_LINE.sub(lambda m: " " * len(m.group(0)), checking.blank(text))
        for match in IDENTIFIER.finditer(code):
            word = words_of(match.group(0)) & (EMPTY | FOREIGN)
            if word:
                yield checking.line_of(code, match.start()), f"{match.group(0)}: {', '.join(word)} is not in our vocabulary"
        if path.startswith("tests/"):
            for match in CPP_SLEEP.finditer(code):
                yield checking.line_of(code, match.start()), "a test waits for a signal, never for the clock"
    elif path.startswith("tests/") and path.endswith((".sh", ".py")):
        for match in SCRIPT_SLEEP.finditer(text):
            yield checking.line_of(text, match.start()), "a test waits for a signal, never for the clock"


def find(files):
    return [f"{path}:{line}: {what}" for path, text in files.items() for line, what in findings_in(path, text)]


BAD = [
    {"src/runtime/task_manager.hpp": ""},
    {"src/runtime/a.hpp": "class TaskManager;"},
    {"src/runtime/a.hpp": "int job_count;"},
    {"src/runtime/a.hpp": "namespace common {"},
    {"src/runtime/a.hpp": "// TO" "DO later"},
    {"tests/unit/a.cpp": "std::this_thread::sleep_for(1s);"},
    {"tests/unit/a.cpp": "::sleep(1);"},
    {"tests/e2e/a.sh": "sleep 1\n"},
    {"docs/a.md": "delivered exact" "ly once"},
    {"docs/a.md": "see /wo" "rk/main/README.md"},
]
GOOD = [
    {"docs/a.md": 'We never write "exactly\nonce".'},
    {"src/runtime/a.hpp": '#include <utility>\nstd::common_type_t<int, long> x; // jobs of others\nauto s = "common";'},
    {"tests/unit/a.cpp": 'co_await ctx.sleep(30s); command({"sh", "-c", "sleep 10"});'},
]

if __name__ == "__main__":
    checking.main(find, ["*.cpp", "*.hpp", "*.md", "*.py", "*.sh", "*.txt", "*.cmake", "*.sql", "*.toml", "*.json", "dev"],
                  BAD, GOOD)
