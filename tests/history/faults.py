"""Random faults of the calls between the servers and the table."""

from __future__ import annotations

import random
from collections import Counter

from tests.exchange import Exchange, Fault
from tests.faults.fault_kinds import (
    Delay,
    Duplicate,
    LoseReply,
    LoseRequest,
    ResetMidReply,
    aws_error,
)
from tests.proxy import FaultProxy

#: Seconds after which a late write is applied: its caller has given up, and has sent it again.
LATE_AFTER = 1.2


class RandomFaults:
    """Breaks some of the calls, at random.

    A write that creates a row is never late: after a logout it would bring the session back, which
    is the documented gap.
    """

    def __init__(self, proxy: FaultProxy, seed: int) -> None:
        self.proxy = proxy
        self.random = random.Random(seed)
        self.met: Counter[str] = Counter()
        self.faults: list[tuple[float, Fault]] = [
            (0.020, LoseReply()),
            (0.010, LoseRequest()),
            (0.010, ResetMidReply()),
            (0.015, Duplicate()),
            (0.005, Duplicate(first=True)),
            (0.100, Delay(0.02)),
            (0.050, Delay(0.02, applied=True)),
            (0.010, aws_error("ProvisionedThroughputExceededException")),
            (0.005, aws_error("ThrottlingException")),
            (0.005, aws_error("InternalServerError", status=500)),
            (0.005, aws_error("InternalServerError", status=500, applied=True)),
        ]
        self.late = Delay(LATE_AFTER)

    def __call__(self, exchange: Exchange) -> None:
        if len(self.proxy.seen) > 1000:  # a long run remembers only the last
            self.proxy.seen.clear()
            self.proxy._past.clear()
        fault = self._fault(exchange)
        if fault is None:
            exchange.answer(exchange.forward())
            return
        self.met[type(fault).__name__] += 1
        fault(exchange)

    def _fault(self, exchange: Exchange) -> Fault | None:
        chance = self.random.random()
        replaces = exchange.body.get("ConditionExpression") == "#r = :r"
        if replaces and chance > 0.997:
            return self.late
        for share, fault in self.faults:
            chance -= share
            if chance < 0:
                return fault
        return None
