"""`python -m tests.other_servers [NAME...]`: the contract, stories and budgets on each server.

The names are `moto`, `local`, `dynalite` and `ministack`, which are started here. `aws` is AWS
itself: `DYNAMODB_URLS="aws=REGION" python -m tests.other_servers aws`. It uses the caller's
credentials, makes on-demand tables of random names, deletes them, and writes `aws-report.json`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.other_servers.emulators import start
from tests.other_servers.runs import SELECTION, Run, run
from tests.servers import Flavor

STARTED = ("moto", "local", "dynalite", "ministack")


def main() -> int:
    """Run the selection on each server, and print a table, the gaps and the failures."""
    parser = argparse.ArgumentParser(prog="python -m tests.other_servers")
    parser.add_argument("names", nargs="*", default=list(STARTED), metavar="NAME")
    parser.add_argument("--tests", nargs="+", default=list(SELECTION))
    chosen = parser.parse_args()
    print(f"{'server':<11}{'passed':>7}{'skipped':>8}{'failed':>7}{'seconds':>9}")
    failed = False
    for name in chosen.names:
        if name == "aws":
            result = run(name, os.environ, chosen.tests)
        else:
            result = run_emulator(Flavor(name), chosen.tests)
        counts = result.counts
        wrong = counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0)
        print(
            f"{name:<11}{counts.get('passed', 0):>7}{counts.get('skipped', 0):>8}{wrong:>7}"
            f"{result.seconds:>9.0f}",
            flush=True,
        )
        for gap in result.gaps:
            print(f"  skipped {gap}")
        if not result.has_passed:
            print(result.output[-20_000:])
            failed = True
    return int(failed)


def run_emulator(flavor: Flavor, tests: list[str]) -> Run:
    """Start a server, and run the tests on it."""
    with (
        tempfile.TemporaryDirectory(prefix="server-") as folder,
        start(flavor, Path(folder)) as url,
    ):
        environ = {"DYNAMODB_URLS": f"{flavor.value}={url},{flavor.value}"}
        return run(flavor.value, environ, tests)


if __name__ == "__main__":
    sys.exit(main())
