"""Sessions out of Beaker's `ext:database`: one row each, in the table `beaker_cache`.

Rows are read in pages by their number, so no transaction stays open and no cursor is held. Columns
are read as they stand there: no type's conversion may fail over a row that somebody planted. A
value that the driver itself cannot read is that row's fault alone. The column `accessed` is the
server's local time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from beaker_dynamodb.errors import OptionError, Unavailable, shown
from beaker_dynamodb.migration.readers.origin import (
    Clock,
    Found,
    Origin,
    checked,
    of_pickle,
    unreadable,
)
from beaker_dynamodb.migration.readers.timestamps import parse_datetime
from beaker_dynamodb.migration.source import host_of, place_of

_PAGE: Final = 500
#: How SQLite's names begin that are no path: `:memory:`, and `file:path?mode=ro`.
_NO_PATH: Final = (":", "file:")


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
        self._file = place_of("ext:database", {"url": url})
        try:
            self._engine: Any = sqlalchemy.create_engine(url)
            wrong = ""
        except (sqlalchemy.exc.ArgumentError, ImportError, ValueError, TypeError) as error:
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
        while numbers := self._asked(functools.partial(self._numbers, after=last)):
            yield from self._read(numbers)
            last = numbers[-1]

    def _read(self, numbers: Sequence[int]) -> Iterator[Found]:
        """Yield some rows; where one of them makes the query fail, find it by halves."""
        try:
            with self._engine.connect() as connection:
                rows = self._rows(connection, numbers)
        except Exception:  # noqa: BLE001  # drivers raise anything at a value of another type
            rows = None
        finally:
            self._engine.dispose()
        if rows is not None:
            yield from map(_found, rows)
            return
        self._asked(functools.partial(self._numbers, after=None))  # it is not the database
        half = len(numbers) // 2
        if half:
            yield from self._read(numbers[:half])
            yield from self._read(numbers[half:])
        else:
            wrong = f"row {numbers[0]} has a value that does not fit its column"
            yield unreadable(f"row {numbers[0]}", wrong)

    def count(self) -> int | None:
        """Count the rows."""
        query = self._sa.select(self._sa.func.count()).select_from(self._table)
        number: int = self._asked(lambda connection: int(connection.execute(query).scalar()))
        return number

    def _numbers(self, connection: Any, after: int | None) -> list[int]:
        query = self._sa.select(self._table.c.id)
        if after is not None:
            query = query.where(self._table.c.id > after)
        return list(connection.scalars(query.order_by(self._table.c.id).limit(_PAGE)))

    def _rows(self, connection: Any, numbers: Sequence[int]) -> list[Any]:
        columns = self._table.c
        query = self._sa.select(columns.namespace, columns.accessed, columns.data)
        return list(connection.execute(query.where(columns.id.in_(numbers))))

    def _asked(self, ask: Callable[[Any], Any]) -> Any:
        # SQLite makes a file that is not there at the first look, and an origin only reads.
        if self._file and not self._file.startswith(_NO_PATH) and not Path(self._file).exists():
            raise Unavailable(f"there is no database {shown(self._file)}")
        try:
            with self._engine.connect() as connection:
                return ask(connection)
        except self._sa.exc.SQLAlchemyError as error:
            wrong = type(error).__name__
        finally:
            self._engine.dispose()
        at = f" at {self._host}" if self._host else ""
        raise Unavailable(f"the database{at} cannot be read: {wrong}")


def _found(row: tuple[object, object, Any]) -> Found:
    """Read one row: namespace, access time and pickle."""
    namespace, accessed, data = row
    if not isinstance(namespace, str):
        return unreadable("", "its namespace is not text")
    return of_pickle(namespace, data, written=parse_datetime(accessed))


def origin(kind: str, given: Mapping[str, str], _timeout: float | None) -> Origin:
    """Make the origin of `url`, `table_name` and `schema_name`, Beaker's own options."""
    given = {name.removeprefix("sa."): value for name, value in given.items()}
    options = checked(kind, given, {"url", "table_name", "schema_name"})
    if "url" not in options:
        raise OptionError("ext:database needs url, in the form that SQLAlchemy takes")
    return Database(
        options["url"], options.get("table_name", "beaker_cache"), options.get("schema_name")
    )
