"""Time and luck, as one frozen value that is handed in: tests wind it, nothing else asks the OS.

It stands on the ground floor: the lease of `store/` and the saves above it share it.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

#: 72 bits, 12 characters: a row holds six tokens, and every byte of it is billed.
_TOKEN_BYTES: Final = 9


def _sleep(seconds: float) -> None:
    time.sleep(seconds)  # looked up at the call: gevent may have replaced it since our import


@dataclass(frozen=True, slots=True)
class Runtime:
    """Time and luck, handed in so that tests can wind them. Seconds, and 0 <= fraction < 1."""

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = _sleep
    random: Callable[[], float] = random.random
    token: Callable[[], str] = field(default=partial(secrets.token_urlsafe, _TOKEN_BYTES))


#: What nothing has wound.
REAL: Final = Runtime()
