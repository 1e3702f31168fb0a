"""Observers: one event a call, one a save. Costs nothing while nobody observes.

An observer that raises is logged and never disturbs a request. No event holds an id or a key.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from beaker_dynamodb.runtime import on_fork, on_reset

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One call to DynamoDB, the SDK's retries included.

    `outcome` is ok, refused (a condition did not hold), throttled or unavailable; or error.
    Units are what DynamoDB says it charged, 0 where it does not say.
    """

    operation: str
    seconds: float
    read_units: float
    write_units: float
    outcome: str


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

_lock = threading.Lock()
#: Whoever reports looks here first, so that nothing is built while nobody observes.
observers: tuple[Observer, ...] = ()


def observe(observer: Observer) -> Callable[[], None]:
    """Call *observer* with each event from now on; the function returned ends that."""

    def seen(event: Event) -> None:  # one of its own, so that ending it ends no other
        observer(event)

    _swap(lambda before: (*before, seen))
    return lambda: _swap(lambda before: tuple(other for other in before if other is not seen))


def _swap(change: Callable[[tuple[Observer, ...]], tuple[Observer, ...]]) -> None:
    """Put another tuple in the place of the observers; who reports needs no lock."""
    global observers  # noqa: PLW0603  # the one place that is swapped
    with _lock:
        observers = change(observers)


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603  # a thread of the parent may have held it
    _lock = threading.Lock()


def report(event: Event) -> None:
    """Hand *event* to every observer."""
    for observer in observers:
        try:
            observer(event)
        except Exception as error:  # noqa: BLE001, PERF203  # an observer is anybody's code
            log.warning("an observer of beaker_dynamodb raised %s", type(error).__name__)


on_fork(_renew_lock)
on_reset(lambda: _swap(lambda _: ()))
