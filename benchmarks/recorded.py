"""What a run has found, as JSON files beside this one, from which every table is printed.

A file names the day and the machine in words, never by its name; `docs/print.py` and
`figures.py` read these files, and nobody types a figure.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parent / "recorded"
Record = dict[str, Any]


def describe_machine() -> str:
    """Describe this machine in words."""
    release = Path("/etc/os-release")
    names = (
        dict(line.split("=", 1) for line in release.read_text().splitlines() if "=" in line)
        if release.exists()
        else {}
    )
    system = f"{names.get('ID', platform.system()).strip(chr(34)).capitalize()}"
    system += f" {names.get('VERSION_ID', '').strip(chr(34))}".rstrip()
    python = ".".join(platform.python_version_tuple()[:2])
    return f"{os.cpu_count()} virtual cores, {system}, Python {python}, DynamoDB Local 3.3"


def summarize(values: list[float]) -> dict[str, float]:
    """Say the median and the middle 80 % of some measurements."""
    ordered = sorted(values)
    tenth = len(ordered) // 10
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return {"median": median, "low": ordered[tenth], "high": ordered[-1 - tenth]}


def add_option(parser: argparse.ArgumentParser) -> None:
    """Give a command the option under which it writes what it found."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")


def write(path: Path | None, how: str, found: Record) -> None:
    """Write what was found, if a file was named; *how* says the counts in words."""
    if path is not None:
        today = dt.datetime.now(dt.timezone.utc).date().isoformat()
        document = {"date": today, "machine": describe_machine(), "how": how, **found}
        path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def read(name: str) -> Record:
    """Read what `benchmarks/recorded/NAME.json` holds."""
    document: Record = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return document
