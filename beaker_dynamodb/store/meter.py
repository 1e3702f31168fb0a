"""Observers: one event a call, one a save. Costs nothing while nobody observes.

An observer that raises is logged and never disturbs a request. No event holds an id or a key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

log = logging.getLogger(__name__)


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

_observers: tuple[Observer, ...] = ()


def observe(observer: Observer) -> Callable[[], None]:
    """Call *observer* with each event from now on; the function returned ends that."""
    global _observers  # one tuple, swapped whole: readers need no lock
    _observers = (*_observers, observer)
    return lambda: _forget(observer)


def _forget(observer: Observer) -> None:
    global _observers
    _observers = tuple(other for other in _observers if other is not observer)


def forget_all() -> None:
    """Forget every observer."""
    global _observers
    _observers = ()


def observed() -> bool:
    """Tell whether anybody observes."""
    return bool(_observers)


def report(event: Event) -> None:
    """Hand *event* to every observer."""
    for observer in _observers:
        try:
            observer(event)
        except Exception as error:  # noqa: BLE001  # an observer is anybody's code
            log.warning("an observer of beaker_dynamodb raised %s", type(error).__name__)
