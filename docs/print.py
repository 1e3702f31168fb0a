"""Print the generated parts of the documents from the code and from recorded benchmarks.

`PYTHONPATH=. python docs/print.py` writes them. With `--check` it writes nothing, and the exit
code is 1 if a document differs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from beaker_dynamodb.config import options, sources
from beaker_dynamodb.ops import cli, prices
from beaker_dynamodb.provisioning import alarms, iam
from benchmarks import tables

DOCS = Path(__file__).parent
README = DOCS.parent / "README.md"

#: The assumptions of the cost table; the text above the table states them.
SECONDS = 30 * 86400
KILOBYTES, CHANGES, TOUCHES, REQUESTS, DAYS = 2, 0.10, 0.02, 20, 1


def format_options() -> str:
    """Return the table of all options."""
    lines = [
        "| option | default | connect-dynamodb | meaning |",
        "|---|---|---|---|",
        "| `url` | | | `dynamodb://REGION/TABLE?option=value&...`: everything in one line |",
    ]
    for name, row in options.OPTIONS.items():
        names = f"`{name}`" + (f" (`{row.alias}`)" if row.alias else "")
        lines.append(f"| {names} | {row.default_text} | {row.node} | {row.meaning} |")
    return "\n".join(lines) + "\n"


def format_policies() -> str:
    """Return the three policies for a table of sessions with default options, as sections."""
    parsed = sources.parse({"table": "sessions", "region": "eu-central-1"}, "session")
    parts = []
    for role in ("app", "deploy", "operator"):
        text = json.dumps(iam.policy(role, parsed), indent=2)
        call = f"beaker-dynamodb policy {role} -o table=sessions -o region=eu-central-1"
        parts.append(f"## `{role}`\n\n```sh\n{call}\n```\n\n```json\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def format_alarms() -> str:
    """Return the table of alarms; those that differ only in the operation share a row."""
    rows: dict[tuple[str, str, str], tuple[list[str], alarms.Metric]] = {}
    for alarm in alarms.list_alarms(options.Options()):
        metric = next(iter(alarm.metrics.values()))
        key = (metric.name, alarm.condition, alarm.reason)
        rows.setdefault(key, ([], metric))[0].append(f"`{alarm.name}`")
    lines = ["| alarm | metric | dimensions | fires | why, and why then |", "|---|---|---|---|---|"]
    for (name, condition, reason), (names, metric) in rows.items():
        dimensions = ", ".join(f"`{one}`" for one in ("TableName", *dict(metric.dimensions)))
        if name.endswith("ThrottleEvents"):
            dimensions += "; of an index also `GlobalSecondaryIndexName`"
            names.append("and one of each index")
        lines.append(f"| {', '.join(names)} | `{name}` | {dimensions} | {condition} | {reason} |")
    return "\n".join(lines) + "\n"


def format_costs() -> str:
    """Return the cost table: on-demand prices at three rates of requests."""
    assumptions = (
        f"On-demand, list prices of {prices.REGION} as of {prices.AS_OF}: ${prices.WRITES} a"
        f" million write units, ${prices.READS} a million read units, ${prices.STORAGE} a GB and"
        f" month. A session takes {KILOBYTES} KB. Each request loads it (1 read unit),"
        f" {CHANGES:.0%} change it and {TOUCHES:.0%} only move its expiry ({KILOBYTES} write units"
        f" each). A visitor makes {REQUESTS} requests, and the row is kept for {DAYS} day. A month"
        " has 30 days. The last column is the same site with a store that writes on each request."
    )
    heads = (
        *("requests a second", "read units a second", "write units a second", "reads"),
        *("writes", "storage", "a month", "writing always"),
    )
    rows = "\n".join(_format_cost(rate) for rate in (1, 100, 10_000))
    return f"{assumptions}\n\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|\n{rows}\n"


def format_month(rate: int = 100) -> str:
    """Return one row of the cost table as sentences; *rate* is in requests a second."""
    _, reads, writes, storage, total, always = _estimate_month(rate)
    return (
        f"A site with {rate:,} requests a second pays ${total:,.2f} a month: ${reads:,.2f} for"
        f" reads, ${writes:,.2f} for writes, ${storage:,.2f} for storage. With a store that writes"
        f" on each request it pays ${always:,.2f}.\n"
    )


def _format_cost(rate: int) -> str:
    """Return one row of the cost table; *rate* is in requests a second."""
    written, *dollars = _estimate_month(rate)
    figures = " | ".join(f"${amount:,.2f}" for amount in dollars)
    return f"| {rate:,} | {rate:,} | {written:,.2f} | {figures} |"


def _estimate_month(rate: int) -> tuple[float, float, float, float, float, float]:
    """Return write units a second, and dollars a month at *rate* requests a second.

    The dollars are for reads, writes and storage, for all three, and for all three if each request
    writes.
    """
    written = rate * (CHANGES + TOUCHES) * KILOBYTES
    reads, writes, always = (
        units * SECONDS / 1e6 * price
        for units, price in (
            (rate, prices.READS),
            (written, prices.WRITES),
            (rate * KILOBYTES, prices.WRITES),
        )
    )
    rows = rate / REQUESTS * DAYS * 86400
    storage = rows * KILOBYTES / 1024**2 * prices.STORAGE
    return written, reads, writes, storage, reads + writes + storage, reads + always + storage


#: The generated parts of each document.
DOCUMENTS: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    README: {"figures": tables.format_comparison, "month": format_month},
    DOCS / "options.md": {"options": format_options},
    DOCS / "commands.md": {"commands": cli.format_reference},
    DOCS / "iam.md": {"policies": format_policies},
    DOCS / "operations.md": {"alarms": format_alarms, "costs": format_costs},
    DOCS / "performance.md": {
        "peers-load": tables.format_peers_load,
        "peers-save": tables.format_peers_save,
        "peers-time": tables.format_peers_time,
        "peers-stored": tables.format_peers_stored,
        "overhead": tables.format_overhead,
        "cost": tables.format_cost,
        "scale": tables.format_scale,
        "startup": tables.format_startup,
        "large": tables.format_large,
        "wire": tables.format_wire,
        "worker": tables.format_worker,
        "wire-fast": partial(tables.format_wire, "wire_fast"),
        "wire-threads": partial(tables.format_wire, "wire_threads"),
        "wire-tls": partial(tables.format_wire, "wire_tls"),
    },
}


def render(text: str, parts: Mapping[str, Callable[[], str]]) -> str:
    """Return *text* with every generated part printed anew.

    Raises: SystemExit, if a part has no place, or two.
    """
    for name, part in parts.items():
        first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, start, rest = text.partition(first)
        _, end, after = rest.partition(last)
        if not start or not end or first in after:
            raise SystemExit(f"the document needs one place for {name!r}")
        text = f"{before}{first}\n{part()}\n{last}{after}"
    return text


def main(argv: list[str]) -> int:
    """Write the documents, or return 1 if one of them differs from what the code prints."""
    outdated = 0
    for document, parts in DOCUMENTS.items():
        before = document.read_text("utf-8")
        after = render(before, parts)
        outdated += before != after
        if "--check" not in argv:
            document.write_text(after, "utf-8")
    return int(outdated > 0) if "--check" in argv else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
