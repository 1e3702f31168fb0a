"""The backend that sessions are moved from: another one of Beaker's, asked for one session's text.

Whatever it raises leaves as one of our errors, which names the backend and the host of its url,
never a session or a password. What Beaker's own backends pickled is never unpickled here.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import pickle
import stat
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from beaker_dynamodb.errors import CorruptItem, OptionError, Unavailable, digest, shown
from beaker_dynamodb.item.keys import as_text
from beaker_dynamodb.item.safe_load import safe_load

if TYPE_CHECKING:
    from beaker.container import NamespaceManager

log = logging.getLogger(__name__)

T = TypeVar("T")
_SESSION: Final = "session"
_TABLES: Final = frozenset({"ext:dynamodb", "dynamodb"})
#: What a backend raises when it is made from options that are wrong, and never in an outage.
_MISTAKES: Final = frozenset(
    "MissingCacheParameter InvalidCacheBackendError TypeError KeyError ValueError"
    " ArgumentError NoSuchModuleError ModuleNotFoundError".split()  # SQLAlchemy's, and a driver
)
_MOVING: Final = "'beaker-dynamodb[moving]'"
#: What a backend imports, and how that is installed; Beaker itself says it at the first session.
_NEEDS: Final[Mapping[str, tuple[str, str]]] = {
    "ext:redis": ("redis", _MOVING),
    "ext:rediscluster": ("redis", _MOVING),
    "ext:database": ("sqlalchemy", _MOVING),
    "ext:sqla": ("sqlalchemy", _MOVING),
    "ext:mongodb": ("pymongo", "pymongo"),
}


#: What each cannot be without: one of these options, and how it is written.
_WANTS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "ext:redis": (("url",), "migrate_from.url = redis://HOST:PORT/DB"),
    "ext:database": (("url", "sa.url"), "migrate_from.url = DIALECT://HOST/NAME"),
    "file": (("data_dir", "file_dir"), "migrate_from.data_dir = FOLDER"),
    "dbm": (("data_dir", "dbm_dir"), "migrate_from.data_dir = FOLDER"),
}
_ANY: Final = ((), "migrate_from.NAME")
#: A file that is larger is no session's: that takes a moment to plant, and memory to read.
_MAX_FILE: Final = 64 * 1024 * 1024
#: Backends that keep each session in a file of its own, named by the id.
_FILES: Final = frozenset({"file", "dbm"})
#: Backends that make folders, files or a table when they are only looked into.
MADE_BY_LOOKING: Final = frozenset({"file", "dbm", "ext:database", "ext:sqla"})


def place_of(name: str, options: Mapping[str, object]) -> str | None:
    """Name the folder in which a backend keeps its files (beaker/container.py:513 and 630).

    For a database in a file it is that file. None for others, and where no option names it.
    """
    if name == "ext:database":
        scheme, _, path = str(options.get("url", "")).partition(":///")
        return path.partition("?")[0] or None if scheme.partition("+")[0] == "sqlite" else None
    if name not in _FILES:
        return None
    if own := options.get(f"{name}_dir"):
        return str(own)
    above = options.get("data_dir")
    return f"{above}/container_{name}" if above else None


def make_ready(name: str, options: Mapping[str, object]) -> None:
    """Look at a backend before anybody waits for a session of it.

    A folder or file that is not there is warned of: Beaker makes an empty one, and whoever has a
    session is logged out without a word.

    Raises: OptionError, as `kind_of`, and where an option lacks that the backend cannot be without.
    """
    kind_of(name)
    names, wanted = _WANTS.get(name, ((), ""))
    if names and not any(options.get(one) for one in names):
        raise OptionError(f"option 'migrate_from': {name} needs {wanted}")
    place = place_of(name, options)
    if place is not None and not Path(place).exists():
        log.warning(
            "option 'migrate_from': there is no %s, so no session is found there", shown(place)
        )


def kind_of(name: str) -> Callable[..., NamespaceManager]:
    """Find the class of a backend of Beaker's, before anybody waits for a session of it.

    Raises: OptionError, where Beaker knows none of that name, or a package that it needs is not
    installed.
    """
    from beaker.cache import clsmap

    needed, how = _NEEDS.get(name, ("", ""))
    if needed and importlib.util.find_spec(needed) is None:
        raise OptionError(f"option 'migrate_from': {name} needs {needed}: pip install {how}")
    try:
        kind: Callable[..., NamespaceManager] | None = clsmap[name]
    except (KeyError, TypeError):
        kind = None
    if kind is None:
        meant = f"; did you mean 'ext:{name}'?" if f"ext:{name}" in _NEEDS else ""
        raise OptionError(f"option 'migrate_from': Beaker knows no backend {name!r}{meant}")
    return kind


def host_of(url: object) -> str:
    """Read a url's host and port, "" where it has none; no user and no password leaves."""
    try:
        return urllib.parse.urlsplit(str(url)).netloc.rpartition("@")[2]
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class Backend:
    """The backend that sessions are moved from, for one namespace: get and remove its text."""

    name: str
    options: tuple[tuple[str, Any], ...] = field(repr=False)  # a url may hold a password
    namespace: object = field(repr=False)
    timeout: float | None

    def read(self) -> str | None:
        """Return the session's text as it stands there, None where there is none.

        Raises: Unavailable, where the backend fails; CorruptItem, where it holds no text;
        OptionError, where it cannot be made.
        """
        if self._is_alias:
            return None
        manager, read = self._made(), _READERS.get(self.name, _get)
        found = self._asked(lambda: read(manager))
        if found is not None and read is not _get:
            found = self._unpickled(found)
        if found is None or isinstance(found, str):
            return found
        text = as_text(found)
        if text is None:
            raise CorruptItem(self._digest, f"its value in {self.name} is not text")
        return text

    def _unpickled(self, pickled: object) -> object:
        """Read the text, or the dict with the text, that one of Beaker's backends pickled."""
        found = safe_load(pickled)
        if found is None:
            raise CorruptItem(self._digest, f"its value in {self.name} is damaged")
        return found.get(_SESSION) if isinstance(found, dict) else found

    def remove(self) -> None:
        """Remove the session's text there.

        Raises: Unavailable, OptionError.
        """
        if self._is_alias:
            return
        manager, remove = self._made(), _REMOVERS.get(self.name, _look_and_delete)
        self._asked(lambda: remove(manager))

    @property
    def _is_alias(self) -> bool:
        """Tell whether Beaker keeps this id in the file of another one (beaker/util.py:236).

        There `x/ID` and `I.D` are ID. Here each would become a row of its own, which a logout of ID
        would leave behind: whoever has seen the cookie would stay logged in.
        """
        text = as_text(self.namespace) or ""
        own = os.path.basename(text).replace(".", "")  # noqa: PTH119  # as Beaker has it
        return self.name in _FILES and own != text

    @property
    def _digest(self) -> str:
        return digest(as_text(self.namespace) or "")

    def _made(self) -> NamespaceManager:
        kind, options = kind_of(self.name), dict(self.options)
        if self.name in _TABLES:
            options = {"migrate_from": "none", **options}
        try:
            return kind(
                self.namespace, timeout=self.timeout, **{"digest_filenames": False, **options}
            )
        except OptionError:
            raise
        except Exception as error:  # noqa: BLE001  # a backend raises what it likes
            wrong = type(error).__name__
        if wrong in _MISTAKES:
            raise OptionError(
                f"option 'migrate_from': the backend {self.name!r} cannot be created ({wrong});"
                f" give its own options as {_WANTS.get(self.name, _ANY)[1]}"
            )
        raise self._failed(wrong)

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except OptionError:  # a table of ours says itself what is wrong
            raise
        except (pickle.UnpicklingError, EOFError):
            wrong = ""
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not look like a miss
            wrong = type(error).__name__
        # Raised here, so that no context holds what the backend said: it may name the session.
        if not wrong:
            raise CorruptItem(self._digest, f"its value in {self.name} is damaged")
        raise self._failed(wrong)

    def _failed(self, wrong: str) -> Unavailable:
        host = host_of(dict(self.options).get("url", ""))
        at = f" at {host}" if host else ""
        return Unavailable(
            f"the backend {self.name!r} of option 'migrate_from'{at} failed: {wrong}"
        )


