"""Beaker's own keys in a session: which are its, and which of them say when.

A session in which nothing else is left was deleted; one without a creation time was cleared.
"""

from __future__ import annotations

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
