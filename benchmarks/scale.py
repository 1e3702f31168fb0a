"""Measure the requests a second of a gunicorn, by number of connections and of rows.

Two workers with threads serve the example application. Each request loads and saves one of the
table's sessions. wrk, gunicorn and DynamoDB Local share this machine, so only the trend of a
column is meaningful. The number of rows should make no difference.

    python -m benchmarks.scale [--rows 1000 10000] [--seconds 5] [--rounds 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from beaker.session import Session, SignedCookie
from botocore.config import Config

from benchmarks import recorded
from benchmarks.driven import ROOT, make_environment, wait_for
from benchmarks.visitors import make_session
from tests.servers import DynamoDBLocal, free_port

CONNECTIONS: Final = (1, 4, 16, 64)
ROWS: Final = (1_000, 10_000, 100_000, 1_000_000)
WORKERS: Final = 2
BUSY: Final = 16  # connections while the rows are varied
SECRET: Final = "change"  # noqa: S105  # the example's own
VISITORS: Final = 1_000  # how many of the table's sessions are requested
SIZE: Final = 1_500

LUA: Final = """
local cookies = {}
for line in io.lines(os.getenv("COOKIES")) do cookies[#cookies + 1] = line end
math.randomseed(os.time())
request = function()
  wrk.headers["Cookie"] = cookies[math.random(#cookies)]
  return wrk.format("GET", os.getenv("PAGE"))
end
"""


def sign(ident: str) -> str:
    """Return the signed cookie of a session, as the example's middleware expects it."""
    cookie = SignedCookie(SECRET)
    cookie["beaker.session.id"] = ident
    return f"beaker.session.id={cookie['beaker.session.id'].coded_value}"


def fill(url: str, table: str, rows: int) -> list[str]:
    """Fill a table with *rows* sessions; return the ids of those that will be requested.

    One session is stored by the package, its row is copied under other ids.
    """
    options = {"type": "ext:dynamodb", "endpoint_url": url, "table": table, "timeout": 1800}
    first = Session({}, use_cookies=False, **options)
    first.update(make_session(SIZE), user="Ada")
    first.save()
    config = Config(max_pool_connections=4)
    client: Any = boto3.client("dynamodb", endpoint_url=url, config=config)
    item = client.get_item(TableName=table, Key={"id": {"S": f"sess:{first.id}"}})["Item"]
    item["expires"] = {"N": str(int(time.time()) + 86_400)}

    def put(count: int) -> list[str]:
        idents = [secrets.token_hex(16) for _ in range(count)]
        puts = [{"PutRequest": {"Item": {**item, "id": {"S": f"sess:{i}"}}}} for i in idents]
        left = client.batch_write_item(RequestItems={table: puts})["UnprocessedItems"]
        assert not left
        return idents

    counts = [25] * (rows // 25)
    found: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        for idents in pool.map(put, counts):
            if len(found) < VISITORS:
                found += idents
    return found[:VISITORS]


@contextmanager
def gunicorn(
    application: str, options: Mapping[str, Any], workers: int = WORKERS
) -> Iterator[GunicornSite]:
    """Serve an application on a loopback port; at the end stop this master and its workers.

    Args: *options* of its session, for `benchmarks.served`.
    """
    port = free_port()
    words = [sys.executable, "-m", "gunicorn", application]
    words += ["--bind", f"127.0.0.1:{port}", "--workers", str(workers)]
    words += ["--worker-class", "gthread", "--threads", "16", "--keep-alive", "60"]
    environ = {**os.environ, "BENCHMARK_SESSION": json.dumps({**options, "secret": SECRET})}
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile() as log:
        master = subprocess.Popen(words, cwd=ROOT, env=environ, stdout=log, stderr=log)  # noqa: S603  # a list of words
        try:
            wait_for(port)
            (Path(name) / "ask.lua").write_text(LUA)
            yield GunicornSite(port, master.pid, Path(name))
        finally:
            master.terminate()
            master.wait(timeout=60)


@dataclass(frozen=True, slots=True)
class GunicornSite:
    """A gunicorn: its port, its master's process id, and a folder for the files of wrk."""

    port: int
    master: int
    folder: Path

    def write_cookies(self, idents: Sequence[str]) -> None:
        """Write the cookies of the sessions that wrk requests."""
        lines = "".join(f"{sign(ident)}\n" for ident in idents)
        (self.folder / "cookies.txt").write_text(lines)

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        children = Path(f"/proc/{self.master}/task/{self.master}/children")
        return [int(word) for word in children.read_text().split()]


def cpu(pids: Sequence[int]) -> float:
    """Return the CPU seconds that these processes have used so far."""
    ticks = 0
    for pid in pids:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def run_wrk(
    served: GunicornSite,
    connections: int,
    seconds: int,
    database: Sequence[int] = (),
    page: str = "/",
) -> dict[str, float]:
    """Run wrk for *seconds*; no response may be an error.

    Args: the process ids of the *database*; the *page* that is requested.
    Returns: requests a second, and microseconds of CPU a request, the application's and the
    database's; on a busy machine these say more.
    """
    words = [shutil.which("wrk") or "wrk", f"-t{min(2, connections)}", f"-c{connections}"]
    words += [f"-d{seconds}s", "--timeout", "20s", "-s", str(served.folder / "ask.lua")]
    environ = {**os.environ, "COOKIES": str(served.folder / "cookies.txt")}
    environ["PAGE"] = page
    groups = {"app": served.workers(), "database": database}
    before = {name: cpu(pids) for name, pids in groups.items()}
    done = subprocess.run(  # noqa: S603  # a list of words
        [*words, f"http://127.0.0.1:{served.port}/"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 60,
    )
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"some requests failed:\n{done.stdout}")
    count = re.search(r"(\d+) requests in", done.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert count is not None, done.stdout
    assert rate is not None, done.stdout
    made = max(1, int(count[1]))
    took = {name: (cpu(pids) - before[name]) / made * 1e6 for name, pids in groups.items()}
    return {"rate": float(rate[1]), **took}


def serve_tables(stack: ExitStack, url: str, rows: Sequence[int]) -> dict[int, GunicornSite]:
    """Fill a table for each number of rows, and start a gunicorn for each."""
    there = {}
    for count in rows:
        table, started = f"scale-{count}", time.perf_counter()
        idents = fill(url, table, count)
        print(f"{count:,} rows in {time.perf_counter() - started:.0f} s", flush=True)
        options = {"endpoint_url": url, "table": table}
        there[count] = stack.enter_context(gunicorn("benchmarks.served:application", options))
        there[count].write_cookies(idents)
    return there


def measure(
    runs: Sequence[tuple[int, int]],
    rounds: int,
    ask: Callable[[int, int], dict[str, float]],
) -> list[dict[str, Any]]:
    """Measure each `(rows, connections)` once a round, after a round of warm-up."""
    found: dict[tuple[int, int], list[dict[str, float]]] = {run: [] for run in runs}
    for number in range(rounds + 1):
        for run in runs if number % 2 else runs[::-1]:
            one = ask(*run)
            if number:
                found[run].append(one)
    return [
        {"rows": rows, "connections": connections}
        | {kind: recorded.summarize([one[kind] for one in each]) for kind in each[0]}
        for (rows, connections), each in found.items()
    ]


def main() -> None:
    """Start the servers, fill the tables, measure, and stop the servers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    recorded.add_option(parser)
    chosen = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing; it is Debian's package wrk")
    os.environ.update(make_environment())
    with ExitStack() as stack:
        local = stack.enter_context(DynamoDBLocal())
        there = serve_tables(stack, local.url, chosen.rows)

        def ask(rows: int, connections: int) -> dict[str, float]:
            return run_wrk(there[rows], connections, chosen.seconds, [local.process.pid])

        by_connections = [(chosen.rows[0], c) for c in chosen.connections]
        found = {
            "connections": measure(by_connections, chosen.rounds, ask),
            "rows": measure([(r, BUSY) for r in chosen.rows], chosen.rounds, ask),
        }
    print(f"\n{'rows':>9} {'connections':>11} {'requests/s':>10}  10% .. 90%   CPU us a request:")
    for row in found["connections"] + found["rows"]:
        rate = row["rate"]
        print(
            f"{row['rows']:9,} {row['connections']:11} {rate['median']:10.0f}"
            f"  {rate['low']:4.0f} .. {rate['high']:4.0f}"
            f"  app {row['app']['median']:6.0f}, database {row['database']['median']:6.0f}"
        )
    how = f"{chosen.rounds} rounds of {chosen.seconds} seconds, {WORKERS} workers of 16 threads"
    recorded.write(chosen.json, how, found)


if __name__ == "__main__":
    main()
