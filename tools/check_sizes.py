#!/usr/bin/env python3
"""A file has at most 600 lines, a function at most 60."""
import re

import checking

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
SCOPE = re.compile(r"(^|\s)(namespace|class|struct|union|enum|extern)\b")


def functions(code):
    """(first line, last line, head) of each function body, in code without comments and strings."""
    found, position, head_start = [], 0, 0
    while position < len(code):
        char = code[position]
        if char in ";}":
            head_start = position + 1
        elif char == "(":
            position = checking.closing(code, position)
        elif char == "{":
            head = re.sub(r"template\s*<[^{;]*?>\s*(?=[\w\[])", " ", code[head_start:position])
            signature = re.sub(r"^\s*#.*$", "", head, flags=re.MULTILINE)
            if SCOPE.search(signature) and not re.search(r"\)\s*(const|noexcept|override|final|\s)*$", signature):
                head_start = position + 1  # look inside
            else:
                end = checking.closing(code, position)
                if "(" in signature:
                    first = checking.line_of(code, head_start + len(code[head_start:position]) - len(head.lstrip()))
                    found.append((first, checking.line_of(code, end), " ".join(signature.split())[:80]))
                position = end
                head_start = end + 1
        position += 1
    return found


def find(files):
    findings = []
    for path, text in files.items():
        lines = text.count("\n")
        if lines > FILE_LINES_MAX:
            findings.append(f"{path}: {lines} lines, at most {FILE_LINES_MAX}: split it by what it does")
        if not path.endswith((".cpp", ".hpp")):
            continue
        for first, last, head in functions(checking.blank(text)):
            if last - first + 1 > FUNCTION_LINES_MAX:
                findings.append(f"{path}:{first}: {last - first + 1} lines, at most {FUNCTION_LINES_MAX}: {head}")
    return findings


LONG = "    g();\n" * 60
BAD = [
    {"src/a.cpp": "\n" * 601},
    {"src/a.cpp": "int f(int a) {\n" + LONG + "}\n"},
    {"src/a.cpp": "namespace n {\nclass C : public B<int(int)> {\n    int f() const {\n" + LONG + "}\n};\n}\n"},
    {"src/a.cpp": "TEST(A, B) {\n" + LONG + "}\n"},
    {"src/a.cpp": "C::C(int a) : b_{a}, c_(a) {\n" + LONG + "}\n"},
]
GOOD = [
    {"src/a.cpp": "namespace n {\nint f() {\n" + LONG[:90] + "}\n" + "int a;\n" * 80 + "}\n"},
    {"src/a.cpp": "struct S {\n" + "    int a;\n" * 80 + "};\n"},
]

if __name__ == "__main__":
    checking.main(find, ["*.cpp", "*.hpp", "*.py", "*.sh", "*.cmake", "*.sql", "dev"], BAD, GOOD)
