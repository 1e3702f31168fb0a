"""Sessions out of a table of connect-dynamodb, the Node package: data and ids, not cookies.

An item is {id: 'sess:<sid>', expires, type, sess: JSON} (connect-dynamodb 3.0.5). What Express
keeps under `cookie` stays behind; the rest becomes a session as Beaker writes it. The cookie is of
another form: docs/migrating.md says what the application does about it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from beaker_dynamodb.item.envelope import Envelope
from beaker_dynamodb.migration.readers.origin import OURS, Clock, Found, Origin, unreadable
from beaker_dynamodb.migration.readers.tables import Place, is_ours, place, writer
from beaker_dynamodb.migration.readers.timestamps import parse_lifetime, parse_timestamp

#: What connect-dynamodb gives a session whose cookie has no maxAge (connect-dynamodb.js, oneDay).
_A_DAY: Final = 86400


@dataclass(frozen=True, slots=True)
class Connect:
    """A table of connect-dynamodb's; `timeout` is that of the Beaker application, if it has one."""

    place: Place
    envelope: Envelope
    timeout: float | None

    def sessions(self, clock: Clock) -> Iterator[Found]:
        """Yield each session as the text that the application will read."""
        options = self.place.options
        for item in self.place.items(options.prefix):
            session = str(item.get(options.hash_key)).removeprefix(options.prefix)
            yield self.read(session, item, clock())

    def read(self, session: str, item: Mapping[str, object], now: float) -> Found:
        """Read one item, whatever is in it.

        Versions before 3 of the package wrote the expiry as a text, and in milliseconds.
        """
        if is_ours(item):
            return Found(session, wrong=OURS)
        values = _parsed(item.get("sess"))
        if values is None:
            return unreadable(session, "its sess is not a JSON object")
        stamp = item.get(self.place.options.ttl_attribute)
        if stamp is None:
            return unreadable(session, "it has no expiry")
        expires = parse_timestamp(stamp)
        if expires is None:
            return unreadable(session, "its expiry is not a number of seconds or milliseconds")
        cookie = values.pop("cookie", None)
        since = min(now, expires - (self.timeout or _life(cookie)))
        values |= {"_creation_time": since, "_accessed_time": since}
        try:
            return Found(session, self.envelope.close(values), expires=expires)
        except (ValueError, RecursionError):
            return unreadable(session, "its sess cannot be written again")

    def count(self) -> int | None:
        """Not known without a scan."""
        return None


def _parsed(sess: object) -> dict[str, Any] | None:
    try:
        values = json.loads(sess) if isinstance(sess, str) else None
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _life(cookie: object) -> float:
    """Read how long Express lets the session live from its last use, in seconds."""
    most = cookie.get("originalMaxAge") if isinstance(cookie, dict) else None
    return parse_lifetime(most) or _A_DAY


def origin(kind: str, given: Mapping[str, str], timeout: float | None) -> Origin:
    """Make the origin of a table: our own options name it, and `serializer` the texts' form."""
    options = dict(given)
    how = writer(kind, options.pop("serializer", "json"))
    return Connect(place(options), how, timeout)
