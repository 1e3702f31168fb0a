"""A process of the history check: clients that use sessions, end them, and record all of it.

Each request goes through Beaker's real middleware. Which sessions there are is said by a file
that all processes share: after a logout a slot goes on under the next id, while requests under
the old one are still on their way, or come late.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

from beaker.exceptions import BeakerWarning
from beaker.middleware import SessionMiddleware

from beaker_dynamodb import DynamoDBBackendError, StrictSession, UserSessions
from tests.history.recorder import KEYS, LATE, Entry, Recorder, draw_operation

COOKIE = "beaker.session.id"
WIDTH = 4
#: The share of the writes under StrictSession also keep the user signed in.
REMEMBERS = 0.2


@dataclass(frozen=True, slots=True)
class Orders:
    """The work of one process; it is passed as JSON in the argument."""

    process: int
    clients: int
    sessions: int
    seed: int
    seconds: float
    folder: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The orders as the argument of a process."""
        return json.dumps(asdict(self))

    @property
    def slots(self) -> Path:
        """The file with the current generation of sessions."""
        return Path(self.folder) / "slots"


class Slots:
    """How often each session was logged out: the number that its current id ends in."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def generation(self, slot: int) -> int:
        """Say which generation a slot is at."""
        return int.from_bytes(self._map[slot * WIDTH : (slot + 1) * WIDTH], "big")

    def leave(self, slot: int, generation: int) -> None:
        """Start the next generation, unless another process has done so already."""
        after = (generation + 1).to_bytes(WIDTH, "big")
        self._map[slot * WIDTH : (slot + 1) * WIDTH] = after


class Client:
    """One client: it waits for each answer before it asks again.

    Those of every other process use StrictSession. It begins a session under another id if there is
    none of this id, so their pages do nothing then.
    """

    def __init__(self, orders: Orders, number: int, slots: Slots) -> None:
        self.name = f"p{orders.process}.{number}"
        self.orders = orders
        self.slots = slots
        self.luck = random.Random(f"{orders.seed}/{self.name}")
        self.written = 0
        config = {f"session.{name}": value for name, value in orders.options.items()}
        self.is_strict = orders.process % 2 == 1
        if self.is_strict:
            config["session.session_class"] = StrictSession
        self.app = SessionMiddleware(self._answer, config)

    def run(self, until: float) -> None:
        """Make requests until a time of the monotonic clock."""
        path = Path(self.orders.folder) / f"{self.name}.jsonl"
        with path.open("w") as file:
            recorder = Recorder(self.name, file, (DynamoDBBackendError,))
            while time.monotonic() < until:
                self.one(recorder)

    def one(self, recorder: Recorder) -> None:
        """Make one random request."""
        slot = self.luck.randrange(self.orders.sessions)
        generation = self.slots.generation(slot)
        if generation and self.luck.random() < LATE:
            generation -= 1
        kind, key = draw_operation(self.luck)
        self.written += kind == "write"
        value = f"{self.name}#{self.written}" if kind == "write" else ""
        session = f"s{slot}g{generation}"
        with recorder.operation(kind, session, key, value) as entry:

            def page(found: Any) -> None:
                entry.seen = {name: found[name] for name in KEYS if name in found}
                if self.luck.random() < 1 / 2:
                    time.sleep(self.luck.random() * 0.03)
                if self.is_strict and not entry.seen:  # a session of this id is not adopted
                    entry.kind = "read"
                elif kind == "write":
                    self._write(found, session, key, value)
                elif kind == "logout":
                    found.delete()

            def end(elsewhere: Any) -> None:
                elsewhere["user"] = session
                elsewhere.save()
                UserSessions(elsewhere, "user").end_others()

            if kind == "end":  # by the user's other session
                self._request(f"other-{session}", end)
            else:
                sent = self._request(session, page)
                entry.moved = self._is_moved(session, sent, entry)
        if entry.kind in {"logout", "end"}:
            self.slots.leave(slot, generation)

    def _write(self, found: Any, session: str, key: str, value: str) -> None:
        found["user"], found[key] = session, value
        if self.is_strict and self.luck.random() < REMEMBERS:
            found.remember()
        found.save()

    def _is_moved(self, session: str, sent: str | None, entry: Entry) -> bool:
        """Return whether the browser was sent into another session than its own."""
        had_none = self.is_strict and not entry.seen
        return sent is not None and sent != session and not had_none

    def _request(self, session: str, page: Callable[[Any], None]) -> str | None:
        """Bring the session's cookie, and return the id in the cookie that is sent back."""
        environ: dict[str, Any] = {"HTTP_COOKIE": f"{COOKIE}={session}", "test.page": page}
        setup_testing_defaults(environ)
        sent: list[tuple[str, str]] = []
        self.app(environ, lambda status, headers, exc_info=None: sent.extend(headers))
        cookies = [SimpleCookie(value) for name, value in sent if name.lower() == "set-cookie"]
        return cookies[0][COOKIE].value if cookies else None

    @staticmethod
    def _answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["test.page"](environ["beaker.session"])
        start_response("200 OK", [])
        return []


def main(orders: Orders) -> None:
    """Say "ready", wait for a line, and let the clients run."""
    warnings.simplefilter("ignore", BeakerWarning)
    slots = Slots(orders.slots)
    clients = [Client(orders, number, slots) for number in range(orders.clients)]
    with contextlib.suppress(DynamoDBBackendError):  # imports boto3, and makes the client
        clients[0]._request("warm", lambda session: session.get("a"))
    print("ready", flush=True)
    sys.stdin.readline()
    until = time.monotonic() + orders.seconds
    threads = [threading.Thread(target=client.run, args=(until,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(Orders(**json.loads(sys.argv[1])))
