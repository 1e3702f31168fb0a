"""Log lines that would repeat with every request: each is written at most once a minute.

A line is identified by its logger and its text. So the text must not name a row or a session.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from beaker_dynamodb.errors import mask
from beaker_dynamodb.runtime import on_reset

MINUTE: Final = 60.0
_logged_at: dict[tuple[str, str], float] = {}


def log_once_a_minute(
    log: logging.Logger,
    message: str,
    *,
    period: float = MINUTE,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Log *message* as a warning, unless the same one was logged less than *period* seconds ago.

    A *period* of infinity logs it once a process.
    """
    now, key = monotonic(), (log.name, message)
    if now - _logged_at.get(key, -period) >= period:
        _logged_at[key] = now
        log.warning("%s", mask(message))


def forget() -> None:
    """Forget what was logged, so that each line is written again at once."""
    _logged_at.clear()


on_reset(forget)
