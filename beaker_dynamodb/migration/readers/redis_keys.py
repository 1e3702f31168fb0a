"""Read sessions from Beaker's `ext:redis`: the keys `beaker_cache:<id>:session`, by a cursor.

Keys are scanned, never listed at once. The values and times to live of a page are read in one round
trip. Redis itself expires sessions, so its expiry is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from beaker_dynamodb.errors import OptionError, Unavailable, raise_clean
from beaker_dynamodb.item.safe_load import safe_load
from beaker_dynamodb.migration.readers.reader import (
    Clock,
    SessionReader,
    SourceSession,
    check_options,
    clamp_time,
    read_value,
    reject,
)
from beaker_dynamodb.migration.source import say_host

_PREFIX, _SUFFIX = "beaker_cache:", ":session"
_PAGE: Final = 500
#: What PTTL returns for a key without an expiry, and for no key (redis.io, PTTL).
_NEVER, _GONE = -1, -2
#: How the error begins if the key of a GET is a list or a hash; other errors are about no key.
_WRONG_TYPE: Final = "WRONGTYPE"


#: The next cursor; for each key the session's id, the value, and the milliseconds to live.
_Page: TypeAlias = tuple[int, list[tuple[str, bytes | Exception | None, int]]]


class RedisReader:
    """A redis database. A scan may return a key twice; the condition of the write refuses that."""

    def __init__(self, url: str) -> None:
        import redis

        try:
            self._client: Any = redis.Redis.from_url(url)
        except ValueError:
            expected = "is expected as redis://HOST:PORT/DB"
            raise_clean(OptionError(f"option 'url' of ext:redis {expected}"))
        self._at = say_host(url)
        self._error: type[Exception] = redis.RedisError

    def sessions(self, clock: Clock) -> Iterator[SourceSession]:
        """Yield each session with the expiry that redis has for it."""
        cursor: int | None = None
        while cursor != 0:
            cursor, page = self._page(cursor or 0)
            for session, value, ttl in page:
                if ttl == _GONE or value is None:
                    continue
                if isinstance(value, Exception):
                    yield reject(session, "its value is not a Redis string")
                    continue
                expires = None if ttl == _NEVER else clamp_time(clock() + ttl / 1000)
                entry = safe_load(value)
                if entry is None:
                    yield reject(session, "its value is not a pickle")
                else:
                    yield read_value(session, entry, expires=expires)

    def count(self) -> int | None:
        """Count all keys of the database: at least as many as there are sessions."""
        number: int = self._execute(lambda: int(self._client.dbsize()))
        return number

    def _page(self, cursor: int) -> _Page:
        def read_page() -> _Page:
            next_cursor, keys = self._client.scan(cursor, match=f"{_PREFIX}*{_SUFFIX}", count=_PAGE)
            pipeline = self._client.pipeline(transaction=False)
            for key in keys:
                pipeline.get(key)
                pipeline.pttl(key)
            replies = pipeline.execute(raise_on_error=False)
            for reply in replies:
                if isinstance(reply, Exception) and not str(reply).startswith(_WRONG_TYPE):
                    raise reply
            values, ttls = replies[::2], replies[1::2]
            return int(next_cursor), list(zip(map(_parse_id, keys), values, ttls, strict=True))

        page: _Page = self._execute(read_page)
        return page

    def _execute(self, run: Any) -> Any:
        """Call *run*. Raises: Unavailable."""
        try:
            return run()
        except self._error as error:
            raise_clean(Unavailable(f"redis{self._at} cannot be read: {type(error).__name__}"))


def _parse_id(key: bytes) -> str:
    return key.decode("utf-8", "surrogateescape").removeprefix(_PREFIX).removesuffix(_SUFFIX)


def create_reader(
    kind: str, source_options: Mapping[str, str], _timeout: float | None
) -> SessionReader:
    """Create the reader of `url`, Beaker's own option."""
    options = check_options(kind, source_options, {"url"})
    if "url" not in options:
        raise OptionError("ext:redis needs url: redis://HOST:PORT/DB")
    return RedisReader(options["url"])
