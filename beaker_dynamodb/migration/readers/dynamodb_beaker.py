"""Sessions out of a table of the package dynamodb-beaker (0.3.2, boto 2, Python 2).

The hash key is the session's id, without a prefix. Where Beaker handed it a text (1.8 and later
do) the attribute `session` holds it; a dict, each key became an attribute of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.item.envelope import Envelope
from beaker_dynamodb.migration.readers.origin import Clock, Found, Origin, of_value, unreadable
from beaker_dynamodb.migration.readers.tables import Place, place, writer

_SESSION = "session"


@dataclass(frozen=True, slots=True)
class DynamoDBBeaker:
    """A table of dynamodb-beaker's. It has no expiry: the session's own access time counts."""

    place: Place
    envelope: Envelope

    def sessions(self, _clock: Clock) -> Iterator[Found]:
        """Yield each item's text, or write one of its attributes."""
        hash_key = self.place.options.hash_key
        for item in self.place.items(""):
            session = str(item.pop(hash_key, ""))
            if _SESSION in item:
                yield of_value(session, item[_SESSION])
            elif "_creation_time" in item or "_accessed_time" in item:
                yield self._written(session, item)
            else:
                yield Found(session, wrong="no session")

    def _written(self, session: str, values: dict[str, object]) -> Found:
        try:
            return Found(session, self.envelope.close(values))
        except (TypeError, ValueError, RecursionError):  # bytes or a set, which JSON lacks
            return unreadable(session, "its attributes cannot be written by this serializer")

    def count(self) -> int | None:
        """Not known without a scan."""
        return None


def origin(kind: str, given: Mapping[str, str], _timeout: float | None) -> Origin:
    """Make the origin of `table_name`, `region` and `hash_key`, and of our own options."""
    options = dict(given)
    how = writer(kind, options.pop("serializer", "pickle"))
    if not options.keys() & {"table", "table_name", "url"}:
        raise OptionError(f"{kind} needs table_name")
    return DynamoDBBeaker(place(options), how)
