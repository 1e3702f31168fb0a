"""The options of the source backend: where its sessions are, and which of them are mistakes.

Beaker ignores an option that it does not know. A misspelled one would give a backend without
sessions, and all users would be logged out without an error.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from beaker_dynamodb.config import sources
from beaker_dynamodb.config.names import SOURCE_PREFIX
from beaker_dynamodb.config.parsers import find_misspelled, find_nearest
from beaker_dynamodb.errors import OptionError, mask_repr, raise_clean

if TYPE_CHECKING:
    from beaker.container import NamespaceManager

log: Final = logging.getLogger(__name__)

#: How an error names an option, or the one that is meant.
_NAMED: Final = re.compile(r"\b(option|mean) '")

#: The names of this package's own backend.
TABLES: Final = frozenset({"ext:dynamodb", "dynamodb"})
_EXTRA: Final = "'beaker-dynamodb[migration]'"
#: The package that a backend imports, and what installs it. Beaker itself imports it only with the
#: first session.
_REQUIRED_PACKAGES: Final[Mapping[str, tuple[str, str]]] = {
    "ext:redis": ("redis", _EXTRA),
    "ext:rediscluster": ("redis", _EXTRA),
    "ext:database": ("sqlalchemy", _EXTRA),
    "ext:sqla": ("sqlalchemy", _EXTRA),
    "ext:mongodb": ("pymongo", "pymongo"),
}
#: The options of which a backend needs one, and how it is written.
REQUIRED_OPTIONS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "ext:redis": (("url",), "migrate_from.url = redis://HOST:PORT/DB"),
    "ext:database": (("url",), "migrate_from.url = DIALECT://HOST/NAME"),
    "file": (("data_dir", "file_dir"), "migrate_from.data_dir = FOLDER"),
    "dbm": (("data_dir", "dbm_dir"), "migrate_from.data_dir = FOLDER"),
}
#: Beaker accepts its two folders with each backend.
_FOLDERS: Final = ("data_dir", "lock_dir")
#: All options of a backend. Those that are not here are not checked.
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "file": (*_FOLDERS, "file_dir"),
    "dbm": (*_FOLDERS, "dbm_dir"),
    "ext:redis": (*_FOLDERS, "url"),
    "ext:database": (*_FOLDERS, "url", "table_name", "schema_name"),
}
#: Backends that keep each session in a file of its own, named by the id.
FILE_BACKENDS: Final = frozenset({"file", "dbm"})
#: What precedes the path in a name of SQLite's that is a URL: `file:`, `file://localhost`.
_SQLITE_URI: Final = re.compile(r"^file:(//[^/]*)?")


def get_data_path(name: str, options: Mapping[str, object]) -> str | None:
    """Return the folder of a backend's files (beaker/container.py:513 and 630).

    For a database in a file it is that file. None for other backends, and if no option names it.
    """
    if name == "ext:database":
        return _get_sqlite_path(str(options.get("url", "")))
    if name not in FILE_BACKENDS:
        return None
    if own := options.get(f"{name}_dir"):
        return str(own)
    parent = options.get("data_dir")
    return f"{parent}/container_{name}" if parent else None


def find_missing_path(name: str, options: Mapping[str, object]) -> str:
    """Return the folder or file of a backend, in quotes, if it cannot be seen; "" if it can."""
    path = get_data_path(name, options)
    if path is None or os.path.exists(path):  # noqa: PTH110  # Path raises PermissionError
        return ""
    return mask_repr(os.path.abspath(path))  # noqa: PTH100  # links are kept


def _get_sqlite_path(url: str) -> str | None:
    """Return the file that SQLAlchemy's URL names; None for a database in memory or on a server.

    With `uri=true` the name is itself a URL, as in `file:sessions.db` (SQLite: URI Filenames).
    """
    scheme, _, rest = url.partition(":///")
    name, _, query = rest.partition("?")
    arguments = dict(urllib.parse.parse_qsl(query))
    if scheme.partition("+")[0] != "sqlite":
        return None
    if "uri" in arguments:
        name = urllib.parse.unquote(_SQLITE_URI.sub("", name))
    is_in_memory = name == ":memory:" or arguments.get("mode") == "memory"
    return None if is_in_memory else name or None


def validate_source(name: str, options: Mapping[str, object]) -> None:
    """Check a backend's package and options, before a request needs a session of it.

    Logs a warning if its folder or file does not exist: it may be mounted later.

    Raises: OptionError, as `find_backend_class`, and if an option is misspelled, or a required one
    is missing. The options of a table of ours are checked as the application's own are.
    """
    find_backend_class(name)
    _check_names(name, options)
    names, example = REQUIRED_OPTIONS.get(name, ((), ""))
    if names and not any(options.get(one) for one in names):
        raise OptionError(f"option 'migrate_from': {name} needs {example}")
    if name in FILE_BACKENDS and not any(options.get(one) for one in _FOLDERS):
        example = "migrate_from.lock_dir = FOLDER"  # beaker/container.py:640
        raise OptionError(f"option 'migrate_from': {name} needs {example}, for its locks")
    if missing := find_missing_path(name, options):
        log.warning(
            "option 'migrate_from': there is no %s, so logouts and requests for old sessions fail",
            missing,
        )


def _check_names(name: str, options: Mapping[str, object]) -> None:
    """Raise OptionError for an option that is misspelled, or that a table of ours refuses.

    Logs a warning of others that the backend ignores; `sa.` begins SQLAlchemy's.
    """
    if name in TABLES:
        try:
            sources.parse({"migrate_from": "none", **options}, "session")
        except OptionError as error:
            raise_clean(OptionError(_NAMED.sub(rf"\1 '{SOURCE_PREFIX}", str(error))))
    known = OPTIONS.get(name, ())
    unknown = [one for one in options if known and one not in known and not one.startswith("sa.")]
    for option in unknown:
        if meant := find_misspelled(option, known):
            wrong, right = mask_repr(SOURCE_PREFIX + option), SOURCE_PREFIX + meant
            raise OptionError(f"unknown option {wrong}; did you mean {right!r}?")
    if unknown:
        ignored = ", ".join(mask_repr(SOURCE_PREFIX + one) for one in unknown)
        log.warning("not options of %s, and ignored: %s", name, ignored)


def require_package(name: str, begin: str = "") -> None:
    """Raise OptionError if a backend's package is not installed; *begin* is before the message."""
    package, requirement = _REQUIRED_PACKAGES.get(name, ("", ""))
    if package and importlib.util.find_spec(package) is None:
        raise OptionError(f"{begin}{name} needs {package}: pip install {requirement}")


def find_backend_class(name: str) -> Callable[..., NamespaceManager]:
    """Return the class of a backend of Beaker's.

    Raises: OptionError, if Beaker has none of that name, or a package that it needs is not
    installed.
    """
    from beaker.cache import clsmap

    require_package(name, "option 'migrate_from': ")
    try:
        backend_class: Callable[..., NamespaceManager] | None = clsmap[name]
    except (KeyError, TypeError):
        backend_class = None
    if backend_class is None:
        hint = suggest_backend(name, ("memory", "file", "dbm", *_REQUIRED_PACKAGES))
        raise OptionError(f"option 'migrate_from': Beaker knows no backend {name!r}{hint}")
    return backend_class


def suggest_backend(name: str, names: Iterable[str]) -> str:
    """Return the end of a sentence that suggests the one of *names* that is probably meant.

    It is "" if none is close. What makes most mistakes is `ext:`, which some names begin with.
    """
    short = {one.removeprefix("ext:"): one for one in names}
    near = find_nearest(name.removeprefix("ext:"), short)
    return f"; did you mean {short[near]!r}?" if near else ""
