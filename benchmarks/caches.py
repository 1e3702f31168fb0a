"""Measure a cache's hit and miss, calls and microseconds: ext:dynamodb and Beaker's ext:redis.

Each uses its own server on this machine, a DynamoDB Local and a redis-server that are started
for the run. Rounds are interleaved. The times do not contain a network's latency.

    python -m benchmarks.caches [--rounds 20] [--calls 50]
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import botocore.client
import redis.connection
from beaker.cache import Cache

from tests.servers import DynamoDBLocal, free_port

VALUE = {
    "title": "a page",
    "rows": [{"id": n, "name": f"row {n}", "price": n * 1.5} for n in range(40)],
}


@contextmanager
def redis_server() -> Iterator[str]:
    """Start a redis-server on loopback, and stop it by its own process id."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is missing; it is Debian's package redis-server")
    port = free_port()
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)  # noqa: S603  # a list of words
    try:
        client = redis.Redis(port=port)
        for _ in range(100):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
        client.close()
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


class Counter:
    """Counts what each client sends: botocore's calls, and redis-py's commands."""

    def __init__(self) -> None:
        self.sent = 0
        self._count(botocore.client.BaseClient, "_make_api_call")
        self._count(redis.connection.AbstractConnection, "send_packed_command")

    def _count(self, owner: type, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def count_call(*args: Any, **kw: Any) -> Any:
            self.sent += 1
            return original(*args, **kw)

        setattr(owner, name, count_call)


def hit(cache: Cache) -> Callable[[], object]:
    """Return an action that reads an existing value."""
    cache.put("hit", VALUE)
    return lambda: cache.get("hit", createfunc=lambda: VALUE)


def miss(cache: Cache) -> Callable[[], object]:
    """Return an action that reads a missing value, and so creates it."""
    return lambda: cache.get(secrets.token_hex(8), createfunc=lambda: VALUE)


def measure(action: Callable[[], object], calls: int) -> float:
    """Return the microseconds of wall time that one *action* takes."""
    started = time.perf_counter()
    for _ in range(calls):
        action()
    return (time.perf_counter() - started) / calls * 1e6


def count_stored_bytes(cache: Cache, redis_url: str) -> int:
    """Return the bytes of the entry's value in the store."""
    if "dynamodb" in type(cache.namespace).__module__:
        rows = cache.namespace._store.rows  # noqa: SLF001  # to read the row itself
        key = rows.layout.make_value_key(cache.namespace.namespace, "hit")
        return len(rows.table.get(key, consistent=True).data)
    client: Any = redis.Redis.from_url(redis_url)
    sizes = [client.strlen(key) for key in client.keys("*") if key.endswith(b":hit")]
    client.close()
    return int(sizes[0])


def report(caches: dict[str, Cache], redis_url: str, rounds: int, calls: int) -> None:
    """Print a line for each store and action."""
    counter = Counter()
    print(f"{rounds} rounds of {calls} calls; microseconds of wall time a call, medians")
    print(f"{'':13} {'':5} {'calls':>5} {'us':>7}  10% .. 90%      {'stored bytes':>12}")
    for name, make in (("hit", hit), ("miss", miss)):
        actions = {store: make(cache) for store, cache in caches.items()}
        counts = {}
        for store, action in actions.items():
            action()
            counter.sent = 0
            action()
            counts[store] = counter.sent
        times: dict[str, list[float]] = {store: [] for store in actions}
        for _ in range(rounds):
            for store, action in actions.items():
                times[store].append(measure(action, calls))
        for store, found in times.items():
            found.sort()
            low, high = found[rounds // 10], found[-1 - rounds // 10]
            size = count_stored_bytes(caches[store], redis_url)
            print(
                f"{store:13} {name:5} {counts[store]:5} {statistics.median(found):7.0f}"
                f"  {low:6.0f} .. {high:6.0f} {size:12}"
            )


def main() -> None:
    """Start both servers, measure, and stop them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=50)
    chosen = parser.parse_args()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "benchmark")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    with ExitStack() as stack:
        url = stack.enter_context(DynamoDBLocal()).url
        redis_url = stack.enter_context(redis_server())
        table = "caches" + secrets.token_hex(4)
        ours = {"type": "ext:dynamodb", "endpoint_url": url, "table": table, "expire": 600}
        caches = {
            "ext:dynamodb": Cache("benchmark", **ours),
            "  lock=process": Cache("benchmark", **ours, lock="process"),
            "ext:redis": Cache("benchmark", type="ext:redis", url=redis_url, expire=600),
        }
        report(caches, redis_url, chosen.rounds, chosen.calls)


if __name__ == "__main__":
    main()
