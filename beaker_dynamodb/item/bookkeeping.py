"""Beaker's own keys in a session: which are its, and which of them say when.

A session in which nothing else is left was deleted; one without a creation time was cleared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

#: All that is left in a session after `delete()` or `clear()` (beaker/session.py:84).
PLACES: Final = frozenset({"_domain", "_path"})
#: When it was last asked for, and when it was begun (beaker/session.py:225 and 440).
ACCESSED: Final = "_accessed_time"
CREATED: Final = "_creation_time"
#: In a merge they only grow.
TIMES: Final = (ACCESSED, CREATED)
#: All that Beaker itself puts into a session.
BEAKERS_OWN: Final = PLACES.union(TIMES)


def read_time(values: Mapping[str, object], name: str) -> float | None:
    """Return the time in epoch seconds under *name*, None where no usable number is there.

    Whoever writes the store chooses it: it may be a text, a NaN, or an integer that no float holds.
    """
    stamp = values.get(name)
    if not isinstance(stamp, (int, float)) or isinstance(stamp, bool):
        return None
    try:
        return float(stamp) if math.isfinite(stamp) else None
    except OverflowError:
        return None
