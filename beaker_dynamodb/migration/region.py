"""Explains that the table from which sessions are read has no region.

That table does not use the application's own options, so the error has to name the one that sets
the region of this table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from beaker_dynamodb.dynamodb.responses import NO_REGION
from beaker_dynamodb.errors import OptionError, raise_clean


@contextmanager
def explain_missing_region(option: str) -> Iterator[None]:
    """Name the *option* to give, if a call to the table to read from fails for want of a region."""
    try:
        yield
    except OptionError as error:
        if error.call is None or error.call.code != NO_REGION:
            raise
        message = "the table to read from has no region: it does not take the application's own"
        raise_clean(OptionError(f"{message}; give {option}"))
