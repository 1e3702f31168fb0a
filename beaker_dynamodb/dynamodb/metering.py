"""Observers of calls and saves: each gets one event for each. Costs nothing without observers.

An observer that raises is logged and never disturbs a request. No event holds an id or a key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from beaker_dynamodb.runtime import on_reset

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One call to DynamoDB, the SDK's retries included.

    `outcome` is ok, refused (a condition did not hold), throttled or unavailable; or error.
    Units are what DynamoDB reports to have charged, 0 if it reports nothing. `transport` is what
    made the call: boto3, wire, or fallback (boto3, after the wire could not make it).
    """

    operation: str
    seconds: float
    read_units: float
    write_units: float
    outcome: str
    transport: str = "boto3"


@dataclass(frozen=True, slots=True)
class Saved:
    """One save of a session.

    `plan` is leave, touch, create, replace or delete; `outcome` is left, stored, merged or
    dropped.
    """

    plan: str
    outcome: str


Event: TypeAlias = Call | Saved
Observer: TypeAlias = Callable[[Event], object]

#: Check this before building an event, so that it costs nothing without observers.
observers: list[Observer] = []


def observe(observer: Observer) -> Callable[[], None]:
    """Call *observer* with each event from now on; return a function that ends this.

    The calls for the chunks of a large value are reported from other threads, in a copy of the
    context (`contextvars`) of the request.
    """

    def notify(event: Event) -> None:  # a new object, so that only this registration ends
        observer(event)

    def end() -> None:
        with suppress(ValueError):  # it has ended, or `reset()` has ended all
            observers.remove(notify)

    observers.append(notify)
    return end


def report(event: Event) -> None:
    """Call every observer with *event*."""
    for observer in tuple(observers):  # another thread may end one meanwhile
        try:
            observer(event)
        except Exception as error:  # noqa: BLE001, PERF203  # an observer is the application's code
            log.warning("an observer of beaker_dynamodb raised %s", type(error).__name__)


on_reset(observers.clear)
