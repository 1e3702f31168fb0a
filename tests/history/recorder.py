"""Operations on sessions: what clients do, what they saw of it, and the files of such records.

Times are of the machine's monotonic clock, which all its processes share. An operation that
ended in an error has the outcome "unknown": it may have happened, or may not.
"""

from __future__ import annotations

import dataclasses
import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TextIO

#: `end` is a logout by another session of the same user.
Kind = Literal["read", "write", "logout", "end"]
Outcome = Literal["ok", "unknown"]
#: The keys that are written.
KEYS = ("a", "b", "c")
#: The shares of writes and of both kinds of logouts; the others read. And that of the requests
#: that come late, after a logout.
WRITES, LOGOUTS, ENDS, LATE = 0.5, 0.02, 0.02, 0.1


def draw_operation(generator: random.Random) -> tuple[Kind, str]:
    """Draw what a client does next, and the key if that is a write."""
    chance = generator.random()
    if chance < LOGOUTS:
        return "logout", ""
    if chance < LOGOUTS + ENDS:
        return "end", ""
    if chance < LOGOUTS + ENDS + WRITES:
        return "write", generator.choice(KEYS)
    return "read", ""


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One operation: which client did what to which session, when, and with which outcome.

    `seen` is what the page found in the session before it changed anything; None if the load
    failed. `moved` says that the reply named another session in its cookie.
    """

    client: str
    kind: Kind
    session: str
    key: str = ""
    value: str = ""
    started: int = 0
    ended: int = 0
    outcome: Outcome = "ok"
    seen: Mapping[str, str] | None = None
    moved: bool = False
    error: str = ""

    @property
    def acknowledged(self) -> bool:
        """Return whether the client got a successful response."""
        return self.outcome == "ok"

    def surely_before(self, other: Op) -> bool:
        """Return whether it certainly ended before the other started."""
        return self.acknowledged and self.ended < other.started


@dataclass(slots=True)
class Entry:
    """A running operation, and what its page has read so far.

    `kind` may become "read", if the page finds nothing to do.
    """

    kind: Kind
    seen: dict[str, str] | None = None
    moved: bool = False
    error: str = ""


@dataclass(slots=True)
class Recorder:
    """Writes one client's operations to a file, a line each, as they end."""

    client: str
    file: TextIO
    errors: tuple[type[Exception], ...] = field(default=(Exception,))

    @contextmanager
    def operation(
        self, kind: Kind, session: str, key: str = "", value: str = ""
    ) -> Iterator[Entry]:
        """Record the block's operation; an expected error makes its outcome unknown."""
        entry, outcome, started = Entry(kind), "ok", time.monotonic_ns()
        try:
            yield entry
        except self.errors as error:
            outcome, entry.error = "unknown", type(error).__name__
        ended = time.monotonic_ns()
        line = {
            "client": self.client,
            "session": session,
            "key": key,
            "value": value,
            "started": started,
            "ended": ended,
            "outcome": outcome,
            **dataclasses.asdict(entry),
        }
        self.file.write(json.dumps(line) + "\n")


def load(files: Iterable[Path]) -> list[Op]:
    """Read the records of all clients, in the order in which the operations began."""
    ops = [Op(**json.loads(line)) for file in files for line in file.read_text().splitlines()]
    return sorted(ops, key=lambda op: (op.started, op.ended))
