#!/usr/bin/env python3
"""Who may include whom (docs/dev/architecture.md): one folder of src/ is one layer."""
import re

import checking

# A layer sees itself, <pawl/...> and these.
MAY_SEE = {
    "core": set(),
    "store": {"core"},
    "runtime": {"core"},
    "net": {"core"},
    "agent": {"core", "runtime", "net"},
    "server": {"core", "runtime", "net", "agent"},
    "cli": {"core", "store", "runtime", "net", "agent", "server"},
}
# Headers of the outside that only these layers may see.
ONLY_IN = [
    (re.compile(r"boost/beast|boost/asio/ssl|openssl/(ssl|tls|bio)\.h"), {"net"}, "Beast and TLS"),
    (re.compile(r"sqlite3\.h|libpq-fe\.h"), {"store"}, "databases"),
    (re.compile(r"CLI/"), {"cli"}, "CLI11"),
]
# core decides; time, chance and the outside are arguments.
NOT_IN_CORE = re.compile(r"thread|mutex|condition_variable|random|fstream|filesystem|unistd\.h|sys/.*|poll\.h|boost/asio.*")
NOT_IN_CORE_CODE = re.compile(r"(system|steady|high_resolution)_clock::now|std::random_device|\bgetenv\(")
# What a user pays for with every compilation.
NOT_PUBLIC = re.compile(r"boost/(asio|json|beast).*|stop_token|core/.*|(store|runtime|net|agent|server|cli)/.*")
ADAPTERS = {"include/pawl/asio.hpp", "include/pawl/boost_json.hpp"}
SQL = re.compile(r'"\s*(select\s[^"]+\sfrom\s|insert\s+(or\s+\w+\s+)?into\s|update\s+\w+\s+set\s|delete\s+from\s|'
                 r'create\s+(unique\s+)?(table|index)\s|pragma\s+\w)', re.IGNORECASE)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def layer_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def wrong_include(path, header):
    """Why this file may not include that header, or None."""
    layer = layer_of(path)
    if path.startswith("include/"):
        if NOT_PUBLIC.fullmatch(header) and path not in ADAPTERS:
            return "a public header costs every user this one: forward declare, or move it into a .cpp"
        return None
    if path.startswith(("examples/", "bench/")):
        return "programs of users see <pawl/...> only" if header.split("/")[0] in MAY_SEE else None
    if layer not in MAY_SEE:
        return f"src/{layer} is no layer" if layer else None
    seen = header.split("/")[0]
    if seen in MAY_SEE and seen != layer and seen not in MAY_SEE[layer]:
        return f"{layer} may see {', '.join(sorted(MAY_SEE[layer])) or 'include/pawl only'}"
    for pattern, layers, what in ONLY_IN:
        if pattern.match(header) and layer not in layers:
            return f"{what}: only src/{', src/'.join(layers)} may see them"
    if layer == "core" and NOT_IN_CORE.fullmatch(header):
        return "core sees no clock, chance, thread, file or socket"
    return None


def find(files):
    findings = []
    for path, text in files.items():
        code = checking.blank(text, keep_strings=True)
        for match in INCLUDE.finditer(code):
            why = wrong_include(path, match.group(2))
            if why:
                findings.append(f"{path}:{checking.line_of(code, match.start())}: includes {match.group(2)}: {why}")
        if path.startswith("src/") and layer_of(path) != "store":
            for match in SQL.finditer(code):
                findings.append(f"{path}:{checking.line_of(code, match.start())}: SQL lives in src/store only")
        if layer_of(path) == "core":
            for match in NOT_IN_CORE_CODE.finditer(code):
                findings.append(f"{path}:{checking.line_of(code, match.start())}: {match.group(0)}: an argument in core")
    return findings


BAD = [
    {"src/core/a.cpp": '#include "runtime/engine.hpp"\n'},
    {"src/core/a.cpp": "#include <mutex>\n"},
    {"src/core/a.cpp": "auto t = std::chrono::system_clock::now();\n"},
    {"src/store/sqlite/a.cpp": '#include "runtime/engine.hpp"\n'},
    {"src/runtime/a.cpp": '#include "store/store.hpp"\n'},
    {"src/runtime/a.cpp": "#include <boost/beast/http.hpp>\n"},
    {"src/agent/a.cpp": "#include <sqlite3.h>\n"},
    {"src/agent/a.cpp": 'auto q = "select id from task";\n'},
    {"include/pawl/a.hpp": "#include <boost/json.hpp>\n"},
    {"include/pawl/a.hpp": '#include "core/time.hpp"\n'},
    {"examples/01_a/main.cpp": '#include "core/time.hpp"\n'},
]
GOOD = [
    {"src/cli/a.cpp": '#include "store/sqlite/store.hpp"\n#include <CLI/CLI.hpp>\n'},
    {"src/runtime/a.cpp": '#include "core/store.hpp"\n#include <thread>\n// #include "store/a.hpp"\n'},
    {"src/cli/a.cpp": 'auto t = "select a task from the list";\n'.replace("select", "choose")},
]

if __name__ == "__main__":
    checking.main(find, ["include/*", "src/*", "examples/*", "bench/*"], BAD, GOOD)
