#!/usr/bin/env python3
"""Each public header compiles alone, and twice in a row, with both compilers."""
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import checking

FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-Wno-sign-conversion"]


def compile_alone(compiler, include, header):
    """What the compiler says about a file that includes only this header; empty = nothing."""
    source = f"#include <{header}>\n#include <{header}>\n"
    done = subprocess.run([compiler, *FLAGS, "-I", str(include), "-x", "c++", "-"],
                          input=source, capture_output=True, text=True, check=False)
    return f"{compiler}: <{header}> does not compile alone\n{done.stderr}" if done.returncode else ""


def find(include):
    headers = sorted(str(p.relative_to(include)) for p in include.rglob("*.hpp"))
    pairs = [(compiler, include, header) for compiler in ("clang++-19", "g++") for header in headers]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [said for said in pool.map(lambda pair: compile_alone(*pair), pairs) if said]


def main():
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bad.hpp").write_text("#pragma once\ninline std::string a() { return {}; }\n", encoding="utf-8")
        if len(find(Path(folder))) != 2:
            sys.exit("the check does not find its own bad sample")
    found = find(checking.ROOT / "include")
    print("\n".join(found), end="")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
