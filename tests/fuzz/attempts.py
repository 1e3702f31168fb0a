"""Read one input in several manners; a refusal by one of the package's errors is no fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from beaker_dynamodb.errors import DynamoDBBackendError


def try_each(
    reads: Iterable[Callable[[], object]], allowed: type[Exception] = DynamoDBBackendError
) -> bool:
    """Call each function; return whether one did not refuse.

    Raises: what is not *allowed*, and an allowed error that keeps the exception that it replaces:
    that may hold a user's data.
    """
    is_read = False
    for read in reads:
        refusal = _catch(read, allowed)
        assert refusal is None or refusal.__context__ is None, "it keeps what it replaces"
        is_read = is_read or refusal is None
    return is_read


def _catch(read: Callable[[], object], allowed: type[Exception]) -> Exception | None:
    try:
        read()
    except allowed as error:
        return error
    return None
