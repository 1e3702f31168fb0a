"""Measure the CPU time of a load and a save over the wire, beside Beaker's ext:redis.

All contenders are in this one process and take turns of a few calls, in an order that is drawn for
each round: two processes of the same program differ by more than what is compared. The CPU time is
that of this process, of user and system; the servers are other processes. DynamoDB is a server that
answers from memory (`canned.py`), Redis a real one.

    python -m benchmarks.wire [--rounds 120] [--sizes 300 1500] [--threads 16] [--tls] [--fast]

The packages of the extra `fast` are hidden, unless `--fast` is given. With `--tls`, nginx
stands before the server from memory, and Redis speaks TLS itself.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import boto3
from beaker.session import Session

from benchmarks import recorded
from benchmarks.canned import serve_canned
from benchmarks.driven import make_environment, redis_server
from benchmarks.visitors import SIZES, make_session
from tests.tls import TlsFront

Action = Callable[[], object]
#: A contender's load and save.
Pair = tuple[Action, Action]
#: The calls of one turn.
CALLS: Final = 12
#: The rounds before the first that counts.
WARM_UP: Final = 5
BARE, REDIS, FAST = "boto3 client, bare", "Beaker ext:redis", "ours, compress = fast"
TABLE: Final = "sessions"
OURS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ours": {},
    FAST: {"compress": "fast"},
    "ours, compress = false": {"compress": False},
}
#: Whose figures are compared with whose.
COMPARED: Final = {REDIS: "ext:redis", BARE: "boto3"}


def make_beaker_pair(options: Mapping[str, Any], size: int) -> Pair:
    """Store a session; return its load and its save, each under Beaker's own Session."""

    def open_session(ident: str | None) -> Any:
        return Session({}, id=ident, use_cookies=False, timeout=1800, **options)

    first = open_session(None)
    first.update(make_session(size))
    first.save()
    held = open_session(first.id)

    def load() -> None:
        assert open_session(first.id)["language"] == "de-DE"

    def save() -> None:
        held["visits"] += 1
        held.save()

    return load, save


def make_bare_pair(options: Mapping[str, Any], size: int) -> Pair:
    """Return boto3's transfers of the item that ours stores; nothing is opened or compared."""
    client = boto3.client("dynamodb", endpoint_url=options["endpoint_url"])
    stored = Session({}, use_cookies=False, timeout=1800, **options)
    stored.update(make_session(size))
    stored.save()
    key = {"id": {"S": f"sess:{stored.id}"}}

    def load() -> Any:
        return client.get_item(TableName=TABLE, Key=key, ConsistentRead=True)["Item"]

    item = load()
    return load, lambda: client.put_item(TableName=TABLE, Item=item)


def list_contenders(
    url: str, redis: str | None, only: Sequence[str]
) -> dict[str, Callable[[int], Pair]]:
    """Return who takes part: all, or those whose name holds one of the words, and the compared."""
    ours = {"type": "ext:dynamodb", "endpoint_url": url, "table": TABLE, "transport": "wire"}
    found: dict[str, Callable[[int], Pair]] = {
        name: partial(make_beaker_pair, {**ours, **more}) for name, more in OURS.items()
    }
    found[BARE] = partial(make_bare_pair, ours)
    if redis:
        options = {"type": "ext:redis", "url": redis}
        found[REDIS] = partial(make_beaker_pair, options)
    if find_spec("isal") is None:
        del found[FAST]
    kept = (*only, *COMPARED) if only else ("",)
    return {name: make for name, make in found.items() if any(word in name for word in kept)}


@contextmanager
def start_servers(*, tls: bool) -> Iterator[tuple[str, str | None]]:
    """Run both servers; yield their URLs, None for Redis if it is not installed."""
    with ExitStack() as stack:
        url = stack.enter_context(serve_canned())
        if not tls:
            port = stack.enter_context(redis_server())
            yield url, f"redis://127.0.0.1:{port}/0" if port else None
            return
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="wire-")))
        front = stack.enter_context(TlsFront(url, folder))
        os.environ["AWS_CA_BUNDLE"] = str(front.bundle)
        port = stack.enter_context(redis_server(folder / "good.pem", front.bundle))
        redis = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={front.bundle}"
        yield front.url(), redis if port else None


