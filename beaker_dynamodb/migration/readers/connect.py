"""Read sessions from a table of connect-dynamodb, the Node package: data and ids, not cookies.

An item is {id: 'sess:<sid>', expires, type, sess: JSON} (connect-dynamodb 3.0.5). Express's own
data under `cookie` is dropped; the rest becomes a session as Beaker writes it. The two cookies have
different forms: docs/migrating.md shows what the application does about that.

The table is read with our own client, and located by options with the names of ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from beaker_dynamodb.config import sources
from beaker_dynamodb.config.names import is_known
from beaker_dynamodb.config.options import MB, Options
from beaker_dynamodb.dynamodb import pages
from beaker_dynamodb.dynamodb.client import get_client
from beaker_dynamodb.dynamodb.table import Table, deserialize
from beaker_dynamodb.errors import OptionError, mask_repr
from beaker_dynamodb.item.envelope import Envelope, JsonEnvelope, PickleEnvelope
from beaker_dynamodb.item.keys import Layout
from beaker_dynamodb.item.record import Schema
from beaker_dynamodb.migration.readers.reader import (
    OWN_ROW,
    Clock,
    SessionReader,
    SourceSession,
    parse_lifetime,
    parse_timestamp,
    reject,
)
from beaker_dynamodb.migration.source_table import explain_source_table

#: The lifetime of a session whose cookie has no maxAge (connect-dynamodb.js, oneDay), in seconds.
_DEFAULT_LIFETIME: Final = 86400
#: How a user gives an option of the table.
_OPTION: Final = "its own option '{}' (--from-option {}=NAME)"
_ENVELOPES: Final[Mapping[str, Envelope]] = {
    "json": JsonEnvelope(16 * MB),
    "pickle": PickleEnvelope(),
}


def read_items(options: Options) -> Iterator[dict[str, object]]:
    """Yield each item whose hash key begins with the prefix, as plain values: S, N and B.

    This reads the whole table, and costs the table's whole size in read units.

    Raises: whatever the client raises.
    """
    client = get_client(options)
    table = Table(client, options.table, Layout(options.prefix, options.hash_key), Schema())
    request: dict[str, Any] = {
        "FilterExpression": "begins_with(#k, :b)",
        "ExpressionAttributeNames": {"#k": options.hash_key},
        "ExpressionAttributeValues": {":b": {"S": options.prefix}},
    }
    with explain_source_table(_OPTION):
        for body in pages.paginate(table, "Scan", request):
            for item in body.get("Items", ()):
                yield {name: deserialize(typed) for name, typed in item.items()}


def _find_region(options: Options) -> str | None:
    """Return the region; if no option names it, the one of AWS's own settings."""
    if options.region is not None:
        return options.region
    client = get_client(options)
    client.get_transport()  # the client knows its region only after it has made boto3's client
    return client.region


@dataclass(frozen=True, slots=True)
class ConnectReader:
    """A table of connect-dynamodb.

    `options` name the table, and how to connect to it; `envelope` writes the texts; `timeout` is
    that of the Beaker application in seconds, or None.
    """

    options: Options
    envelope: Envelope
    timeout: float | None

    def has_same_keys(self, target: Options) -> bool:
        """Return whether a session would have one and the same key here and under *target*.

        With different prefixes the rows of both packages can share a table.
        """
        names = ("endpoint_url", "table", "hash_key", "prefix")
        if any(getattr(self.options, name) != getattr(target, name) for name in names):
            return False
        with explain_source_table(_OPTION):
            own = _find_region(self.options)
        return own == _find_region(target)

    def sessions(self, clock: Clock) -> Iterator[SourceSession]:
        """Yield each session as the text that the application will read."""
        options = self.options
        for item in read_items(options):
            session = str(item.get(options.hash_key)).removeprefix(options.prefix)
            yield self.read(session, item, clock())

    def read(self, session: str, item: Mapping[str, object], now: float) -> SourceSession:
        """Read one item, whatever it holds.

        Versions before 3 of the package wrote the expiry as a text, and in milliseconds.
        """
        if _is_written_by_us(item):
            return SourceSession(session, error=OWN_ROW)
        values = _parse(item.get("sess"))
        if values is None:
            return reject(session, "its sess is not a JSON object")
        stamp = item.get(self.options.ttl_attribute)
        if stamp is None:
            return reject(session, "it has no expiry")
        expires = parse_timestamp(stamp)
        if expires is None:
            return reject(session, "its expiry is not a number of seconds or milliseconds")
        cookie = values.pop("cookie", None)
        # Express stores neither time: both are counted back from the expiry.
        since = min(now, expires - (self.timeout or _lifetime_of(cookie)))
        values |= {"_creation_time": since, "_accessed_time": since}
        try:
            return SourceSession(session, self.envelope.close(values), expires=expires)
        except (ValueError, RecursionError):
            return reject(session, "its sess cannot be written again")

    def count(self) -> int | None:
        """Return None: a count would take a scan."""
        return None


def _is_written_by_us(item: Mapping[str, object]) -> bool:
    """Return whether this package wrote an item: a session, a cache's entry, a lock, a marker."""
    return isinstance(item.get("data"), bytes) and isinstance(item.get("rev"), bytes)


def _parse(sess: object) -> dict[str, Any] | None:
    try:
        values = json.loads(sess) if isinstance(sess, str) else None
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _lifetime_of(cookie: object) -> float:
    """Return how long Express keeps the session after its last use, in seconds."""
    max_age = cookie.get("originalMaxAge") if isinstance(cookie, dict) else None
    return parse_lifetime(max_age) or _DEFAULT_LIFETIME


def create_reader(
    kind: str, source_options: Mapping[str, str], timeout: float | None
) -> SessionReader:
    """Create the reader of a table: our own options locate it, and `serializer` is of the texts.

    The serializer must be the application's own `data_serializer`.

    Raises: OptionError, for a name that is not one of ours.
    """
    options = dict(source_options)
    serializer = options.pop("serializer", "json")
    if serializer not in _ENVELOPES:
        raise OptionError(f"option 'serializer' of {kind} is expected as json or pickle")
    for name in options:
        if not is_known(name):
            raise OptionError(f"unknown option {mask_repr(name)} of the table to read from")
    return ConnectReader(sources.parse(options, "session"), _ENVELOPES[serializer], timeout)
