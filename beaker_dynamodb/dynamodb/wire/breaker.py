"""The circuit breaker of the wire: after some calls in a row that it could not make, it pauses.

Without it, a systematic incompatibility would cost every call one more attempt. Pure functions over
values: each takes a state and the time, and returns the next state, so that a caller that replaces
its one reference needs no lock. What two threads write at once is at worst a lost count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from beaker_dynamodb.dynamodb.responses import ERRORS
from beaker_dynamodb.errors import TableMissing, Unavailable

#: Calls in a row that boto3 had to make, after which the wire pauses.
MAX_FAILURES: Final = 5
#: Seconds of the first pause. Each further one is twice as long, up to the longest.
FIRST_PAUSE: Final = 10.0
LONGEST_PAUSE: Final = 300.0


@dataclass(frozen=True, slots=True)
class BreakerState:
    """`failures` in a row, the last for *cause*; boto3 makes all calls before *until*.

    `until` is a time of the monotonic clock, `pause` the length of the last pause in seconds.
    `is_trying`: the pause is over, and one call tries whether the wire works again.
    """

    failures: int = 0
    pause: float = 0.0
    until: float = -math.inf
    cause: str = ""
    is_trying: bool = False


CLOSED: Final = BreakerState()


def is_open(state: BreakerState, now: float) -> bool:
    """Return whether the wire pauses."""
    return now < state.until


def begin_call(state: BreakerState, now: float) -> BreakerState:
    """Return the state while a call of the wire is under way; ask `is_open` before.

    After a pause, only one call tries. All others are left to boto3 until it has ended, or, if it
    was interrupted, for as long as the last pause.
    """
    if state.pause == 0.0:
        return state
    return replace(state, until=now + state.pause, is_trying=True)


def fail(state: BreakerState, cause: str, now: float) -> BreakerState:
    """Return the state after a call that the wire could not make, for *cause*."""
    if is_open(state, now) and not state.is_trying:
        return state  # the call began before the pause
    failures = state.failures + 1
    if failures < MAX_FAILURES:
        return BreakerState(failures, cause=cause)
    pause = min(max(FIRST_PAUSE, state.pause * 2), LONGEST_PAUSE)
    return BreakerState(failures, pause, now + pause, cause)


def describe(state: BreakerState) -> str:
    """Return what the wire could not make and why, how long it pauses, and what to do."""
    advice = (
        "If boto3 can make them, this is a fault of the wire: please report this line and what"
        " `beaker-dynamodb doctor` prints."
    )
    code = state.cause.rpartition(" ")[2]
    if state.cause.startswith("HTTP 5") or ERRORS.get(code) in {TableMissing, Unavailable}:
        advice = "DynamoDB refused them, so this is no fault of the wire."
    return (
        f"{state.failures} calls in a row (the last one: {state.cause});"
        f" boto3 makes all calls for {state.pause:.0f} s. {advice}"
        " Option transport = boto3 switches the wire off."
    )
