#!/usr/bin/env python3
"""What Python's zoneinfo says about the zones of this folder: `python3 expected.py > expected.txt`.

`offset ZONE INSTANT SECONDS` and `local ZONE LOCAL INSTANT once|never|twice`, in seconds since 1970.
"""
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

HERE = Path(__file__).parent
EPOCH = datetime(1970, 1, 1)
FIRST, LAST = (int((datetime(year, 1, 1) - EPOCH).total_seconds()) for year in (1840, 2500))


def offset(zone, at):
    moment = EPOCH.replace(tzinfo=timezone.utc) + timedelta(seconds=at)
    return int(moment.astimezone(zone).utcoffset().total_seconds())


def change_between(zone, low, high):
    """The first instant with the offset of `high`; there is one change between the two."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(zone, middle) == offset(zone, low) else (low, middle)
    return high


def changes(zone):
    week = 7 * 86400
    for at in range(FIRST, LAST, week):
        if offset(zone, at) != offset(zone, at + week):
            yield change_between(zone, at, at + week)


def instant(zone, local):
    moment = EPOCH + timedelta(seconds=local)
    first, second = (local - int(zone.utcoffset(moment.replace(fold=fold)).total_seconds()) for fold in (0, 1))
    if first == second:
        return first, "once"
    if first < second:
        return first, "twice"
    return change_between(zone, second, first), "never"


for file in sorted(HERE.glob("*/*")):
    name = str(file.relative_to(HERE))
    chance = random.Random(name)
    with file.open("rb") as content:
        zone = ZoneInfo.from_file(content)
    found = list(changes(zone))
    chosen = sorted(set(found[:3] + found[-2:] + chance.sample(found, min(7, len(found)))))
    for at in chosen + [chance.randrange(FIRST, LAST) for _ in range(12)]:
        for instant_near in (at - 1, at):
            print("offset", name, instant_near, offset(zone, instant_near))
    for at in chosen:
        before, after = offset(zone, at - 1), offset(zone, at)
        middle = at + (before + after) // 2
        for local in sorted({at + before - 1, at + before, middle, at + after - 1, at + after}):
            print("local", name, local, *instant(zone, local))
