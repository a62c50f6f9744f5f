"""The marked blocks of a page, and the programs and sessions that they make.

```cpp            file scope: all blocks of a page without `int main` make one file, in order
```cpp workflow   statements of a workflow: wrapped into a function with `ctx`
```cpp with `int main`: a program of its own; a first line `// NAME.cpp` names it for the page's sessions
```console        lines after "$ " are run, all of a page in one shell, in a fresh folder; `# exit N` at the end of a
                  line when the exit code is not 0; other lines must appear in the output, in this order, where
                  ... stands for any text
Other blocks (```sh, ```toml, ```text) are only shown.
"""
import re
from dataclasses import dataclass, field


@dataclass
class Block:
    language: str
    text: str
    line: int


@dataclass
class Command:
    text: str
    line: int
    exit_code: int = 0
    expected: list = field(default_factory=list)


def blocks_of(page):
    """All fenced blocks of a page."""
    found, opened, body = [], None, []
    for number, line in enumerate(page.split("\n"), 1):
        if not line.startswith("```"):
            body.append(line)
        elif opened is None:
            opened, body = (line[3:].strip(), number + 1), []
        else:
            found.append(Block(opened[0], "\n".join(body) + "\n", opened[1]))
            opened = None
    return found


def programs_of(name, blocks):
    """Program name -> source, for each block that is a whole program."""
    programs = {}
    for block in blocks:
        if block.language == "cpp" and re.search(r"\bint main\s*\(", block.text):
            titled = re.match(r"//\s*(\w+)\.cpp", block.text)
            programs[titled.group(1) if titled else f"{name}_line{block.line}"] = block.text
    return programs


def parts_of(path, blocks):
    """One source of all other C++ of a page, or nothing."""
    parts = []
    for block in blocks:
        if re.search(r"\bint main\s*\(", block.text):
            continue
        place = f'#line {block.line} "{path}"\n'
        if block.language == "cpp":
            parts.append(place + block.text)
        elif block.language == "cpp workflow":
            parts.append(f"pawl::Workflow<void> snippet_line{block.line}(pawl::Context& ctx) {{\n{place}{block.text}"
                         "co_return;\n}\n")
    if not parts:
        return None
    return "#include <pawl/pawl.hpp>\nusing namespace std::chrono_literals;\n" + "".join(parts)


def commands_of(blocks):
    """The commands of all sessions of a page, in order."""
    commands = []
    for block in blocks:
        if block.language != "console":
            continue
        for offset, line in enumerate(block.text.rstrip("\n").split("\n")):
            if line.startswith("$ "):
                wanted = re.search(r"#\s*exit (\d+)", line)
                commands.append(Command(line[2:], block.line + offset, int(wanted.group(1)) if wanted else 0))
            elif commands and commands[-1].text.endswith("\\"):
                commands[-1].text += "\n" + line
            elif commands and line.strip():
                commands[-1].expected.append(line.strip())
    return commands


def missing_line(expected, output):
    """The first expected line that the output does not show in order, or None."""
    position = 0
    for line in expected:
        pattern = ".*".join(re.escape(" ".join(part.split())).replace(r"\ ", r"\s+") for part in line.split("..."))
        found = re.compile(pattern).search(output, position)
        if not found:
            return line
        position = found.end()
    return None
