"""The source backend: another one of Beaker's, which sessions are migrated from.

Whatever it raises becomes one of our errors, which names the backend and the host of its url,
never a session or a password. What Beaker's own backends pickled is never unpickled here.
"""

from __future__ import annotations

import logging
import os
import pickle
import stat
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import (
    CorruptItem,
    OptionError,
    TableMissing,
    Unavailable,
    digest,
    mask_repr,
    raise_clean,
)
from beaker_dynamodb.item.keys import to_text
from beaker_dynamodb.item.safe_load import safe_load
from beaker_dynamodb.migration.source_options import (
    FILE_BACKENDS,
    REQUIRED_OPTIONS,
    TABLES,
    find_backend_class,
    find_missing_path,
    get_data_path,
)
from beaker_dynamodb.migration.source_table import explain_source_table

if TYPE_CHECKING:
    from beaker.container import NamespaceManager

log: Final = logging.getLogger(__name__)

T = TypeVar("T")
_SESSION: Final = "session"
#: What a backend's constructor raises if its options are wrong, and never in an outage.
_CONFIGURATION_ERRORS: Final = frozenset(
    "MissingCacheParameter InvalidCacheBackendError TypeError KeyError ValueError"
    " ArgumentError NoSuchModuleError ModuleNotFoundError".split()  # SQLAlchemy's, and a driver
)
#: Those that mean a missing package: Beaker raises the first one for nothing else.
_PACKAGE_ERRORS: Final = frozenset({"InvalidCacheBackendError", "ModuleNotFoundError"})
_ANY_OPTION: Final = ((), "migrate_from.NAME")
#: A larger file is no session's. It would take a moment to plant, and much memory to read.
_MAX_FILE: Final = 64 * 1024 * 1024


def say_host(url: object) -> str:
    """Return " at HOST:PORT" for a url, without user and password, "" if it has none."""
    try:
        host = urllib.parse.urlsplit(str(url)).netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return f" at {host}" if host else ""


def say_no_sessions(name: str, options: Mapping[str, object]) -> str:
    """Say that there is no session in a source backend, and where that is.

    The url of a database may hold a password.
    """
    if name == "connect-dynamodb":  # its options are our own
        default = Options()
        table = mask_repr(options.get("table", default.table))
        prefix = mask_repr(options.get("prefix", default.prefix))
        place = f"table {table}, under the prefix {prefix}"
    elif path := get_data_path(name, options):
        place = mask_repr(str(Path(path).absolute()))
    else:
        url = str(options.get("url", ""))
        number = urllib.parse.urlsplit(url).path if name == "ext:redis" else ""
        place = f"{name}{say_host(url)}{number}"
    if table_name := options.get("table_name"):
        place = f"table {mask_repr(table_name)} of {place}"
    return f"there is no session in {place}: is it that of the old application?"


