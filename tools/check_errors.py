#!/usr/bin/env python3
"""Each error code of include/pawl/result.hpp has a section in docs/reference/errors.md and a test that names it."""
import re

import checking

HEADER = "include/pawl/result.hpp"
PAGE = "docs/reference/errors.md"
# Codes that no test names yet. The list only gets shorter.
UNTESTED = "tools/errors_untested.txt"


def codes_of(header):
    body = re.search(r"enum class Errc\s*\{(.*?)\};", checking.blank(header), re.DOTALL)
    return re.findall(r"[a-z_]+", body.group(1)) if body else []


def find(files):
    codes = codes_of(files.get(HEADER, ""))
    if not codes:
        return [f"{HEADER}: no Errc found"]
    headings = set(re.findall(r"^#+ `(\w+)`", files.get(PAGE, ""), re.MULTILINE))
    tests = "\n".join(text for path, text in files.items() if path.startswith("tests/"))
    untested = set(files.get(UNTESTED, "").split())
    findings = [f"{PAGE}: no section \"### `{code}`\"" for code in codes if code not in headings]
    findings += [f"{PAGE}: `{name}` is no error code" for name in sorted(headings - set(codes))]
    for code in codes:
        tested = re.search(rf"\bErrc::{code}\b", tests) is not None
        if not tested and code not in untested:
            findings.append(f"no test names Errc::{code}")
    done = sorted(code for code in untested if re.search(rf"\bErrc::{code}\b", tests))
    if done:
        print(f"{UNTESTED}: can go, a test names them: {' '.join(done)}")
    return findings


GOOD = [{HEADER: "enum class Errc { a, ///< x\n b };", PAGE: "### `a`\n### `b`\n", "tests/unit/a.cpp": "Errc::a Errc::b"}]
BAD = [
    {**GOOD[0], PAGE: "### `a`\n"},
    {**GOOD[0], PAGE: "### `a`\n### `b`\n### `c`\n"},
    {**GOOD[0], "tests/unit/a.cpp": "Errc::a"},
    {HEADER: ""},
]

if __name__ == "__main__":
    checking.main(find, [HEADER, PAGE, UNTESTED, "tests/*.cpp", "tests/*.hpp"], BAD, GOOD)
