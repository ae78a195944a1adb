"""Compares the reports of the Autobahn test suite with the expected result.

judge.py EXPECTED PART FAILED REPORT_FOLDER...: PART is `all` or `ci`, whose number of cases is checked, or anything
else; FAILED is how many failures there were before. Prints a table and what differs; the last line is
`N passed, N failed`.
"""

import collections
import json
import pathlib
import sys


def main():
    expected = json.loads(pathlib.Path(sys.argv[1]).read_text())
    part, failed = sys.argv[2], int(sys.argv[3])
    passed = 0
    for folder in map(pathlib.Path, sys.argv[4:]):
        differences, good = judge(folder, expected, expected["number_of_cases"].get(part))
        for difference in differences:
            print(f"FAIL {folder.name}: {difference}")
        passed += good
        failed += len(differences)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def judge(folder, expected, number):
    """Differences in words, and how many cases are as expected."""
    try:
        results = json.loads((folder / "index.json").read_text())[folder.name]
    except (OSError, ValueError, KeyError) as error:
        return [f"no report ({error!r})"], 0
    show(folder.name, results)
    differences = []
    if number is not None and len(results) != number:
        differences.append(f"{len(results)} cases were run, {number} expected")
    wrong = 0
    for case, result in sorted(results.items(), key=lambda item: [int(part) for part in item[0].split(".")]):
        wanted = expected["exceptions"].get(case, "OK")
        got = result["behavior"], result["behaviorClose"]
        # An exception may also be OK: what it depends on is not in our hands.
        if any(behavior not in ("OK", wanted) for behavior in got):
            differences.append(f"case {case}: {got[0]}, closing {got[1]}; expected {wanted}")
            wrong += 1
    return differences, len(results) - wrong


def show(name, results):
    for key, what in (("behavior", "cases"), ("behaviorClose", "closing")):
        counts = collections.Counter(result[key] for result in results.values())
        print(f"{name}: {what}: " + ", ".join(f"{behavior} {count}" for behavior, count in sorted(counts.items())))
    times = [result["duration"] for case, result in results.items() if case.startswith("9.")]
    if times:
        print(f"{name}: the cases 9.* took {sum(times)} ms")


if __name__ == "__main__":
    sys.exit(main())
