"""A DynamoDB table of another package: where it is, and how its sessions are written as texts.

It is read through our own client, with options of the same names as ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from beaker_dynamodb.config import sources
from beaker_dynamodb.config.options import MB, Options
from beaker_dynamodb.dynamodb.client import get_client
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.errors import OptionError, shown
from beaker_dynamodb.item.envelope import Envelope, JsonEnvelope, PickleEnvelope
from beaker_dynamodb.migration import scan

_WRITERS: Final[Mapping[str, Envelope]] = {
    "json": JsonEnvelope(16 * MB),
    "pickle": PickleEnvelope(),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A table of another package, and how to get there."""

    options: Options

    def is_that_of(self, options: Options) -> bool:
        """Tell whether a session would have one and the same key here and under *options*.

        Under another prefix the rows of both stand side by side in one table.
        """
        mine = self.options
        here = (mine.endpoint_url, mine.table, mine.hash_key, mine.prefix)
        if here != (options.endpoint_url, options.table, options.hash_key, options.prefix):
            return False
        return _region(mine) == _region(options)

    def items(self, beginning: str) -> Iterator[dict[str, object]]:
        """Yield each item whose hash key begins so, page by page."""
        options = self.options
        client = get_client(Connection.of(options))
        return scan.items(client, options.table, options.hash_key, beginning)


def _region(options: Options) -> str | None:
    """Say the region, where no option names it as AWS's own settings do."""
    if options.region is not None:
        return options.region
    client = get_client(Connection.of(options))
    client.transport()  # it knows its region once boto3's client is made
    return client.region


def is_ours(item: Mapping[str, object]) -> bool:
    """Tell whether this package wrote an item: a session, a cache's entry, a lock, a marker."""
    return isinstance(item.get("data"), bytes) and isinstance(item.get("rev"), str)


def place(given: Mapping[str, str]) -> Place:
    """Read where the table is.

    Raises: OptionError, for a name that is not one of ours.
    """
    for name in given:
        if not sources.is_known(name):
            raise OptionError(f"unknown option {shown(name)} of the table to read from")
    return Place(sources.parse(given, "session"))


def writer(kind: str, serializer: str) -> Envelope:
    """Choose how texts are written: as the application's own `data_serializer` reads them.

    Raises: OptionError.
    """
    if serializer not in _WRITERS:
        raise OptionError(f"option 'serializer' of {kind} is expected as json or pickle")
    return _WRITERS[serializer]
