"""Measure the requests a second of one gunicorn worker with 16 threads, beside Beaker's ext:redis.

One page reads a session, another one changes it. DynamoDB is a server that answers from memory
(`canned.py`), Redis a real one. Each round runs both stores after each other, and compares them.
On two cores wrk and the stores' servers take time from the worker, so its CPU time is measured too.

    python -m benchmarks.worker [--rounds 8] [--seconds 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

from beaker.session import Session

from benchmarks import recorded
from benchmarks.canned import serve_canned
from benchmarks.driven import make_environment, redis_server
from benchmarks.scale import GunicornSite, gunicorn, run_wrk
from benchmarks.visitors import make_session

OURS, REDIS = "ours", "Beaker ext:redis"
PAGES: Final = {"read": "/read", "change": "/"}
SIZE: Final = 1_500
THREADS: Final = 16
VISITORS: Final = 200


def serve(stack: ExitStack, options: Mapping[str, Any]) -> GunicornSite:
    """Store the visitors' sessions, and start a gunicorn with one worker."""
    idents = []
    for _ in range(VISITORS):
        one = Session({}, use_cookies=False, timeout=1800, **options)
        one.update(make_session(SIZE))
        one.save()
        idents.append(one.id)
    site = stack.enter_context(gunicorn("benchmarks.served:two_pages", options, workers=1))
    site.write_cookies(idents)
    return site


def measure(
    sites: Mapping[str, GunicornSite], page: str, rounds: int, seconds: int
) -> list[dict[str, Any]]:
    """Run each store once a round, after a round of warm-up; compare it with Redis' round."""
    order, names = random.Random(1), list(sites)  # noqa: S311  # not used for secrets
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(rounds + 1):
        order.shuffle(names)
        for name in names:
            one = run_wrk(sites[name], THREADS, seconds, page=page)
            if number:
                found[name].append(one)
    rows = []
    for name, column in found.items():
        row: dict[str, Any] = {"name": name}
        for kind, key in (("rate", "rate"), ("app", "cpu")):
            ratios = [a[kind] / b[kind] for a, b in zip(column, found[REDIS], strict=True)]
            row[key] = recorded.summarize([one[kind] for one in column])
            row[f"{key} ratio"] = recorded.summarize(ratios)
        rows.append(row)
    return rows


def main() -> None:
    """Start the servers, measure both pages, and stop the servers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=3)
    recorded.add_option(parser)
    chosen = parser.parse_args()
    for command, package in (("wrk", "wrk"), ("redis-server", "redis-server")):
        if shutil.which(command) is None:
            raise SystemExit(f"{command} is missing; it is Debian's package {package}")
    os.environ.update(make_environment())
    found = {}
    with ExitStack() as stack:
        url, port = stack.enter_context(serve_canned()), stack.enter_context(redis_server())
        ours = {"type": "ext:dynamodb", "endpoint_url": url, "table": "sessions"}
        redis = {"type": "ext:redis", "url": f"redis://127.0.0.1:{port}/0"}
        sites = {OURS: serve(stack, ours), REDIS: serve(stack, redis)}
        for name, page in PAGES.items():
            found[name] = measure(sites, page, chosen.rounds, chosen.seconds)
            for row in found[name]:
                print(
                    f"{name:7} {row['name']:17} {row['rate']['median']:6.0f} requests/s, "
                    f"{row['rate ratio']['median']:.2f} of {REDIS}; CPU of the worker "
                    f"{row['cpu']['median']:5.0f} us a request, {row['cpu ratio']['median']:.2f}",
                    flush=True,
                )
    how = f"{chosen.rounds} rounds of {chosen.seconds} seconds, {THREADS} connections"
    recorded.write(chosen.json, how, {"pages": found})


if __name__ == "__main__":
    main()
