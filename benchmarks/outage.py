"""Measure how many seconds a page takes in an outage, for some sets of connection options.

The three outages use sockets of this machine: no server listens; a full queue drops every SYN, so
that nothing connects; a server accepts the request and never answers. The longest time that the
options permit is printed beside each measurement.

    python -m benchmarks.outage [--rounds 4]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from tests.sessions import apps

OPTIONS: tuple[Mapping[str, str], ...] = (
    {},
    {"max_attempts": "2"},
    {"max_attempts": "1"},
    {"connect_timeout": "0.5", "read_timeout": "1", "max_attempts": "2"},
)
PAGES = ("/read", "/set?user=alice")
#: botocore waits between attempts: at most 25 ms, then 50 ms (botocore/retries/standard.py).
PAUSES = 0.025


def compute_longest(outage: str, options: Mapping[str, str]) -> float:
    """Compute the seconds after which the last attempt of a call has ended."""
    attempts = int(options.get("max_attempts", "3"))
    each = {
        "refused": 0.0,
        "no connection": float(options.get("connect_timeout", "1")),
        "no answer": float(options.get("read_timeout", "2")),
    }[outage]
    pauses: float = PAUSES * (2 ** (attempts - 1) - 1)
    return attempts * each + pauses


@contextlib.contextmanager
def outages() -> Iterator[dict[str, int]]:
    """Yield the port of each outage, by name."""
    with contextlib.ExitStack() as stack:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            refused = int(closed.getsockname()[1])
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        taken: list[object] = []
        threading.Thread(target=_take, args=(silent, taken), daemon=True).start()
        yield {
            "refused": refused,
            "no connection": int(full.getsockname()[1]),
            "no answer": int(silent.getsockname()[1]),
        }


def _take(silent: socket.socket, taken: list[object]) -> None:
    with contextlib.suppress(OSError):  # closed when the run is over
        while True:
            taken.append(silent.accept())


def site(port: int, options: Mapping[str, str]) -> Any:
    """Return a browser for an application whose client was created before."""
    lines = apps.ini(f"http://127.0.0.1:{port}", "sessions")
    for name in apps.PATIENT:
        del lines[f"session.{name}"]
    lines |= {f"session.{name}": value for name, value in options.items()}
    web = apps.browser(apps.under_beaker(apps.application, lines))
    page(web, "/set?user=nobody")
    return web


def page(web: Any, path: str) -> float:
    """Request a page that needs the session; return the seconds until its error."""
    cookie = apps.with_cookie("a" * 32) if path == "/read" else {}
    began = time.monotonic()
    web.get(path, extra_environ=cookie, status=500)
    return time.monotonic() - began


def main() -> None:
    """Print one line for each set of options, outage and page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=4)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")  # Beaker's, about each load that fails
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ[name] = "benchmark"
    print(f"{rounds} pages each; seconds, shortest to longest")
    with outages() as ports:
        for options in OPTIONS:
            print(" ".join(f"{name} = {value}" for name, value in options.items()) or "defaults")
            for outage, port in ports.items():
                web = site(port, options)
                for path in PAGES:
                    took = sorted(page(web, path) for _ in range(rounds))
                    print(
                        f"  {outage:14} {path:16} {took[0]:5.2f} to {took[-1]:5.2f}"
                        f"   computed {compute_longest(outage, options):5.2f}"
                    )


if __name__ == "__main__":
    main()
