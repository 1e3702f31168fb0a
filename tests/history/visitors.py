"""Clients that use sessions over HTTP, and record what they see and when."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

from tests.history.recorder import LATE, Recorder, draw_operation

COOKIE = "beaker.session.id"
#: The share of requests whose client hangs up.
HANG_UPS = 0.01
#: Seconds after which a visitor gives up: longer than any retry of the SDK.
PATIENCE = 60.0


class NoAnswerError(Exception):
    """A visitor does not know whether the request was applied."""


@dataclass
class Site:
    """What all visitors share: where the servers are, and how often each session has ended."""

    ports: tuple[int, ...]
    generations: list[int]
    until: float
    answers: Counter[str] = field(default_factory=Counter)
    #: Errors that are not the package's.
    foreign: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Visitor(threading.Thread):
    """One client: it waits for each answer before it asks again."""

    def __init__(self, site: Site, name: str, seed: int, folder: Path) -> None:
        super().__init__()
        self.site = site
        self.client = name
        self.path = folder / f"{name}.jsonl"
        self.rng = random.Random(f"{seed}/{name}")
        self.written = 0

    def run(self) -> None:
        """Make requests until the end."""
        with self.path.open("w") as file:
            recorder = Recorder(self.client, file, (NoAnswerError,))
            while time.monotonic() < self.site.until:
                self._visit(recorder)

    def _visit(self, recorder: Recorder) -> None:
        slot = self.rng.randrange(len(self.site.generations))
        generation = self.site.generations[slot]
        if generation and self.rng.random() < LATE:
            generation -= 1  # a request that comes late, after a logout
        kind, key = draw_operation(self.rng)
        self.written += kind == "write"
        value = f"{self.client}-{self.written}" if kind == "write" else ""
        session = f"s{slot}g{generation}"
        with recorder.operation(kind, session, key, value) as entry:
            cookie = f"other-{session}" if kind == "end" else session
            query = {"user": session, "key": key, "value": value}
            seen, sent = self._request(f"/{kind}?{urlencode(query)}", cookie)
            if kind != "end":
                entry.seen, entry.moved = seen, sent not in {None, session}
        if kind in {"logout", "end"}:
            self.site.generations[slot] = generation + 1

    def _request(self, path: str, session: str) -> tuple[dict[str, str], str | None]:
        """Return what the page has found, and the id in the cookie that is sent back."""
        port = self.rng.choice(self.site.ports)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers={"Cookie": f"{COOKIE}={session}"})
            if self.rng.random() < HANG_UPS:
                self._count("hung up")
                raise NoAnswerError
            response = connection.getresponse()
            document = json.loads(response.read())
            cookies = SimpleCookie(response.headers.get("Set-Cookie", ""))
        except (OSError, http.client.HTTPException, ValueError):
            self._count("broken")
            raise NoAnswerError from None
        finally:
            connection.close()
        if response.status != http.client.OK:
            self._count(document["error"])
            if response.status == http.client.INTERNAL_SERVER_ERROR:
                self.site.foreign[document["error"]] += 1
            raise NoAnswerError
        self._count("ok")
        sent = cookies[COOKIE].value if COOKIE in cookies else None
        return document["seen"], sent

    def _count(self, answer: str) -> None:
        with self.site.lock:
            self.site.answers[answer] += 1
