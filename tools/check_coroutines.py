#!/usr/bin/env python3
"""Forms that g++ 12 miscompiles inside one expression with co_await (docs/dev/coroutines.md)."""
import re

import checking

LAMBDA = re.compile(r"(?<![\w\])])\[([^\[\]]*)\]\s*(?=[({])")
BLOCK_HEAD = re.compile(r"(\)|\belse|\bdo|\btry|\bconst|\bnoexcept|\bmutable|->[\s\w:<>,&*]+|[;{}:]|\*/)\s*$")


def statement_end(code, position):
    """End of the statement around `position`: its `;` outside of all brackets opened after it."""
    i = position
    while i < len(code) and code[i] != ";":
        if code[i] in "({[":
            i = checking.closing(code, i)
        elif code[i] in ")}]":
            return i
        i += 1
    return i


def enclosing(code, position):
    """Position of the innermost bracket still open at `position`, or -1."""
    depth = 0
    for i in range(position - 1, -1, -1):
        if code[i] in ")}]":
            depth += 1
        elif code[i] in "({[":
            if depth == 0:
                return i
            depth -= 1
    return -1


def in_braces(code, position):
    """True when an initialiser's braces, not a block's, hold the expression at `position`."""
    while (position := enclosing(code, position)) >= 0:
        if code[position] == "{":
            return not BLOCK_HEAD.search(code[:position][-200:])
    return False


def without_lambda_bodies(text):
    """The text with the body of each lambda blanked: statements there are not part of the expression."""
    for match in LAMBDA.finditer(text):
        brace = text.find("{", match.end())
        if text[match.end()] == "(":
            brace = text.find("{", checking.closing(text, match.end()))
        if brace >= 0:
            end = checking.closing(text, brace)
            text = text[:brace] + " " * (end + 1 - brace) + text[end + 1:]
    return text


def captures_by_value(capture):
    """The captures of a lambda that copy something: not references and not `this`."""
    items = [item.strip() for item in capture.split(",") if item.strip()]
    return [item for item in items if not item.startswith("&") and item != "this"]


def faults(code):
    """(position, text) of each trap in code without comments and strings."""
    for match in re.finditer(r"\bswitch\s*\(\s*co_await\b", code):
        yield match.start(), "switch (co_await ..): name the value first, then switch on it"
    for match in re.finditer(r"\bcatch\s*\([^)]*\)\s*\{", code):
        if "co_await" in code[match.end():checking.closing(code, match.end() - 1)]:
            yield match.start(), "co_await in catch: use ctx.outcome(), or leave the catch first"
    for match in re.finditer(r"\bco_await\b", code):
        rest = without_lambda_bodies(code[match.end():statement_end(code, match.end())])
        if re.match(r"\s*\(", rest):
            group = rest[rest.index("("):checking.closing(rest, rest.index("(")) + 1]
            if "?" in group:
                yield match.start(), "co_await (c ? a : b): choose first, then await"
        if in_braces(code, match.start()):
            yield match.start(), "co_await within braces: await into a named value first"
        if "{" in rest:
            yield match.start(), "braces in one expression with co_await: name the value first"
        for found in LAMBDA.finditer(rest):
            if captures_by_value(found.group(1)):
                yield match.start(), f"temporary lambda [{found.group(1)}] in one expression with co_await: " \
                                     "name it first, capture [&], or pass arguments"
    for match in re.finditer(r"[.>]\s*(step|undo|compensate)\s*\(", code):
        call = code[match.end() - 1:checking.closing(code, match.end() - 1)]
        for found in LAMBDA.finditer(call):
            if captures_by_value(found.group(1)):
                yield match.start(), f"temporary lambda [{found.group(1)}] as a step: name it first, capture [&], " \
                                     "or pass arguments"


def cpp_of(path, text):
    """C++ of a file; of a page only its ```cpp blocks, the rest blanked."""
    if not path.endswith(".md"):
        return text
    kept, inside = [], False
    for line in text.split("\n"):
        if line.startswith("```"):
            inside = line.startswith("```cpp")
            kept.append("")
        else:
            kept.append(line if inside else "")
    return "\n".join(kept)


def find(files):
    findings = {}
    for path, text in files.items():
        code = checking.blank(cpp_of(path, text))
        for position, what in faults(code):
            findings[f"{path}:{checking.line_of(code, position)}: {what}"] = None
    return list(findings)


def in_workflow(line):
    return {"src/a.cpp": "pawl::Workflow<int> f(pawl::Context& ctx) {\n" + line + "\n}\n"}


BAD = [in_workflow(line) for line in (
    "switch (co_await ctx.step(\"a\", f)) { default: break; }",
    "co_await (c ? ctx.sleep(a) : ctx.sleep(b));",
    "auto v = std::vector<int>{co_await ctx.step(\"a\", f)};",
    "co_return {co_await ctx.step(\"a\", f)};",
    "co_await ctx.child(type, Input{\"a\"});",
    "co_await ctx.step(\"a\", f, {1, 2});",
    "co_await ctx.step(\"a\", [name] { return name; });",
    "auto op = ctx.step(\"a\", [=] { return name; });",
    "co_await ctx.step(\"a\", [n = name] { return n; });",
    "try { f(); } catch (const E& e) { co_await ctx.sleep(a); }",
)] + [{"docs/a.md": "text\n```cpp\nco_await (c ? a : b);\n```\n"}]
GOOD = [in_workflow(line) for line in (
    "co_await ctx.step(\"a\", [&] { if (x) { return 1; } return 2; });",
    "if (co_await ctx.step(\"a\", f)) { g(); }",
    "for (int n : v) { co_await ctx.step(\"a{}\", [](int k) { return k; }, n); }",
    "const Input input{\"a\"}; co_await ctx.child(type, input);",
    "auto f = [name] { return name; }; co_await ctx.step(\"a\", f);",
    "auto both = co_await ctx.all(ctx.step(\"a\", [&] { return 1; }), ctx.sleep(s));",
    "auto part = [](pawl::Context& c) -> pawl::Workflow<int> { co_return co_await c.step(\"a\", f); };",
    "// co_await (c ? a : b)",
)] + [{"docs/a.md": "co_await (c ? a : b) is a trap\n"}]

if __name__ == "__main__":
    checking.main(find, ["include/*", "src/*", "examples/*", "bench/*", "tests/*.cpp", "tests/*.hpp", "README.md",
                         "docs/*.md"], BAD, GOOD)
