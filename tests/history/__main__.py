"""`python -m tests.history --minutes 60`: an hour of kills, and the history of all operations.

The exit code is 1 if a law of sessions was broken, or if an error was not the package's.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.history.kills import run


def main() -> int:
    """Run for so long, and print what was done and found."""
    parser = argparse.ArgumentParser(prog="python -m tests.history")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="history-") as folder:
        outcome = run(chosen.minutes * 60, chosen.seed, Path(folder))
    print(outcome)
    return int(bool(outcome.violations or outcome.foreign))


if __name__ == "__main__":
    sys.exit(main())
