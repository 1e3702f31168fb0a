"""The outage rule: a load that failed is never followed by a fresh session in its place.

Beaker catches every exception of a load and loads a session of a new id instead, whose cookie
logs the user out for good (beaker/session.py:243). That second load happens while the first
error is being handled, so it can see it, and refuses.
"""

from __future__ import annotations

import copy
import sys

from beaker_dynamodb.errors import CorruptItem, DynamoDBBackendError, LoadOrigin


def refuse_in_place_of_another(load: LoadOrigin) -> None:
    """Raise if *load* would take the place of a load that failed and is being handled now.

    That is: the load of another id, on the same table, ended in one of our errors. A retry asks
    for the same id and is let through. A corrupt row never heals, so it may be replaced.

    Raises: the failed load's error once more, from itself.
    """
    failed = _failed_load() if sys.exc_info()[1] else None
    if failed is None or failed.origin is None or isinstance(failed, CorruptItem):
        return
    if failed.origin.table != load.table or failed.origin.session == load.session:
        return
    again = copy.copy(failed)
    again.args = (f"no new session replaces the one that could not be loaded: {failed}",)
    raise again from failed


def _failed_load() -> DynamoDBBackendError | None:
    """Find the failed load in the error being handled, or in what it was raised from."""
    error, seen = sys.exc_info()[1], set[int]()
    while error is not None and id(error) not in seen:
        if isinstance(error, DynamoDBBackendError) and error.origin is not None:
            return error
        seen.add(id(error))
        error = error.__cause__
    return None
