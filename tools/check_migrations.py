#!/usr/bin/env python3
"""A migration that was released never changes: released.txt beside the migrations holds "sha256  file" for each."""
import hashlib

import checking

FOLDER = "src/store/sqlite/migrations"


def find(files):
    findings = []
    names = {path.rsplit("/", 1)[1] for path in files if path.endswith(".sql")}
    numbers = [name.split("_", 1)[0] for name in names]
    for number in sorted({n for n in numbers if numbers.count(n) > 1}):
        findings.append(f"{FOLDER}: two migrations have the number {number}")
    for line in files.get(f"{FOLDER}/released.txt", "").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        recorded, name = line.split()
        text = files.get(f"{FOLDER}/{name}")
        if text is None:
            findings.append(f"{FOLDER}/{name}: released, but gone")
        elif hashlib.sha256(text.encode()).hexdigest() != recorded:
            findings.append(f"{FOLDER}/{name}: released, but changed: write a new migration instead")
    return findings


SUM = hashlib.sha256(b"create table a;").hexdigest()
GOOD = [{f"{FOLDER}/0001_a.sql": "create table a;", f"{FOLDER}/released.txt": f"{SUM}  0001_a.sql\n"}]
BAD = [
    {**GOOD[0], f"{FOLDER}/0001_a.sql": "create table b;"},
    {f"{FOLDER}/released.txt": f"{SUM}  0001_a.sql\n"},
    {**GOOD[0], f"{FOLDER}/0001_b.sql": ""},
]

if __name__ == "__main__":
    checking.main(find, [f"{FOLDER}/*"], BAD, GOOD)