@dataclass(frozen=True, slots=True)
class SourceBackend:
    """The source backend, for one session: read and remove its text."""

    name: str
    options: tuple[tuple[str, Any], ...] = field(repr=False)  # a url may hold a password
    namespace: object = field(repr=False)
    timeout: float | None

    def read(self) -> str | None:
        """Return the session's text, None if there is no session.

        Raises: Unavailable, if the backend fails; CorruptItem, if it holds no text; OptionError, if
        it cannot be constructed from its options; TableMissing, if it is a table of ours.
        """
        if self._is_alias:
            return None
        manager, read = self._create_manager(), _FUNCTIONS.get(self.name, _OF_OTHERS)[0]
        value = self._call(lambda: read(manager))
        if value is not None and read is not _get:
            value = self._load_pickled(value)
        if value is None or isinstance(value, str):
            return value
        text = to_text(value)
        if text is None:
            raise CorruptItem(self._digest, f"its value in {self.name} is not text")
        return text

    def _load_pickled(self, pickled: object) -> object:
        """Return the text that one of Beaker's backends pickled, by itself or in a dict."""
        value = safe_load(pickled)
        if value is None:
            raise CorruptItem(self._digest, f"its value in {self.name} is damaged")
        return value.get(_SESSION) if isinstance(value, dict) else value

    def remove(self) -> None:
        """Remove the session's text, if there is one.

        Raises: Unavailable, OptionError, TableMissing.
        """
        if self._is_alias:
            return
        manager = self._create_manager()
        remove = _FUNCTIONS.get(self.name, _OF_OTHERS)[1]
        self._call(lambda: remove(manager))

    @property
    def _is_alias(self) -> bool:
        """Return whether Beaker keeps this id in the file of another one (beaker/util.py:236).

        Beaker's file names drop folders and dots, so the ids `x/ID` and `I.D` share the file of ID.
        Here each would become a row of its own, and a logout of ID would not delete it: somebody
        who has copied the cookie would stay logged in.
        """
        text = to_text(self.namespace) or ""
        own = os.path.basename(text).replace(".", "")  # noqa: PTH119  # as Beaker has it
        return self.name in FILE_BACKENDS and own != text

    @property
    def _digest(self) -> str:
        return digest(to_text(self.namespace) or "")

    def _create_manager(self) -> NamespaceManager:
        """Create Beaker's manager.

        What a misspelled option names, or what is not mounted, must be an error. Beaker would
        create it, empty, and all users would be logged out.

        Raises: OptionError, Unavailable.
        """
        backend_class, options = find_backend_class(self.name), dict(self.options)
        if missing := find_missing_path(self.name, options):
            wrong = f"there is no {missing}: is it mounted, readable, and the option right?"
            raise Unavailable(f"the backend {self.name!r} of option 'migrate_from' failed: {wrong}")
        if self.name in TABLES:
            options = {"migrate_from": "none", "create_table": False, **options}
        try:
            if self.name == "ext:database":
                _require_table(backend_class, options)
            return backend_class(
                self.namespace, timeout=self.timeout, **{"digest_filenames": False, **options}
            )
        except (OptionError, Unavailable):
            raise
        except Exception as error:  # noqa: BLE001  # a backend may raise any error
            name = type(error).__name__
            if name not in _CONFIGURATION_ERRORS:
                raise_clean(self._make_unavailable(error))
            if name in _PACKAGE_ERRORS:
                module = error.name if isinstance(error, ModuleNotFoundError) else None
                needed = f"Python module {module!r}" if module else "package that it needs"
                remedy = f"install the {needed}"
            else:
                example = REQUIRED_OPTIONS.get(self.name, _ANY_OPTION)[1]
                remedy = f"give its own options as {example}"
            wrong = f"cannot be created ({name}); {remedy}"
            raise_clean(OptionError(f"option 'migrate_from': the backend {self.name!r} {wrong}"))

    def _call(self, function: Callable[[], T]) -> T:
        """Call *function*, which uses the backend.

        Raises: OptionError, TableMissing, if the backend is a table; CorruptItem, Unavailable.
        """
        try:
            with explain_source_table("migrate_from.{}"):
                return function()
        except (OptionError, TableMissing):
            raise
        except (pickle.UnpicklingError, EOFError):
            raise_clean(CorruptItem(self._digest, f"its value in {self.name} is damaged"))
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not look like a miss
            raise_clean(self._make_unavailable(error))

    def _make_unavailable(self, error: Exception) -> Unavailable:
        at, name = say_host(dict(self.options).get("url", "")), type(error).__name__
        return Unavailable(f"the backend {self.name!r} of option 'migrate_from'{at} failed: {name}")


@contextmanager
def hold_lock(owner: Any, kind: Literal["read", "write"]) -> Iterator[None]:
    """Hold a lock of Beaker's: *owner* is a manager, or the lock itself."""
    getattr(owner, f"acquire_{kind}_lock")()
    try:
        yield
    finally:
        getattr(owner, f"release_{kind}_lock")()


def _get(manager: NamespaceManager) -> object:
    with hold_lock(manager, "read"), suppress(KeyError):
        return manager[_SESSION]
    return None


def _delete(manager: NamespaceManager) -> None:
    with hold_lock(manager, "write"), suppress(KeyError):
        del manager[_SESSION]


def _delete_existing(manager: NamespaceManager) -> None:
    """Delete the session if there is one; some backends write even if there is none."""
    if _get(manager) is not None:
        _delete(manager)


