"""The backend that sessions are moved from: another one of Beaker's, asked for one session's text.

Whatever it raises leaves as one of our errors, which names the backend and the host of its url,
never a session or a password.
"""

from __future__ import annotations

import importlib.util
import logging
import pickle
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from beaker_dynamodb.errors import CorruptItem, OptionError, Unavailable, digest, shown
from beaker_dynamodb.item.keys import as_text

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
#: Backends that make folders, files or a table when they are only looked into.
MADE_BY_LOOKING: Final = frozenset({"file", "dbm", "ext:database", "ext:sqla"})


def place_of(name: str, options: Mapping[str, object]) -> str | None:
    """Name the folder in which a backend keeps its files (beaker/container.py:513 and 630).

    For a database in a file it is that file. None for others, and where no option names it.
    """
    if name == "ext:database":
        scheme, _, path = str(options.get("url", "")).partition(":///")
        return path.partition("?")[0] or None if scheme.partition("+")[0] == "sqlite" else None
    if name not in {"file", "dbm"}:
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
        log.warning("option 'migrate_from': there is no %s, and no session in it", shown(place))


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
        manager = self._made()
        found = self._asked(lambda: _get(manager))
        if found is None or isinstance(found, str):
            return found
        text = as_text(found)
        if text is None:
            raise CorruptItem(self._digest, f"{self.name} holds no text for it")
        return text

    def remove(self) -> None:
        """Remove the session's text there.

        Raises: Unavailable, OptionError.
        """
        manager = self._made()
        # A look first: a backend of files would else write one for a session that it never had.
        if self._asked(lambda: _get(manager)) is not None:
            self._asked(lambda: _delete(manager))

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
                f"option 'migrate_from': the backend {self.name!r} cannot be made ({wrong});"
                f" its own options are given as {_WANTS.get(self.name, _ANY)[1]}"
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
            raise CorruptItem(self._digest, f"{self.name} holds garbage for it")
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
