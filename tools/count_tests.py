#!/usr/bin/env python3
"""Reads ctest's JUnit report, appends "passed failed skipped" to the tally and prints why tests were skipped."""
import re
import sys
import xml.etree.ElementTree as xml


def skip_reason(case):
    """The text after a test's GTEST_SKIP(), or what ctest knows."""
    output = case.findtext("system-out") or ""
    found = re.search(r": Skipped\n(.*?)\n\s*(?:\[|$)", output, re.DOTALL)
    if found and found.group(1).strip():
        return " ".join(found.group(1).split())
    skipped = case.find("skipped")
    return skipped.get("message", "no reason given") if skipped is not None else "no reason given"


def main(report, tally):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    reasons = {}
    failed = []
    for case in xml.parse(report).getroot().iter("testcase"):
        status = case.get("status")
        if status == "run":
            counts["passed"] += 1
        elif status in ("notrun", "disabled"):
            counts["skipped"] += 1
            reasons.setdefault(skip_reason(case), []).append(case.get("name"))
        else:
            counts["failed"] += 1
            failed.append(case.get("name"))
    with open(tally, "a", encoding="utf-8") as out:
        out.write(f"{counts['passed']} {counts['failed']} {counts['skipped']}\n")
    for name in failed:
        print(f"failed: {name}")
    for reason, names in reasons.items():
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        print(f"skipped: {shown}: {reason}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