def read_file(path: Path) -> tuple[bytes, float]:
    """Return the content of a file, and when it was written, in epoch seconds.

    Anyone who can write to the folder may plant anything. A pipe, which would block a reader for
    ever, a device, and a file of more than 64 MB are read as empty.

    Raises: OSError.
    """
    with open(path, "rb", opener=_open_nonblocking) as file:  # Path has no opener
        status = os.fstat(file.fileno())
        is_readable = stat.S_ISREG(status.st_mode) and status.st_size <= _MAX_FILE
        return file.read(_MAX_FILE) if is_readable else b"", status.st_mtime


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # Windows has no such flag


def _read_file(manager: Any) -> bytes | None:
    """Read a session's file under Beaker's lock (beaker/container.py:664).

    A file without permission to read counts as missing, as it does for Beaker.
    """
    with hold_lock(manager.access_lock, "read"), suppress(FileNotFoundError, PermissionError):
        return read_file(Path(manager.file))[0]
    return None


def _remove_file(manager: Any) -> None:
    """Remove a session's file. Beaker's own `remove()` ignores an error."""
    with hold_lock(manager.access_lock, "write"):
        Path(manager.file).unlink(missing_ok=True)


def has_plain_files(path: Path) -> bool:
    """Return whether the files of a dbm are regular files; a pipe would block the library."""
    suffixes = ("", ".db", ".dat", ".dir", ".pag")
    files = [path.with_name(path.name + suffix) for suffix in suffixes]
    return all(file.is_file() or not file.exists() for file in files)


def _read_dbm(manager: Any) -> bytes | None:
    if not has_plain_files(Path(manager.file)):
        return b""
    with hold_lock(manager, "read"), suppress(KeyError):
        pickled: bytes = manager.dbm[_SESSION]
        return pickled
    return None


def _read_redis(manager: Any) -> object:
    key = manager._format_key(_SESSION)  # noqa: SLF001  # Beaker has no public name for it
    pickled: object = manager.client.get(key)
    return pickled


def _read_database(manager: Any) -> object:
    """Return the pickled column without type conversion (beaker/ext/sqla.py:65).

    With the column's own type, SQLAlchemy would turn a number n in it into n bytes. A database may
    ignore case in comparisons, as MySQL does by default, so the id is compared here once more.
    """
    import sqlalchemy

    table, namespace = manager.table, manager.namespace
    pickled = sqlalchemy.type_coerce(table.c.data, sqlalchemy.types.NullType)
    query = sqlalchemy.select(table.c.namespace, pickled).where(table.c.namespace == namespace)
    with manager.bind.connect() as connection:
        rows = connection.execute(query).all()
    return next((data for name, data in rows if to_text(name) == to_text(namespace)), None)


def _require_table(backend_class: Any, options: Mapping[str, Any]) -> None:
    """Raise Unavailable if the database has no such table: Beaker would create it, empty.

    That is asked until Beaker has its own object of the table (beaker/ext/database.py:62).
    """
    import sqlalchemy

    url, name = options.get("url"), options.get("table_name", "beaker_cache")
    if not url or f"{url}{name}" in backend_class.tables:
        return
    engine = backend_class.binds.get(
        url, lambda: sqlalchemy.engine_from_config({"sa.url": url}, "sa.")
    )
    if not sqlalchemy.inspect(engine).has_table(name, schema=options.get("schema_name") or None):
        raise Unavailable(
            f"there is no table {mask_repr(name)} in the database{say_host(url)};"
            " is option 'migrate_from.table_name' right?"
        )


def _remove_row(manager: Any) -> None:
    if _read_database(manager) is not None:
        manager.remove()


_Functions: TypeAlias = tuple[Callable[[Any], object], Callable[[Any], None]]
#: How a session's pickle is read from the backends of Beaker whose managers would unpickle it, and
#: how it is removed from them without that. The file or database row of a namespace holds only the
#: session, so it is removed whole.
_FUNCTIONS: Final[Mapping[str, _Functions]] = {
    "file": (_read_file, _remove_file),
    "dbm": (_read_dbm, _delete),
    "ext:redis": (_read_redis, _delete),
    "ext:rediscluster": (_read_redis, _delete),
    "ext:database": (_read_database, _remove_row),
    "ext:sqla": (_read_database, _remove_row),
}
#: The managers of memcached, MongoDB and Google are used as they are; `envelope = json` refuses
#: them.
_OF_OTHERS: Final[_Functions] = (_get, _delete_existing)
