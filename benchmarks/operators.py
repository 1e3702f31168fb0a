"""Measure the operators' commands on large tables: rows a second, and peak memory.

Every command runs in a process of its own against one DynamoDB Local. The rates depend mostly on
the speed of DynamoDB Local; the memory is the important figure.

    python -m benchmarks.operators [--rows 10000 100000] [--url http://127.0.0.1:8000]
"""

from __future__ import annotations

import argparse
import base64
import os
import pickle
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from beaker.util import JsonSerializer, PickleSerializer, encoded_path

from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.table import serialize
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import make_rev
from beaker_dynamodb.ops.sessions import open_rows
from beaker_dynamodb.provisioning.spec import table_spec
from tests.servers import KEY, REGION, DynamoDBLocal

#: How many rows one BatchWriteItem takes (AWS: API_BatchWriteItem).
BATCH = 25
THREADS = 4
#: Results of up to this many lines are printed in full.
FEW = 3
#: The timeout of sessions in files, in seconds.
TIMEOUT = 3600
#: The commands; the last one deletes half of the table.
COMMANDS = (
    ("list", "--json"),
    ("count",),
    ("count", "--segments", "1"),
    ("stats",),
    ("stats", "--sample", "2000"),
    ("find", "userId=7"),
    ("purge", "--dry-run"),
    ("purge", "--segments", "4"),
    ("count",),
)


def make_table(options: dict[str, str]) -> Rows:
    """Make an empty table, and build what writes to it.

    Without TTL: DynamoDB Local deletes what has expired every ten seconds.
    """
    parsed = parse(options, "session")
    made = open_rows(parsed, connections=THREADS)
    made.table.client.call("CreateTable", table_spec(parsed).to_create_request())
    return made


def make_items(rows: Rows, first: int, now: float) -> Iterator[dict[str, Any]]:
    """Yield a batch of sessions as items: half of them expired, half of them JSON."""
    for number in range(first, first + BATCH):
        filling = {f"key{n}": secrets.token_hex(20) for n in range(8)}
        values = {"_accessed_time": now, "_creation_time": now - number, **filling}
        by = JsonSerializer() if number // 2 % 2 else PickleSerializer()
        expires = int(now) + (1800 if number % 2 else -1800)
        user = {"userId": str(number % 5000)}
        key = rows.layout.make_session_key(f"{number:08x}{secrets.token_hex(12)}")
        rev = make_rev(b"birth!", b"a token.", now - number)
        blank = Record(key, b"", rev, expires=expires, promoted=user)
        record = rows.seal(blank, base64.b64encode(by.dumps(values)))
        found = record.to_attributes(rows.schema).items()
        yield {name: serialize(value) for name, value in found} | rows.table.format_key(key)


def fill(table: Rows, count: int) -> None:
    """Write *count* rows, in threads."""
    now = time.time()

    def write(first: int) -> None:
        left: Any = [{"PutRequest": {"Item": item}} for item in make_items(table, first, now)]
        while left:
            reply = table.table.call("BatchWriteItem", {"RequestItems": {table.table.name: left}})
            left = reply.body.get("UnprocessedItems", {}).get(table.table.name, [])

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(write, range(0, count, BATCH)))


def write_files(folder: Path, rows: int) -> None:
    """Write *rows* sessions as Beaker's `file` stores them: half of them timed out."""
    now = time.time()
    for number in range(rows):
        accessed = now if number % 2 else now - 2 * TIMEOUT
        filling = {f"key{n}": secrets.token_hex(20) for n in range(8)}
        values = {"_accessed_time": accessed, "_creation_time": accessed - 60, **filling}
        text = base64.b64encode(PickleSerializer().dumps(values)).decode()
        name = f"{secrets.token_hex(12)}{number:08x}"
        place = encoded_path(
            str(folder / "container_file"), [name], ".cache", digest_filenames=False
        )
        Path(place).write_bytes(pickle.dumps({"session": text}))


def run(words: tuple[str, ...], options: dict[str, str]) -> tuple[float, float, str]:
    """Run a command; return its seconds, its peak memory in MB, and what it printed."""
    told = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    command = [sys.executable, "-m", "beaker_dynamodb", *words, *told]
    started = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(  # noqa: S603  # this very Python, and words of our own
            command, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as process,
    ):
        assert process.stdout is not None
        first, lines = [], 0
        for line in process.stdout:
            lines += 1
            first += [line.strip()] if lines <= FEW else []
        # Its own memory, before anybody else waits for it.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        complaints.seek(0)
        assert process.returncode == 0, f"{command}: {process.returncode}, {complaints.read()}"
    shown = f"{lines:,} lines" if lines > FEW else "; ".join(first)
    return time.perf_counter() - started, used.ru_maxrss / 1024, shown


def report(url: str, sizes: list[int]) -> None:
    """Print one line for each size and command."""
    print(f"{'rows':>8}  {'command':24} {'seconds':>8} {'rows/s':>8} {'peak MB':>8}  answer")
    for size in (BATCH, *sizes):
        table = "operators" + secrets.token_hex(4)
        options = {"endpoint_url": url, "table": table, "special_keys": "userId:S"}
        started = time.perf_counter()
        fill(make_table(options), size)
        filled = time.perf_counter() - started
        print(f"{size:8,}  {'(written)':24} {filled:8.1f} {size / filled:8,.0f}")
        for words in COMMANDS:
            if size == BATCH and words[0] == "find":
                continue  # it finds user 7 of 5,000 whatever the size; here it is the first
            report_command(size, " ".join(words), *run(("sessions", *words), options))
        with tempfile.TemporaryDirectory() as folder:
            write_files(Path(folder), size)
            moving = ("import", "--from", "file", "--from-option", f"data_dir={folder}")
            empty = options | {"table": f"{table}-moved", "timeout": str(TIMEOUT)}
            for more in ("--dry-run",), (), ():  # the last one finds that all are there
                report_command(size, " ".join(("import", *more)), *run((*moving, *more), empty))


def report_command(size: int, name: str, seconds: float, memory: float, shown: str) -> None:
    """Print the line of one command."""
    print(f"{size:8,}  {name:24} {seconds:8.1f} {size / seconds:8,.0f} {memory:8.0f}  {shown}")


def main() -> None:
    """Run against the given server, or one that is started for the run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--url", help="a DynamoDB Local that runs already")
    given = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": KEY}
    os.environ |= {"AWS_DEFAULT_REGION": REGION}
    with ExitStack() as stack:
        report(given.url or stack.enter_context(DynamoDBLocal()).url, given.rows)


if __name__ == "__main__":
    main()
