"""Read and write the recorded runs, JSON files from which all tables and figures are printed.

A file holds the day and a description of the machine, never the machine's name.
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
    """Describe this machine without its name."""
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
    """Return the median of some measurements, and the limits of their middle 80 %."""
    ordered = sorted(values)
    tenth = len(ordered) // 10
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return {"median": median, "low": ordered[tenth], "high": ordered[-1 - tenth]}


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add the option `--json`, the file for the results."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")


def write(path: Path | None, how: str, found: Record) -> None:
    """Write the results if a file was given; *how* describes the counts."""
    if path is not None:
        today = dt.datetime.now(dt.timezone.utc).date().isoformat()
        document = {"date": today, "machine": describe_machine(), "how": how, **found}
        path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def read(name: str) -> Record:
    """Read `benchmarks/recorded/NAME.json`."""
    document: Record = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return document
