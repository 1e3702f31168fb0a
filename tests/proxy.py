"""A proxy before a real DynamoDB that understands HTTP, so that it can break one request exactly.

It listens on loopback, keeps connections alive on both sides, and remembers every request. What
goes wrong is programmed with the faults of `tests/faults/fault_kinds.py`; without one it forwards.
It decides nothing about data, and when it is closed no thread, socket or hanging request is left.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition
from typing import final
from urllib.parse import urlsplit

from tests.exchange import Body, Exchange, Fault, Reply
from tests.listener import Listener


@dataclass(slots=True)
class _Program:
    fault: Fault
    operation: str | None
    where: Callable[[Body], bool]
    times: int | None

    def fits(self, exchange: Exchange) -> bool:
        same = self.operation in {None, exchange.operation}
        return same and self.times != 0 and self.where(exchange.body)


@final
class FaultProxy:
    """A fault proxy on a loopback port, used as a context manager."""

    def __init__(self, upstream: str) -> None:
        """Listen before the server at the URL `upstream`."""
        parts = urlsplit(upstream)
        self.upstream: tuple[str, int] = (parts.hostname or "", parts.port or 80)
        #: Every request, from the moment it came in.
        self.seen: list[Exchange] = []
        #: What a fault or its callback raised; the end of the `with` raises the first of them.
        self.failures: list[BaseException] = []
        self._programs: list[_Program] = []
        self._past: dict[str, list[Body | None]] = {}
        self._changed = Condition()
        self._listener: Listener | None = None
        self._port = 0
        self.mend()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, kind: object, *exc_info: object) -> None:
        self.cut()
        if self.failures and kind is None:
            raise self.failures[0]

    @property
    def url(self) -> str:
        """Where the clients are to connect."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def operations(self) -> list[str]:
        """The operations that came in, in order."""
        return [exchange.operation for exchange in self.seen]

    @property
    def pending(self) -> int:
        """How many programmed faults still wait for their request; endless ones do not count."""
        return sum(program.times or 0 for program in self._programs)

    def next(
        self,
        fault: Fault,
        *,
        operation: str | None = None,
        where: Callable[[Body], bool] = lambda body: True,
        times: int | None = 1,
    ) -> None:
        """Program a fault for the next `times` requests that fit; None: for all of them.

        A request meets the first fault that fits it, in the order in which they were programmed.
        """
        self._programs.append(_Program(fault, operation, where, times))

    def clear(self) -> None:
        """Forget the faults still programmed, and the requests seen."""
        with self._changed:
            self._programs.clear()
            self.seen.clear()

    def wait_until(self, condition: Callable[[], object], within: float = 5.0) -> None:
        """Wait for a condition on what was seen and forwarded, such as `lambda: proxy.seen`."""
        with self._changed:
            if not self._changed.wait_for(condition, within):
                raise TimeoutError(f"waited in vain; seen: {self.seen}")

    def cut(self) -> None:
        """Refuse all connections, break the open ones, and release every request that hangs."""
        if self._listener is not None:
            self._listener.end()
            self._listener = None

    #: For good: nothing of a proxy is left after a cut.
    close = cut

    def mend(self) -> None:
        """Listen again, on the same port."""
        if self._listener is None:
            self._listener = Listener(self, self._port)
            self._port = self._listener.server_port

    def admit(self, exchange: Exchange) -> Fault | None:
        """Note a request that came in, and choose its fault."""
        with self._changed:
            program = next((p for p in self._programs if p.fits(exchange)), None)
            if program is not None:
                exchange.fault = program.fault
                program.times = program.times and program.times - 1
            self.seen.append(exchange)
            self._changed.notify_all()
        return exchange.fault

    def applied(self, exchange: Exchange, reply: Reply) -> None:
        """Note that the server has answered, and remember what an item was."""
        with self._changed:
            exchange.forwarded += 1
            if exchange.operation == "GetItem" and reply.status == 200:
                past, item = self.past(exchange), reply.document.get("Item")
                if not past or past[-1] != item:
                    past.append(item)
            self._changed.notify_all()

    def past(self, exchange: Exchange) -> list[Body | None]:
        """Return what GetItem has found under the same key and projection, oldest first."""
        asked = ("TableName", "Key", "ProjectionExpression", "ExpressionAttributeNames")
        same = json.dumps([exchange.body.get(name) for name in asked], sort_keys=True)
        return self._past.setdefault(same, [])
