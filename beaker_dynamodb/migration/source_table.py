"""Explains that the table from which sessions are read has no region, or does not exist.

That table does not use the application's own options, so the error has to name the ones of this
table. It is never created: an empty table would look like one without sessions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from beaker_dynamodb.dynamodb.responses import NO_REGION
from beaker_dynamodb.errors import OptionError, TableMissing, raise_clean


@contextmanager
def explain_source_table(option: str) -> Iterator[None]:
    """Name the options to give, if a call to the table to read from finds no region or no table.

    Args: *option* says how an option of that table is given; `{}` is the option's name.
    """
    try:
        yield
    except OptionError as error:
        if error.call is None or error.call.code != NO_REGION:
            raise
        message = "the table to read from has no region: it does not take the application's own"
        raise_clean(OptionError(f"{message}; give {option.replace('{}', 'region')}"))
    except TableMissing as error:
        message = "the table to read from does not exist in this region and account"
        given = " and ".join(option.replace("{}", name) for name in ("table", "region"))
        raise_clean(TableMissing(f"{message}; check {given}", call=error.call))
