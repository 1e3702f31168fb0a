"""Time and luck, as one frozen value that is handed in: tests wind it, nothing else asks the OS.

It stands on the ground floor: the lease of `store/` and the saves above it share it.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_TOKEN_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time and luck, handed in so that tests can wind them. Seconds, and 0 <= fraction < 1."""

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    fraction: Callable[[], float] = random.random
    token: Callable[[], str] = field(default=lambda: secrets.token_hex(_TOKEN_BYTES))
