"""Sessions out of Beaker's `ext:redis`: the keys `beaker_cache:<id>:session`, by a cursor.

Keys are scanned, never listed; each page is read in one round trip, values and their rests of
life together. Redis tells when a session ends, so its own expiry is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from beaker_dynamodb.errors import OptionError, Unavailable
from beaker_dynamodb.item.safe_load import safe_load
from beaker_dynamodb.migration.readers.origin import (
    Clock,
    Found,
    Origin,
    checked,
    of_value,
    unreadable,
)
from beaker_dynamodb.migration.readers.timestamps import bound
from beaker_dynamodb.migration.source import host_of

_BEGIN, _END = "beaker_cache:", ":session"
_PAGE: Final = 500
#: PTTL's words for "no expiry" and "no such key" (redis.io, PTTL).
_NEVER, _GONE = -1, -2
#: How redis refuses to GET what is a list or a hash; its other errors are not about one key.
_NO_STRING: Final = "WRONGTYPE"


#: The cursor that comes next; of each key the session's id, the value and the rest of its life.
_Page: TypeAlias = tuple[int, list[tuple[str, bytes | Exception | None, int]]]


class Redis:
    """A redis database; duplicates that a scan may bring are met by the table's condition."""

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ImportError:
            redis = None  # type: ignore[assignment]  # told below, outside of this context
        if redis is None:
            raise OptionError(
                "sessions out of ext:redis need redis: pip install 'beaker-dynamodb[moving]'"
            )
        try:
            self._client: Any = redis.Redis.from_url(url)
        except ValueError:
            self._client = None
        if self._client is None:
            raise OptionError("option 'url' of ext:redis is expected as redis://HOST:PORT/DB")
        self._host = host_of(url)
        self._error: type[Exception] = redis.RedisError

    def sessions(self, clock: Clock) -> Iterator[Found]:
        """Yield each session with the rest of life that redis gives it."""
        cursor: int | None = None
        while cursor != 0:
            cursor, page = self._page(cursor or 0)
            for session, value, rest in page:
                if rest == _GONE or value is None:
                    continue
                if isinstance(value, Exception):
                    yield unreadable(session, "its value is not a Redis string")
                    continue
                expires = None if rest == _NEVER else bound(clock() + rest / 1000)
                entry = safe_load(value)
                if entry is None:
                    yield unreadable(session, "its value is not a pickle")
                else:
                    yield of_value(session, entry, expires=expires)

    def count(self) -> int | None:
        """Count all keys of the database: at least as many as there are sessions."""
        number: int = self._asked(lambda: int(self._client.dbsize()))
        return number

    def _page(self, cursor: int) -> _Page:
        def ask() -> _Page:
            after, keys = self._client.scan(cursor, match=f"{_BEGIN}*{_END}", count=_PAGE)
            pipeline = self._client.pipeline(transaction=False)
            for key in keys:
                pipeline.get(key)
                pipeline.pttl(key)
            told = pipeline.execute(raise_on_error=False)
            for answer in told:
                if isinstance(answer, Exception) and not str(answer).startswith(_NO_STRING):
                    raise answer
            return int(after), list(zip(map(_id, keys), told[::2], told[1::2], strict=True))

        page: _Page = self._asked(ask)
        return page

    def _asked(self, ask: Any) -> Any:
        try:
            return ask()
        except self._error as error:
            wrong = type(error).__name__
        at = f" at {self._host}" if self._host else ""
        raise Unavailable(f"redis{at} cannot be read: {wrong}")


def _id(key: bytes) -> str:
    return key.decode("utf-8", "surrogateescape").removeprefix(_BEGIN).removesuffix(_END)


def origin(kind: str, given: Mapping[str, str], _timeout: float | None) -> Origin:
    """Make the origin of `url`, Beaker's own option."""
    options = checked(kind, given, {"url"})
    if "url" not in options:
        raise OptionError("ext:redis needs url: redis://HOST:PORT/DB")
    return Redis(options["url"])
