"""The parts that both machines share: the faults, the figures, and how operations end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st

from beaker_dynamodb.errors import Conflict, Unavailable
from tests.exchange import Fault
from tests.faults.fault_kinds import LoseReply, LoseRequest, aws_error
from tests.instruments import Clock
from tests.proxy import FaultProxy

FAULTS: Final[dict[str, Fault]] = {
    "down": aws_error("InternalServerError", status=500),
    "throttled": aws_error("ProvisionedThroughputExceededException"),
    "cut before": LoseRequest(),
    "cut after": LoseReply(),
}
#: Two attempts: one fault is repeated away, two reach the application.
CLIENT: Final = {"max_attempts": 2, "connect_timeout": 3, "read_timeout": 5}
fault_names = st.sampled_from(sorted(FAULTS))
fault_counts = st.integers(min_value=1, max_value=3)


@dataclass
class Outcome:
    """How an operation ended, and which faults it met."""

    error: Exception | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        """Return whether it raised nothing."""
        return self.error is None

    @property
    def lost(self) -> bool:
        """Return whether a call was applied whose reply was cut off."""
        return any(isinstance(fault, LoseReply) for fault in self.faults)


@dataclass
class Bench:
    """What all examples of one test share: the proxy, the clock, the application, the figures."""

    proxy: FaultProxy
    clock: Clock
    make_site: Callable[[], Any]
    figures: Counter[str] = field(default_factory=Counter)
    make_old_site: Callable[[], Any] | None = None
    #: Makes values and births, each of them once in a test.
    serial: int = 0

    def draw(self, name: str) -> str:
        """Return a value that nothing else has."""
        self.serial += 1
        return f"{name}{self.serial}"

    def arm(self, name: str, times: int) -> None:
        """Let the next *times* calls meet a fault."""
        self.proxy.next(FAULTS[name], times=times)

    @contextmanager
    def operation(self, name: str) -> Iterator[Outcome]:
        """Run one operation; an outage or a conflict is an outcome, any other error is not."""
        outcome, start = Outcome(), len(self.proxy.seen)
        self.figures[name] += 1
        try:
            yield outcome
        except (Unavailable, Conflict) as error:
            outcome.error = error
        outcome.faults = [one.fault for one in self.proxy.seen[start:] if one.fault is not None]
        self.figures["faults met"] += len(outcome.faults)
        if isinstance(outcome.error, Unavailable):
            self.figures["failed"] += 1
            assert outcome.faults, f"unavailable without a fault: {outcome.error}"