def _get(manager: NamespaceManager) -> object:
    manager.acquire_read_lock()
    try:
        return manager[_SESSION]
    except KeyError:
        return None
    finally:
        manager.release_read_lock()


def _delete(manager: NamespaceManager) -> None:
    manager.acquire_write_lock()
    try:
        del manager[_SESSION]
    except KeyError:
        return
    finally:
        manager.release_write_lock()


def _look_and_delete(manager: NamespaceManager) -> None:
    """Delete what is there; a backend may else write for a session that it never had."""
    if _get(manager) is not None:
        _delete(manager)


def read_file(path: Path) -> tuple[bytes, float]:
    """Return the content of a file, and when it was written, in epoch seconds.

    Whoever may write the folder chooses what stands there. A pipe, at which a reader would wait for
    ever, a device, and a file of more than 64 MB have no content here.

    Raises: OSError.
    """
    with open(path, "rb", opener=_without_waiting) as file:  # Path has no opener
        found = os.fstat(file.fileno())
        is_sound = stat.S_ISREG(found.st_mode) and found.st_size <= _MAX_FILE
        return file.read(_MAX_FILE) if is_sound else b"", found.st_mtime


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # which Windows does not have


def _read_file(manager: Any) -> bytes | None:
    """Read a session's file under Beaker's lock (beaker/container.py:664).

    As for Beaker, one that may not be read is none.
    """
    manager.access_lock.acquire_read_lock()
    try:
        return read_file(Path(manager.file))[0]
    except (FileNotFoundError, PermissionError):
        return None
    finally:
        manager.access_lock.release_read_lock()


