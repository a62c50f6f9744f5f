#!/usr/bin/env python3
"""Pages that pages link to, and pages that code names, exist."""
import posixpath
import re

import checking

LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)?(#[\w-]+)?\)")
NAMED = re.compile(r"\bdocs/[\w./-]+\.md\b")


def anchors_of(page):
    """The anchors that a page's headings make."""
    headings = re.findall(r"^#+ +(.*)$", page, re.MULTILINE)
    return {"#" + re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def find(files):
    names = set(files)
    folders = {posixpath.dirname(name) for name in names}
    findings = []
    for path, text in files.items():
        for match in NAMED.finditer("" if path.startswith("tools/") else text):  # samples of checks name no real page
            if match.group(0) not in names:
                findings.append(f"{path}:{checking.line_of(text, match.start())}: names {match.group(0)}: no such page")
        if not path.endswith(".md"):
            continue
        for match in LINK.finditer(text):
            target, anchor = match.groups()
            page = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target else path
            if page not in names and page not in folders:
                findings.append(f"{path}:{checking.line_of(text, match.start())}: links to {target}: no such file")
            elif anchor and page in names and anchor not in anchors_of(files[page]):
                findings.append(f"{path}:{checking.line_of(text, match.start())}: {page} has no heading {anchor}")
    return findings


BAD = [
    {"docs/a.md": "[b](b.md)"},
    {"docs/a.md": "[a](#nothing-here)\n# Something\n"},
    {"src/a.cpp": "// see docs/" "b.md\n"},
]
GOOD = [{"docs/a.md": "[b](dev/b.md#two-words) [web](https://x.org) [dev](dev)", "docs/dev/b.md": "## Two words\n[up](../a.md)",
         "src/a.cpp": "// docs/a.md"}]

if __name__ == "__main__":
    checking.main(find, ["*"], BAD, GOOD)
