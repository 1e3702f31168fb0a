"""Log lines that would repeat with every request: each is written at most once a minute.

A line is told by its logger and text, so a text that names a row would never repeat.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from beaker_dynamodb.errors import mask

MINUTE = 60.0
_last: dict[tuple[str, str], float] = {}


def warn(
    log: logging.Logger,
    message: str,
    *,
    every: float = MINUTE,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Log *message* as a warning, unless the same one was logged *every* seconds ago or less."""
    now, key = monotonic(), (log.name, message)
    if now - _last.get(key, -every) >= every:
        _last[key] = now
        log.warning("%s", mask(message))


def forget() -> None:
    """Let each line be written again at once."""
    _last.clear()
