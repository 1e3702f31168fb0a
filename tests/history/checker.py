"""The laws that a history of operations on sessions keeps. Pure: operations in, violations out.

A session is a set of registers, one a key, that logouts empty. Values are unique, so that a
value says which write it comes from. Each violation holds a history, as short as it can be,
that breaks the same law alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.history.recorder import Op

LOST = "an acknowledged change is lost"
BACKWARDS = "a client reads backwards"
RISEN = "what was there before an acknowledged logout, or end from elsewhere, is readable after it"
PHANTOM = "a value is read that nobody wrote to this session"
MOVED = "a client was sent into another session"


@dataclass(frozen=True, slots=True)
class Violation:
    """A law that is broken, and the operations that break it."""

    law: str
    ops: tuple[Op, ...]
    key: str = ""

    def __str__(self) -> str:
        begin = min(op.started for op in self.ops)
        lines = [_line(op, begin) for op in sorted(self.ops, key=lambda op: op.started)]
        return "\n".join([f"{self.law}: session {self.ops[0].session}, key {self.key!r}", *lines])


def _line(op: Op, begin: int) -> str:
    what = f"{op.kind} {op.key}={op.value}" if op.kind == "write" else op.kind
    when = f"{(op.started - begin) / 1e6:10.1f} .. {(op.ended - begin) / 1e6:10.1f} ms"
    seen = "nothing" if not op.seen else ", ".join(f"{k}={v}" for k, v in sorted(op.seen.items()))
    return f"  {when}  {op.client:8} {what:28} {op.outcome} {op.error}  saw {seen}"


def check(ops: Iterable[Op]) -> list[Violation]:
    """Check each session by itself; the shortest violations come first."""
    sessions: dict[str, list[Op]] = defaultdict(list)
    for op in sorted(ops, key=lambda op: (op.started, op.ended)):
        sessions[op.session].append(op)
    found = [wrong for history in sessions.values() for wrong in _Session(history).violations()]
    return sorted(found, key=lambda wrong: (len(wrong.ops), wrong.ops[-1].ended))


class _Session:
    """One session's history."""

    def __init__(self, ops: Sequence[Op]) -> None:
        self.ops = ops
        self.logouts = [op for op in ops if op.kind in {"logout", "end"}]
        self.writes = [op for op in ops if op.kind == "write"]
        self.writer = {(op.key, op.value): op for op in self.writes}
        # A write is a look, too: its page has seen the session. So is a logout.
        self.looks = [op for op in ops if op.seen is not None and op.acknowledged]
        self.keys = sorted({op.key for op in self.writes})

    def violations(self) -> Iterator[Violation]:
        yield from (Violation(MOVED, (op,)) for op in self.ops if op.moved)
        phantoms = list(self._phantoms())
        yield from phantoms
        if not phantoms:  # else a value has no writer to reason about
            yield from self._lost()
            yield from self._backwards()
            yield from self._risen()

    def _phantoms(self) -> Iterator[Violation]:
        """A value that is read was written to this session, by an operation that started before."""
        for look in self.looks:
            for key, value in (look.seen or {}).items():
                writer = self.writer.get((key, value))
                if writer is None:
                    yield Violation(PHANTOM, (look,), key)
                elif writer.started > look.ended:
                    yield Violation(PHANTOM, (writer, look), key)

    def _lost(self) -> Iterator[Violation]:
        """After an acknowledged change its value is read, or one that may be newer.

        If a logout may have followed the change, nothing may be read.
        """
        acknowledged = [op for op in self.writes if op.acknowledged]
        for look in self.looks:
            for write in acknowledged:
                if write.ended >= look.started:
                    continue
                writer = self._read(look, write.key)
                if writer is None:
                    if not self._may_be_logged_out(write, look):
                        yield Violation(LOST, (write, look), write.key)
                elif writer.surely_before(write):
                    yield Violation(LOST, (writer, write, look), write.key)

    def _backwards(self) -> Iterator[Violation]:
        """A client that has read a value never reads an older one afterwards."""
        for client in sorted({op.client for op in self.ops}):
            for key in self.keys:
                yield from self._backwards_of(client, key)

    def _backwards_of(self, client: str, key: str) -> Iterator[Violation]:
        """Follow one client's looks at one key; its own acknowledged change is one of them."""
        passed: dict[str, Op] = {}
        last: tuple[Op | None, Op | None] = (None, None)
        for look, writer in self._views(client, key):
            before, at = last
            if writer is None:
                if before and at and not self._may_be_logged_out(before, look):
                    yield Violation(BACKWARDS, _distinct(before, at, look), key)
                continue
            if before and at and writer is not before:
                if writer.surely_before(before):
                    yield Violation(BACKWARDS, _distinct(writer, before, at, look), key)
                elif writer.value in passed:
                    once = passed[writer.value]
                    yield Violation(BACKWARDS, _distinct(writer, before, once, at, look), key)
                passed[before.value] = at
            last = writer, look

    def _views(self, client: str, key: str) -> Iterator[tuple[Op, Op | None]]:
        for op in self.ops:
            if op.client != client or not op.acknowledged:
                continue
            if op.seen is not None:
                yield op, self._read(op, key)
            if op.kind == "write" and op.key == key and not self._may_be_logged_out(op, op):
                yield op, op

    def _risen(self) -> Iterator[Violation]:
        """A value from before an acknowledged logout is not read after it.

        Nor is a value of a page that had read such values, because it started before the logout.
        """
        for logout in self.logouts:
            if not logout.acknowledged:
                continue
            old = self._before(logout)
            for look in self.looks:
                if look.started <= logout.ended:
                    continue
                for key, value in (look.seen or {}).items():
                    if (key, value) in old:
                        chain = old[key, value]
                        yield Violation(RISEN, _distinct(*chain, logout, look), key)
                        break

    def _before(self, logout: Op) -> dict[tuple[str, str], tuple[Op, ...]]:
        """Gather the values of the life that ended with this logout, each with its witnesses."""
        old: dict[tuple[str, str], tuple[Op, ...]] = {
            (op.key, op.value): (op,) for op in self.writes if op.surely_before(logout)
        }
        grew = True
        while grew:
            grew = False
            for op in self.writes:
                if (op.key, op.value) in old:
                    continue
                for pair in (op.seen or {}).items():
                    if pair in old:
                        old[op.key, op.value] = (*old[pair], op)
                        grew = True
                        break
        return old

    def _read(self, look: Op, key: str) -> Op | None:
        """Return the write whose value a look found under a key."""
        value = (look.seen or {}).get(key)
        return None if value is None else self.writer[key, value]

    def _may_be_logged_out(self, write: Op, look: Op) -> bool:
        """Return whether a logout may have come between a change and a read."""
        return any(
            out.started < look.ended and not out.surely_before(write) for out in self.logouts
        )


def _distinct(*ops: Op) -> tuple[Op, ...]:
    return tuple(dict.fromkeys(ops))
