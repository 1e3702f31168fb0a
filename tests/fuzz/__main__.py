"""`python -m tests.fuzz [TARGET...]`: a million mutations and 20,000 examples of each target.

The exit code is 1 if a fault was found. The input of each fault is printed in base64; a fault that
is fixed is kept in `seeds.json`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys

from tests.fuzz.runs import run_all
from tests.fuzz.targets import TARGETS

MUTATIONS, EXAMPLES = 1_000_000, 20_000


def main() -> int:
    """Run the targets, and print a table and the faults."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--mutations", type=int, default=MUTATIONS)
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {list(TARGETS)}")
    print(f"seed {chosen.seed}", flush=True)
    print(f"{'target':<11}{'inputs':>10}{'read':>10}{'CPU s':>8}{'slowest s':>11}{'MB':>5}  faults")
    found = False
    for report in run_all(
        chosen.targets, chosen.mutations, chosen.examples, chosen.seed, chosen.workers
    ):
        print(
            f"{report.target:<11}{report.inputs:>10,}{report.read:>10,}{report.cpu:>8.0f}"
            f"{report.slowest:>11.3f}{report.peak_mb:>5}  {len(report.faults)}",
            flush=True,
        )
        for fault in report.faults.values():
            print(f"  {fault.count} times {fault.error} at {fault.place}: {fault.input}")
            found = True
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
