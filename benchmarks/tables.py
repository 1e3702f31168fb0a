"""Format the tables of docs/performance.md, and one of README.md, from recorded runs.

Pure: a recorded run in, Markdown out. `docs/print.py` writes the tables between their markers, and
a test compares them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.recorded import Record, read

BARE = "boto3 client, bare"
KILOBYTE = 1_000
#: The stores that README compares: their names in the records of `peers` and of `cost`.
COMPARED: Mapping[str, tuple[str, str]] = {
    "beaker_dynamodb": ("ours, wire, pickle", "ours, every default"),
    "connect-dynamodb": ("connect-dynamodb (Node), json", "connect-dynamodb"),
    "Flask-Session": ("Flask-Session, msgpack", "Flask-Session"),
    "Beaker's `ext:redis`": ("Beaker ext:redis, pickle", ""),
    "pyramid-dynamodb-sessions": ("pyramid-dynamodb-sessions, json", "pyramid-dynamodb-sessions"),
}


def _format_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; its first column is aligned left, the others right."""
    names = list(head)
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _format_source(found: Record, more: str = "") -> str:
    """Return the line below a table: when, where and how it was measured."""
    return f"\nMeasured on {found['date']}: {found['machine']}; {found['how']}{more}.\n"


def format_size(size: str) -> str:
    """Format a size: 300 B, 1.5 KB, 40 KB."""
    number = int(size)
    return f"{number} B" if number < KILOBYTE else f"{number / KILOBYTE:g} KB"


def _format_ratio(row: Mapping[str, Any]) -> str:
    ratio = row["ratio"]
    return f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"


def _format_peers(action: str) -> str:
    """Return CPU times as ratios to the bare client, one column for each size."""
    found = read("peers")
    sizes = found["sizes"]
    names = next(iter(sizes.values()))[action]
    rows = [
        [
            name,
            *(
                _format_ratio(each[action][name]) if name in each[action] else ""
                for each in sizes.values()
            ),
        ]
        for name in names
    ]
    return _format_table(["CPU time", *map(format_size, sizes)], rows) + _format_source(found)


def format_peers_load() -> str:
    """Return the CPU time of a load, compared with the bare client."""
    return _format_peers("load")


def format_peers_save() -> str:
    """Return the CPU time of a save, compared with the bare client."""
    return _format_peers("save")


def format_peers_stored() -> str:
    """Return bytes and units of one load and one save, one column for each size."""
    found = read("peers")
    sizes = found["sizes"]
    names = next(iter(sizes.values()))["load"]

    def cell(size: Record, name: str) -> str:
        if name not in size["load"]:
            return ""
        load, save = size["load"][name], size["save"][name]
        text = f"{load['stored']:,}"
        if load["charges"]:
            text += f"; {load['charges']['read_units']:g} + {save['charges']['write_units']:g}"
        return text

    rows = [[name, *(cell(size, name) for size in sizes.values())] for name in names]
    return _format_table(
        ["bytes; units read + written", *map(format_size, sizes)], rows
    ) + _format_source(found)


def format_peers_time() -> str:
    """Return microseconds at 1.5 KB: CPU and wall time of a load and a save."""
    found = read("peers")
    size = found["sizes"]["1500"]
    columns = [(action, kind) for action in ("load", "save") for kind in ("cpu", "wall")]
    rows = [
        [name, *(f"{size[action][name][kind]['median']:.0f}" for action, kind in columns)]
        for name in size["load"]
    ]
    head = ["microseconds, 1.5 KB", *(f"{action}, {kind}" for action, kind in columns)]
    return _format_table(head, rows) + _format_source(found)


def format_comparison() -> str:
    """Return README's figures of five stores, one column for each, at 1.5 KB."""
    found = read("peers")
    cost = read("cost")
    size, visits = found["sizes"]["1500"], cost["sizes"]["1500"]
    loads, saves = (
        [size[action][peer] for peer, _ in COMPARED.values()] for action in ("load", "save")
    )

    def row(name: str, kind: str) -> list[str]:
        pairs = zip(loads, saves, strict=True)
        cells = (
            f"{load[kind]['median']:,.0f} / {save[kind]['median']:,.0f}" for load, save in pairs
        )
        return [name, *cells]

    rows = [
        row("CPU time of a load / a save, µs", "cpu"),
        row("wall time of a load / a save, µs", "wall"),
        ["bytes stored", *(f"{load['stored']:,}" for load in loads)],
        [
            "DynamoDB's price of a million requests",
            *(f"${visits[c]['dollars']:.2f}" if c else "none" for _, c in COMPARED.values()),
        ],
    ]
    more = f"; the price on {cost['date']}, at list prices of {cost['prices']['as_of']}"
    return _format_table(["a session of 1.5 KB", *COMPARED], rows) + _format_source(found, more)


