"""When the *touch* of a session waits: the write of its access time, after a mere read.

A touch is the only write that can wait. While a table is throttled or down, a touch would cost what
a change needs, and its page would wait for the retries. So after a write that found the table
unavailable, touches give way for a few seconds; but not so long that a user is timed out.
"""

from __future__ import annotations

import math
from typing import Final

from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.item.eligibility import BEAKER_TIMEOUT_PADDING
from beaker_dynamodb.runtime import on_reset

#: For how many seconds touches give way after a write that found the table unavailable.
PAUSE: Final = 5.0
#: They give way until this part of the time-out has passed since the access time was saved.
PART: Final = 1 / 3
#: Until when (monotonic seconds) they do, for each table under each set of connection options.
#: Check that it is not empty before calling `give_way`, so that it costs nothing as a rule.
paused_until: dict[tuple[Client, str], float] = {}


def pause(rows: Rows) -> None:
    """Let touches of this table give way for `PAUSE` seconds."""
    table = rows.table
    paused_until[table.client, table.name] = rows.runtime.monotonic() + PAUSE


def give_way(rows: Rows, touch_after: float, lifetime: float | None) -> float:
    """Return *touch_after*, or a longer one while touches of this table give way.

    Args: *lifetime* is the row's, in seconds, Beaker's padding included; None is for ever.
    """
    table = rows.table
    if rows.runtime.monotonic() >= paused_until.get((table.client, table.name), 0.0):
        paused_until.pop((table.client, table.name), None)
        return touch_after
    if lifetime is None:
        return math.inf
    return max(touch_after, (lifetime - BEAKER_TIMEOUT_PADDING) * PART)


on_reset(paused_until.clear)