def hide_extra() -> None:
    """Hide the packages of the extra `fast` from the first import of ours, which looks for them."""
    assert "beaker_dynamodb" not in sys.modules
    for name in ("isal", "pybase64"):
        sys.modules[name] = None  # type: ignore[assignment]  # for import, such a package is missing


def measure_cpu(actions: Sequence[Action], pool: ThreadPoolExecutor) -> float:
    """Return the microseconds of CPU time of one call; each action is repeated in a thread."""

    def repeat(action: Action) -> None:
        for _ in range(CALLS):
            action()

    started = time.process_time()
    if len(actions) == 1:
        repeat(actions[0])
    else:
        list(pool.map(repeat, actions))
    return (time.process_time() - started) / CALLS / len(actions) * 1e6


def measure(contenders: Mapping[str, Sequence[Action]], rounds: int) -> dict[str, list[float]]:
    """Time each contender once a round; *contenders* have an action for each thread."""
    names, found = list(contenders), {name: list[float]() for name in contenders}
    order = random.Random(1)  # noqa: S311  # not used for secrets
    with ThreadPoolExecutor(len(contenders[names[0]])) as pool:
        for number in range(-WARM_UP, rounds):
            order.shuffle(names)
            for name in names:
                took = measure_cpu(contenders[name], pool)
                if number >= 0:
                    found[name].append(took)
    return found


def summarize(values: list[float]) -> dict[str, float]:
    """Return the median and the quartiles."""
    low, median, high = statistics.quantiles(values, n=4)
    return {"median": median, "low": low, "high": high}


def compare(times: Mapping[str, list[float]]) -> Iterator[dict[str, Any]]:
    """Yield each contender's time, and its ratios to Redis and boto3, round by round."""
    for name, column in times.items():
        row: dict[str, Any] = {"name": name, "cpu": summarize(column)}
        for other, key in COMPARED.items():
            if other in times:
                ratios = [a / b for a, b in zip(column, times[other], strict=True)]
                row[key] = summarize(ratios)
        yield row


def report(found: dict[str, Any]) -> None:
    """Print one action at one size."""
    print(f"\n{found['action']}, {found['size']} bytes: CPU in microseconds, and ratios")
    for row in found["rows"]:
        ratios = (
            f"  {key} {row[key]['median']:5.2f} ({row[key]['low']:.2f} to {row[key]['high']:.2f})"
            for key in COMPARED.values()
            if key in row
        )
        print(f"  {row['name']:24} {row['cpu']['median']:7.0f} {''.join(ratios)}", flush=True)


def main() -> None:
    """Start the servers, measure each size, and stop the servers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=120)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--fast", action="store_true", help="use the packages of the extra")
    parser.add_argument("--tls", action="store_true", help="both servers speak TLS")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="names to keep")
    recorded.add_option(parser)
    chosen = parser.parse_args()
    os.environ.update(make_environment())
    if not chosen.fast:
        hide_extra()
    cases = []
    with start_servers(tls=chosen.tls) as (url, redis):
        contenders = list_contenders(url, redis, chosen.only)
        for size in chosen.sizes:
            # A session object is one request's, so each thread has its own.
            pairs = {
                n: [make(size) for _ in range(chosen.threads)] for n, make in contenders.items()
            }
            for number, action in enumerate(("load", "save")):
                actions = {name: [pair[number] for pair in pairs[name]] for name in pairs}
                rows = [*compare(measure(actions, chosen.rounds))]
                cases.append({"size": size, "action": action, "rows": rows})
                report(cases[-1])
    threads = "one thread" if chosen.threads == 1 else f"{chosen.threads} threads"
    how = f"{chosen.rounds} interleaved rounds of {CALLS} calls in {threads}"
    how += ", over TLS" if chosen.tls else ""
    how += ", with the extra `fast`" if chosen.fast else ""
    recorded.write(chosen.json, how, {"cases": cases})


if __name__ == "__main__":
    main()