def format_overhead() -> str:
    """Return the manager's load and save, compared with the bare client, by transport and size."""
    found = read("overhead")
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in found["rows"]:
        line = cells.setdefault((row["transport"], format_size(str(row["size"]))), {})
        line[row["action"]] = _format_ratio(row)
    rows = [
        [transport, size, *(each[action] for action in ("load", "save", "fast", "plain"))]
        for (transport, size), each in cells.items()
    ]
    head = ["transport", "session", "load", "save", "`compress = fast`", "`compress = false`"]
    return _format_table(head, rows) + _format_source(found)


def format_wire(name: str = "wire") -> str:
    """Return loads and saves over the wire: CPU time, and ratios to ext:redis and to boto3.

    Args: *name* of the recorded run: `wire`, or one of its options, such as `wire_tls`.
    """
    found = read(name)
    rows = [
        [
            case["action"],
            format_size(str(case["size"])),
            row["name"],
            f"{row['cpu']['median']:.0f}",
            *(_format_ratio({"ratio": row[other]}) for other in ("ext:redis", "boto3")),
        ]
        for case in found["cases"]
        for row in case["rows"]
        if row["name"].startswith("ours")
    ]
    head = ["", "session", "options", "µs of CPU", "beside `ext:redis`", "beside bare boto3"]
    more = "; redis-py 8.1 without hiredis; medians, and quartiles in parentheses"
    return _format_table(head, rows) + _format_source(found, more)


def format_cost() -> str:
    """Return dollars for a million requests, one column for each size, and units at 1.5 KB."""
    found = read("cost")
    sizes = found["sizes"]
    rows = []
    for name, row in sizes["1500"].items():
        units = f"{row['read_units']:g} + {row['write_units']:g}"
        rows.append([name, units, *(_format_dollars(name, size) for size in sizes.values())])
    head = ["$ for a million requests", "units at 1.5 KB", *map(format_size, sizes)]
    prices = found["prices"]
    more = f"; list prices of {prices['as_of']}, on demand, us-east-1: $ {prices['read']} for a"
    more += f" million read units, $ {prices['write']} for a million write units"
    return _format_table(head, rows) + _format_source(found, more)


def _format_dollars(name: str, size: Record) -> str:
    """Return a store's dollars, and its share of connect-dynamodb's."""
    if name not in size:
        return ""
    dollars, beside = size[name]["dollars"], size["connect-dynamodb"]["dollars"]
    return f"{dollars:.2f} ({dollars / beside:.0%})"


def format_scale() -> str:
    """Return requests a second, and CPU time of a request, by connections and by rows."""
    found = read("scale")
    rows = [
        [
            f"{row['rows']:,}",
            f"{row['connections']}",
            *(
                f"{row[kind]['median']:,.0f} ({row[kind]['low']:,.0f} to {row[kind]['high']:,.0f})"
                for kind in ("rate", "app", "database")
            ),
        ]
        for row in found["connections"] + found["rows"]
    ]
    head = ["rows in the table", "connections", "requests a second"]
    head += ["application, CPU µs", "DynamoDB Local, CPU µs"]
    return _format_table(head, rows) + _format_source(found)


def format_worker() -> str:
    """Return requests a second of one gunicorn worker, and its CPU time, beside ext:redis."""
    found = read("worker")
    rows = [
        [
            f"{page}, {row['name']}",
            f"{row['rate']['median']:,.0f}",
            _format_ratio({"ratio": row["rate ratio"]}),
            f"{row['cpu']['median']:,.0f}",
            _format_ratio({"ratio": row["cpu ratio"]}),
        ]
        for page, each in found["pages"].items()
        for row in each
    ]
    head = ["page", "requests a second", "beside `ext:redis`", "CPU µs of the worker"]
    return _format_table([*head, "beside `ext:redis`"], rows) + _format_source(found)


def format_large() -> str:
    """Return what a large session takes, with its chunks one by one and at once."""
    found = read("large")
    rows = [
        [
            f"{action}, {delay} ms a call",
            *(f"{row[way]['median']:,.0f}" for way in ("one by one", "at once")),
            _format_ratio(row),
            _format_ratio({"ratio": row["wall to CPU"]}),
            f"{found['memory'][action]:.1f}",
        ]
        for delay, actions in found["times"].items()
        for action, row in actions.items()
    ]
    head = ["", "one by one, ms", "four at once, ms", "ratio", "to its CPU time", "peak of memory"]
    return _format_table(head, rows) + _format_source(found)


def format_startup() -> str:
    """Return what a new process takes until it has imported, and until its first response."""
    found = read("startup")
    rows = [
        [
            name,
            f"{row['cpu']['median']:.0f} ({row['cpu']['low']:.0f} to {row['cpu']['high']:.0f})",
            f"{row['wall']['median']:.0f}",
            f"{row['megabytes']['median']:.0f}",
        ]
        for name, row in found["rows"].items()
    ]
    cpu, wall = (
        f"{added['median']:.0f} ({added['low']:.0f} to {added['high']:.0f})"
        for added in (found["added"]["cpu"], found["added"]["wall"])
    )
    rows.append(["what ours adds unused", cpu, wall, ""])
    return _format_table(
        ["a fresh process", "CPU, ms", "wall, ms", "memory, MB"], rows
    ) + _format_source(found)
