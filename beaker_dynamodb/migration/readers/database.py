"""Read sessions from Beaker's `ext:database`: one row each, in the table `beaker_cache`.

Rows are read in pages by their number, so no transaction stays open and no cursor is held. Columns
are read without SQLAlchemy's type conversion, which could fail at a planted row. If the driver
itself cannot read a value, only that row is rejected. The column `accessed` is in the server's
local time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from beaker_dynamodb.errors import OptionError, Unavailable, mask_repr, raise_clean
from beaker_dynamodb.migration.readers.reader import (
    Clock,
    SessionReader,
    SourceSession,
    check_options,
    parse_datetime,
    read_pickle,
    reject,
)
from beaker_dynamodb.migration.source import say_host
from beaker_dynamodb.migration.source_options import get_data_path

_PAGE: Final = 500


class DatabaseReader:
    """A table of Beaker's, read with SQLAlchemy."""

    def __init__(self, url: str, table: str, schema: str | None) -> None:
        import sqlalchemy

        self._sa, self._at = sqlalchemy, say_host(url)
        self._file = get_data_path("ext:database", {"url": url})
        try:
            self._engine: Any = sqlalchemy.create_engine(url)
        except ModuleNotFoundError as error:  # the driver's, which SQLAlchemy imports
            raise_clean(
                OptionError(f"option 'url' of ext:database needs the Python module {error.name!r}")
            )
        except (sqlalchemy.exc.ArgumentError, ImportError, ValueError, TypeError) as error:
            wrong = f"does not name a database ({type(error).__name__})"
            raise_clean(OptionError(f"option 'url' of ext:database {wrong}"))
        column, types = sqlalchemy.column, sqlalchemy.types
        self._table = sqlalchemy.table(
            table,
            column("id", types.Integer),
            column("namespace"),
            column("accessed"),
            column("data"),
            schema=schema,
        )

    def sessions(self, _clock: Clock) -> Iterator[SourceSession]:
        """Yield the session of each row."""
        last: int | None = None
        while numbers := self._execute(functools.partial(self._list_numbers, after=last)):
            yield from self._read(numbers)
            last = numbers[-1]

    def _read(self, numbers: Sequence[int]) -> Iterator[SourceSession]:
        """Yield the sessions of these rows; a row that makes the query fail is found by halving."""
        columns = self._table.c
        query = self._sa.select(columns.namespace, columns.accessed, columns.data)
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(query.where(columns.id.in_(numbers))).all()
        except Exception:  # noqa: BLE001  # a driver may raise any error at a value of another type
            rows = None
        finally:
            self._engine.dispose()
        if rows is not None:
            yield from map(_read_row, rows)
            return
        self._execute(functools.partial(self._list_numbers, after=None))  # raises in an outage
        half = len(numbers) // 2
        if half:
            yield from self._read(numbers[:half])
            yield from self._read(numbers[half:])
        else:
            detail = f"row {numbers[0]} has a value that does not fit its column"
            yield reject(f"row {numbers[0]}", detail)

    def count(self) -> int | None:
        """Count the rows."""
        query = self._sa.select(self._sa.func.count()).select_from(self._table)
        number: int = self._execute(lambda connection: int(connection.execute(query).scalar()))
        return number

    def _list_numbers(self, connection: Any, after: int | None) -> list[int]:
        query = self._sa.select(self._table.c.id)
        if after is not None:
            query = query.where(self._table.c.id > after)
        return list(connection.scalars(query.order_by(self._table.c.id).limit(_PAGE)))

    def _execute(self, run: Callable[[Any], Any]) -> Any:
        """Call *run* with a connection.

        Raises: Unavailable; OptionError, if there is no such table.
        """
        # SQLite creates a missing file when it connects, and a reader must not write.
        if self._file is not None and not Path(self._file).exists():
            raise Unavailable(f"there is no database {mask_repr(self._file)}")
        try:
            with self._engine.connect() as connection:
                return run(connection)
        except self._sa.exc.SQLAlchemyError as error:
            raise_clean(self._explain(error))
        finally:
            self._engine.dispose()

    def _explain(self, error: Exception) -> OptionError | Unavailable:
        """Say what has failed: a missing table is one that an option names wrongly."""
        table, is_there = self._table, True
        with suppress(self._sa.exc.SQLAlchemyError):  # an outage
            is_there = self._sa.inspect(self._engine).has_table(table.name, schema=table.schema)
        name = f"table {mask_repr(table.name)}"
        if not is_there:
            return OptionError(
                f"there is no {name} in the database{self._at}; is table_name right?"
            )
        reason = type(error).__name__
        return Unavailable(f"{name} of the database{self._at} cannot be read: {reason}")


def _read_row(row: tuple[object, object, Any]) -> SourceSession:
    """Read one row: namespace, access time and pickle."""
    namespace, accessed, data = row
    if not isinstance(namespace, str):
        return reject("", "its namespace is not text")
    return read_pickle(namespace, data, written=parse_datetime(accessed))


def create_reader(
    kind: str, source_options: Mapping[str, str], _timeout: float | None
) -> SessionReader:
    """Create the reader of `url`, `table_name` and `schema_name`: Beaker's own options.

    Those that begin with `sa.` are ignored, as Beaker ignores them.
    """
    plain = {name: value for name, value in source_options.items() if not name.startswith("sa.")}
    options = check_options(kind, plain, {"url", "table_name", "schema_name"})
    if "url" not in options:
        raise OptionError("ext:database needs url, in the form that SQLAlchemy takes")
    return DatabaseReader(
        options["url"],
        options.get("table_name", "beaker_cache"),
        options.get("schema_name") or None,
    )
