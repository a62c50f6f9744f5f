"""What every check shares: the list of files, C++ without comments and strings, and the proof that it can fail."""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def files(*patterns):
    """Path -> text of the tracked and the new files that match one of the globs, relative to the root."""
    listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z", "--", *patterns],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = {}
    for name in sorted(filter(None, listed.split("\0"))):
        path = ROOT / name
        if path.is_file():
            found[name] = path.read_text(encoding="utf-8", errors="replace")
    return found


TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|(?<![\w])\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL)


def blank(text, keep_strings=False):
    """C++ with comments (and, unless kept, what stands in strings) blanked; lines and columns stay."""
    def spaces(match):
        found = match.group(0)
        if found.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", found)
        if keep_strings:
            return found
        return found[0] + re.sub(r"[^\n]", " ", found[1:-1]) + found[-1]
    return TOKEN.sub(spaces, text)


def line_of(text, position):
    """Line number, from 1, of a position in a text."""
    return text.count("\n", 0, position) + 1


def closing(text, position):
    """Position of the bracket that closes the one at `position`, or the end of the text."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    stack = []
    for i in range(position, len(text)):
        if text[i] in pairs:
            stack.append(pairs[text[i]])
        elif stack and text[i] == stack[-1]:
            stack.pop()
            if not stack:
                return i
    return len(text)


def main(find, patterns, bad, good=()):
    """Runs a check: `find` takes {path: text} and gives findings.

    Each sample of `bad`, a {path: text}, must give a finding and each of `good` none; then the tree must give none.
    """
    for sample in bad:
        if not find(sample):
            sys.exit(f"the check does not find its own bad sample: {sample}")
    for sample in good:
        wrong = list(find(sample))
        if wrong:
            sys.exit(f"the check refuses its own good sample: {wrong}")
    found = list(find(files(*patterns)))
    for finding in found:
        print(finding)
    sys.exit(1 if found else 0)
