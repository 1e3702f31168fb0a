"""The outage rule: a load that failed is never followed by a new session in its place.

If a load raises anything, Beaker catches it and calls `invalidate()`, which draws a new id and
loads the session of that id (beaker/session.py:243). If DynamoDB answers again by then, this second
load finds no session, and the page goes on with a new one, whose cookie replaces the user's. So a
user would be logged out for good by an outage of a moment, although the session is still stored.

The rule needs no change of Beaker. Each error of a load has an `origin`: the table, and a digest of
the session's id. The second load runs inside Beaker's `except` block, where `sys.exc_info()`
returns the error of the first. So it can tell that its session would replace one of the same table,
and raises that error once more: the response is an error, without a cookie.
"""

from __future__ import annotations

import copy
import sys

from beaker_dynamodb.errors import CorruptItem, DynamoDBBackendError, LoadOrigin


def refuse_in_place_of_another(load: LoadOrigin) -> None:
    """Raise if the error that is being handled is that of a load which *load* would replace.

    These loads do not replace it, and are made:

    * of the same id: the application tries again;
    * of a session in another table;
    * after a CorruptItem, which no later load would get past.

    Raises: the failed load's error once more, from itself.
    """
    failed = _find_failed_load()
    if failed is None or failed.origin is None or isinstance(failed, CorruptItem):
        return
    if failed.origin.table != load.table or failed.origin.session == load.session:
        return
    again = copy.copy(failed)
    again.args = (f"no new session replaces the one that could not be loaded: {failed}",)
    raise again from failed


def _find_failed_load() -> DynamoDBBackendError | None:
    """Return our error among the one that is being handled and those that it was raised from."""
    error, visited = sys.exc_info()[1], set[int]()
    while error is not None and id(error) not in visited:
        if isinstance(error, DynamoDBBackendError) and error.origin is not None:
            return error
        visited.add(id(error))
        error = error.__cause__
    return None