def _remove_file(manager: Any) -> None:
    """Remove a session's file; Beaker's own `remove()` says nothing where that fails."""
    manager.access_lock.acquire_write_lock()
    try:
        Path(manager.file).unlink(missing_ok=True)
    finally:
        manager.access_lock.release_write_lock()


def has_plain_files(path: Path) -> bool:
    """Tell whether the files of a dbm are files; the library would wait at a pipe for ever."""
    ends = ("", ".db", ".dat", ".dir", ".pag")
    files = [path.with_name(path.name + end) for end in ends]
    return all(file.is_file() or not file.exists() for file in files)


def _read_dbm(manager: Any) -> bytes | None:
    if not has_plain_files(Path(manager.file)):
        return b""
    manager.acquire_read_lock()
    try:
        pickled: bytes = manager.dbm[_SESSION]
    except KeyError:
        return None
    finally:
        manager.release_read_lock()
    return pickled


def _read_redis(manager: Any) -> object:
    found: object = manager.client.get(manager._format_key(_SESSION))  # noqa: SLF001  # Beaker's only word for it
    return found


def _read_database(manager: Any) -> object:
    """Read the pickled column as it stands there (beaker/ext/sqla.py:65).

    No type is named: SQLAlchemy would make a number in it that many bytes. A database may compare
    without regard to case, as MySQL does by default: an id that is only alike has no session.
    """
    import sqlalchemy

    table, namespace = manager.table, manager.namespace
    pickled = sqlalchemy.type_coerce(table.c.data, sqlalchemy.types.NullType)
    query = sqlalchemy.select(table.c.namespace, pickled).where(table.c.namespace == namespace)
    with manager.bind.connect() as connection:
        rows = connection.execute(query).all()
    return next((data for name, data in rows if as_text(name) == as_text(namespace)), None)


def _remove_row(manager: Any) -> None:
    if _read_database(manager) is not None:
        manager.remove()


#: How what a backend of Beaker's pickled is read, where its manager would unpickle it. Those of
#: memcached, MongoDB and Google are asked in Beaker's own way; `envelope = json` refuses them.
_READERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "file": _read_file,
    "dbm": _read_dbm,
    "ext:redis": _read_redis,
    "ext:rediscluster": _read_redis,
    "ext:database": _read_database,
    "ext:sqla": _read_database,
}
#: How a session is removed where Beaker's manager would unpickle it first. The namespace of a file
#: or row holds nothing but the session.
_REMOVERS: Final[Mapping[str, Callable[[Any], None]]] = {
    "file": _remove_file,
    "dbm": _delete,
    "ext:redis": _delete,
    "ext:rediscluster": _delete,
    "ext:database": _remove_row,
    "ext:sqla": _remove_row,
}
