#!/usr/bin/env python3
"""Builds the C++ of README.md and docs/ against an installed Pawl, and runs their sessions (see snippets.py)."""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import snippets

ROOT = Path(__file__).resolve().parent.parent.parent
SESSION_SECONDS_MAX = 180
MARK = "--exit-code-of-the-command-above--"


def build(blocks, build_dir, work):
    """Builds everything that the pages hold; (folder of the programs, names of what was built or failed)."""
    lines = ["cmake_minimum_required(VERSION 3.25)", "project(snippets LANGUAGES C CXX)", "set(CMAKE_CXX_STANDARD 20)",
             "find_package(pawl REQUIRED)", "add_compile_options(-Wall -Wextra)"]
    for path, page in blocks.items():
        name = re.sub(r"\W", "_", path)
        for program, source in snippets.programs_of(name, page).items():
            (work / f"{program}.cpp").write_text(source, encoding="utf-8")
            lines.append(f"add_executable({program} {program}.cpp)\ntarget_link_libraries({program} pawl::pawl)")
        rest = snippets.parts_of(path, page)
        if rest:
            (work / f"{name}.cpp").write_text(rest, encoding="utf-8")
            lines.append(f"add_library({name} OBJECT {name}.cpp)\ntarget_link_libraries({name} pawl::pawl)")
    (work / "CMakeLists.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for command in (["cmake", "--install", build_dir, "--prefix", work / "prefix"],
                    ["cmake", "-S", work, "-B", work / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={work}/prefix",
                     "-DCMAKE_CXX_COMPILER=g++", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    done = subprocess.run(["ninja", "-C", work / "build", "-k", "0"], capture_output=True, text=True, check=False)
    failed = re.findall(r"^FAILED: (\S+)", done.stdout, re.MULTILINE)
    if done.returncode:
        print(done.stdout)
    objects = sum(line.startswith("add_") and "compile_options" not in line for line in lines)
    return objects, failed


def script_of(commands):
    return "".join(f"{command.text}\nprintf '\\n{MARK} %d\\n' $?\n" for command in commands)


def run_session(path, commands, work):
    """Runs one page's sessions; the faults found, as text."""
    folder = work / "session" / re.sub(r"\W", "_", path)
    folder.mkdir(parents=True)
    for program in (work / "build").iterdir():
        if program.is_file() and os.access(program, os.X_OK):
            (folder / program.name).symlink_to(program)
    (work / "session.sh").write_text(script_of(commands), encoding="utf-8")
    environment = {"PATH": f"{work}/prefix/bin:/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8",
                   "NO_COLOR": "1"}
    shell = subprocess.Popen(["bash", work / "session.sh"], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        output, _ = shell.communicate(timeout=SESSION_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        output, _ = shell.communicate()
        output += f"\n(not done after {SESSION_SECONDS_MAX} s)\n"
    return faults_of(path, commands, output)


def faults_of(path, commands, output):
    faults = []
    answers = re.split(rf"\n{MARK} (\d+)\n", output)
    for i, command in enumerate(commands):
        said = answers[2 * i] if 2 * i < len(answers) else ""
        code = int(answers[2 * i + 1]) if 2 * i + 1 < len(answers) else None
        missing = snippets.missing_line(command.expected, said)
        if code != command.exit_code:
            faults.append(f"{path}:{command.line}: exit code {code}, not {command.exit_code}: {command.text}\n{said}")
        elif missing:
            faults.append(f"{path}:{command.line}: {command.text}\nshould show: {missing}\nbut shows:\n{said}")
        else:
            continue
        break  # what follows was meant to see the world as this command leaves it
    return faults


def prove_that_it_can_fail():
    """A session that does not do what its page says must be found."""
    page = "```console\n$ echo one two\none ... two\n$ false  # exit 1\n```\n"
    commands = snippets.commands_of(snippets.blocks_of(page))
    said = [f"one or two\n\n{MARK} 0\n", f"\n{MARK} 1\n"]
    assert not faults_of("page", commands, "".join(said))
    assert faults_of("page", commands, "".join(said).replace("two", "three"))
    assert faults_of("page", commands, "".join(said).replace(f"{MARK} 1", f"{MARK} 0"))
    assert faults_of("page", commands, said[0])


def main():
    prove_that_it_can_fail()
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--build", required=True, help="a build folder to install from")
    arguments.add_argument("--tally", help='file that gets a line "passed failed skipped"')
    given = arguments.parse_args()
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    blocks = {str(p.relative_to(ROOT)): snippets.blocks_of(p.read_text(encoding="utf-8")) for p in pages}
    passed, faults = 0, []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        built, failed = build(blocks, ROOT / given.build, work)
        passed += built - len(failed)
        faults += [f"does not build: {name}" for name in failed]
        for path, page in blocks.items():
            commands = snippets.commands_of(page)
            if commands:
                found = run_session(path, commands, work)
                passed += not found
                faults += found
    print("\n".join(faults + [f"docs: {passed} passed, {len(faults)} failed"]))
    if given.tally:
        with open(given.tally, "a", encoding="utf-8") as out:
            out.write(f"{passed} {len(faults)} 0\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
