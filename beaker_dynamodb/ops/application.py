"""What an application tells Beaker, read from its own ini file, so that both mean the same table.

PasteDeploy's files: sections, `%(here)s`, `use`; then what the caller adds. The result holds our
options, parsed, and Beaker's own settings beside them.
"""

from __future__ import annotations

import configparser
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from beaker_dynamodb import sources
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.options import Options

#: The region of a cache's options that stand without a region's name.
DEFAULT_REGION: Final = "default"
_OURS: Final = frozenset({"ext:dynamodb", "dynamodb"})
_SECTIONS: Final = ("app", "filter", "filter-app", "composite", "pipeline", "server")
_MOST_FILES: Final = 10


@dataclass(frozen=True, slots=True)
class Application:
    """One application's sessions, or a region of its caches.

    `settings` are all of Beaker's, without `session.` or `cache.REGION.` before the name;
    `source` says where they come from, for a sentence.
    """

    options: Options
    kind: sources.Kind
    settings: Mapping[str, Any] = field(repr=False)
    source: str

    @property
    def secret(self) -> str | None:
        """The secret that signs the cookie, None where it is not signed."""
        return self.settings.get("secret") or None


def application(
    config: str | None = None, *, given: Mapping[str, str] | None = None, cache: str | None = None
) -> Application:
    """Read what an application tells Beaker.

    Args:
        config: an ini file, `file.ini` or `file.ini#section`; `main` if no section is named.
        given: options that win over the file's; a name may keep its `session.` or `cache.`.
        cache: the region of a cache, `default` for the options without one; None: sessions.

    Raises: OptionError, also where the file says that another backend is used.
    """
    kind: sources.Kind = "session" if cache is None else "cache"
    said = {} if config is None else section(config)
    settings = _session(said) if cache is None else _region(said, cache, config or "")
    source = config or "the command line"
    if config is not None:
        _is_ours({**settings, **_plain(given or {}, kind)}, kind, source)
    settings |= _plain(given or {}, kind)
    _known(_plain(given or {}, kind), kind)
    options = sources.parse(
        {name: value for name, value in settings.items() if name not in _beakers(kind)}, kind
    )
    return Application(options, kind, settings, source)


def section(config: str) -> dict[str, str]:
    """Read one section of a PasteDeploy file, and what it builds upon by `use`.

    Raises: OptionError, where there is no such file or section.
    """
    path, _, name = config.partition("#")
    found: dict[str, str] = {}
    for _ in range(_MOST_FILES):
        parser = _parser(Path(path))
        found = _items(parser, _named(parser, name or "main", path)) | found
        base = found.pop("use", "")
        if base.startswith("config:"):
            other, _, name = base.removeprefix("config:").partition("#")
            path = str(Path(path).parent / other)
        elif base and ":" not in base:
            name = base
        else:
            break
    return found


def _parser(path: Path) -> configparser.ConfigParser:
    """Parse as PasteDeploy does: names keep their case, `here` is the file's folder."""
    where = path.absolute()
    parser = configparser.ConfigParser(
        defaults={"here": str(where.parent), "__file__": str(where)}, strict=False
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # configparser's own way
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, ValueError, configparser.Error) as error:
        wrong = getattr(error, "strerror", None) or type(error).__name__
    else:
        return parser
    raise OptionError(f"the file {str(path)!r} cannot be read: {wrong}")


def _named(parser: configparser.ConfigParser, name: str, path: str) -> str:
    """Find a section by its whole name, or by what stands behind its kind."""
    for full in (name, *(f"{kind}:{name}" for kind in _SECTIONS)):
        if parser.has_section(full):
            return full
    raise OptionError(
        f"{path!r} has no section {name!r}; it has {', '.join(parser.sections()) or 'none'}"
    )


def _items(parser: configparser.ConfigParser, name: str) -> dict[str, str]:
    """Read a section; a value that is no pattern of configparser's stands as it is."""
    found = {}
    for option in parser.options(name):
        try:
            value = parser.get(name, option)
        except configparser.InterpolationError:  # a secret with a lone per cent sign
            value = parser.get(name, option, raw=True)
        found[option.removeprefix("set ")] = value.strip()
    return found


def _session(said: Mapping[str, str]) -> dict[str, Any]:
    """Take a session's settings, as Beaker's middleware does (beaker/middleware.py:128)."""
    return {
        name.removeprefix("beaker.").removeprefix("session."): value
        for name, value in said.items()
        if name.startswith(("session.", "beaker.session."))
    }


def _region(said: Mapping[str, str], region: str, source: str) -> dict[str, Any]:
    """Take a region's settings, by Beaker's own reading of them."""
    from beaker.util import parse_cache_config_options

    told: dict[str, Any] = parse_cache_config_options(dict(said))
    regions: dict[str, dict[str, Any]] = told.pop("cache_regions", {})
    if region in regions:
        return regions[region]
    if region == DEFAULT_REGION:
        return told
    if not source:
        return {}
    near = ", ".join((*regions, DEFAULT_REGION))
    raise OptionError(f"{source} has no cache region {region!r}; it has {near}")


def _is_ours(settings: Mapping[str, Any], kind: sources.Kind, source: str) -> None:
    """Refuse to speak of a table that the application does not use."""
    backend = settings.get("type")
    if backend in _OURS:
        return
    what = f"{kind}.type is {backend!r}" if backend else f"{kind}.type is not set"
    raise OptionError(
        f"in {source} {what}, not 'ext:dynamodb'; name the section that sets it, as"
        " FILE#SECTION, or say -o type=ext:dynamodb"
    )


def _plain(given: Mapping[str, str], kind: sources.Kind) -> dict[str, str]:
    """Take the beginning from names that have one; another kind's beginning is a mistake."""
    plain = {n.removeprefix("beaker.").removeprefix(f"{kind}."): v for n, v in given.items()}
    for name in plain:
        if name.startswith(("session.", "cache.")):  # `parse` would set it aside without a word
            raise OptionError(f"option {name!r} is not a {kind}'s; see --cache")
    return plain


def _known(given: Mapping[str, str], kind: sources.Kind) -> None:
    """Refuse what an ini file is only warned of: on a command line it is a mistake.

    Raises: OptionError, naming the nearest option.
    """
    for name in given:
        if name not in _beakers(kind) and not sources.is_known(name):
            raise OptionError(f"unknown option {name!r}; README lists those there are")


def _beakers(kind: sources.Kind) -> frozenset[str]:
    """Name what Beaker's `Session` keeps for itself (beaker/session.py:141)."""
    if kind == "cache":
        return frozenset()
    from beaker.session import Session

    return frozenset(inspect.signature(Session).parameters) - {"namespace_args"}
