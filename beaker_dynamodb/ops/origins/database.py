"""Sessions out of Beaker's `ext:database`: one row each, in the table `beaker_cache`.

Rows are read in pages by their number, so no transaction stays open and no cursor is held. Columns
are read as they stand there: no type's conversion may fail over a row that somebody planted. The
column `accessed` is the server's local time.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from beaker_dynamodb.errors import OptionError, Unavailable
from beaker_dynamodb.former import host_of
from beaker_dynamodb.ops.origins.origin import Clock, Found, Origin, checked, of_pickle

_PAGE: Final = 500


class Database:
    """A table of Beaker's, by SQLAlchemy."""

    def __init__(self, url: str, table: str, schema: str | None) -> None:
        try:
            import sqlalchemy
        except ImportError:
            sqlalchemy = None  # type: ignore[assignment]  # told below, outside of this context
        if sqlalchemy is None:
            raise OptionError(
                "sessions out of ext:database need SQLAlchemy:"
                " pip install 'beaker-dynamodb[moving]'"
            )
        self._sa, self._host = sqlalchemy, host_of(url)
        try:
            self._engine: Any = sqlalchemy.create_engine(url)
            wrong = ""
        except (sqlalchemy.exc.ArgumentError, ImportError) as error:
            wrong = type(error).__name__
        if wrong:
            raise OptionError(f"option 'url' of ext:database does not name a database ({wrong})")
        column, types = sqlalchemy.column, sqlalchemy.types
        self._table = sqlalchemy.table(
            table,
            column("id", types.Integer),
            column("namespace"),
            column("accessed"),
            column("data"),
            schema=schema,
        )

    def sessions(self, _clock: Clock) -> Iterator[Found]:
        """Yield the session of each row."""
        last: int | None = None
        while page := self._asked(functools.partial(self._page, after=last)):
            for number, namespace, accessed, data in page:
                last = number
                yield of_pickle(str(namespace or ""), data, written=_epoch(accessed))

    def count(self) -> int | None:
        """Count the rows."""
        query = self._sa.select(self._sa.func.count()).select_from(self._table)
        number: int = self._asked(lambda connection: int(connection.execute(query).scalar()))
        return number

    def _page(self, connection: Any, after: int | None) -> list[Any]:
        columns = self._table.c
        query = self._sa.select(columns.id, columns.namespace, columns.accessed, columns.data)
        if after is not None:
            query = query.where(columns.id > after)
        return list(connection.execute(query.order_by(columns.id).limit(_PAGE)))

    def _asked(self, ask: Callable[[Any], Any]) -> Any:
        try:
            with self._engine.connect() as connection:
                return ask(connection)
        except self._sa.exc.SQLAlchemyError as error:
            wrong = type(error).__name__
        finally:
            self._engine.dispose()
        at = f" at {self._host}" if self._host else ""
        raise Unavailable(f"the database{at} cannot be read: {wrong}")


def _epoch(accessed: object) -> float | None:
    """Turn the server's local time into epoch seconds; SQLite has it as a text."""
    try:
        when = dt.datetime.fromisoformat(accessed) if isinstance(accessed, str) else accessed
        return when.timestamp() if isinstance(when, dt.datetime) else None
    except (ValueError, OverflowError, OSError):  # no time, or one that no clock has
        return None


def origin(kind: str, given: Mapping[str, str], _timeout: float | None) -> Origin:
    """Make the origin of `url`, `table_name` and `schema_name`, Beaker's own options."""
    given = {name.removeprefix("sa."): value for name, value in given.items()}
    options = checked(kind, given, {"url", "table_name", "schema_name"})
    if "url" not in options:
        raise OptionError("ext:database needs url, as SQLAlchemy writes it")
    return Database(
        options["url"], options.get("table_name", "beaker_cache"), options.get("schema_name")
    )
