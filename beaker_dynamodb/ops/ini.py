"""Read PasteDeploy's ini files without PasteDeploy: sections, `[DEFAULT]`, `%(here)s`, `use`.

PasteDeploy would load the application that a section names, and an operator's machine need not
have it. The result is a section's settings; `application.py` interprets them.
"""

from __future__ import annotations

import configparser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from beaker_dynamodb.errors import OptionError, raise_clean

_MAIN: Final = "main"
#: What an application's section is called: its kind and a colon before the name.
_KINDS: Final = ("app", "filter", "filter-app", "composite", "pipeline")
#: Lines that set a global setting, or take the value of one.
_PREFIXES: Final = ("set ", "get ")
#: How many sections may build upon each other by `use`.
_MAX_USES: Final = 10


@dataclass(frozen=True, slots=True)
class Section:
    """A section as PasteDeploy hands it to an application (paste/deploy/loadwsgi.py:396).

    `local` are its own settings, which are Pyramid's. `shared` are those of `[DEFAULT]` and of
    `set NAME = VALUE`, which PasteDeploy passes apart, as `global_config`. `lost` are names of the
    section that `[DEFAULT]` has too: the section's own value is nowhere. `name` is its full name,
    "" for no section; `use` is the code that it uses at last, "" if there is none.
    """

    local: dict[str, str]
    shared: dict[str, str]
    lost: frozenset[str] = frozenset()
    name: str = ""
    use: str = ""

    @property
    def settings(self) -> dict[str, str]:
        """Both, as `appconfig()` and TurboGears have them."""
        return self.shared | self.local


def read_settings(config: str, *names: Sequence[str]) -> dict[str, str]:
    """Return the settings of the section that `find_section` finds; args and errors are its own."""
    return find_section(config, *names).settings


def find_section(config: str, *names: Sequence[str]) -> Section:
    """Return the section that *config* names, or that sets one of *names*.

    `main` is preferred. A filter of a pipeline may set it instead: `[filter:session]`.

    Args:
        config: `file.ini` or `file.ini#section`.
        names: if no section sets one of the first, one that sets one of the second, and so on.

    Raises: OptionError, if there is no such file or section, or several could be meant.
    """
    path, _, name = config.partition("#")
    if name:
        return read_section(config)
    parser = _parse(Path(path))
    has_main = any(parser.has_section(full) for full in _list_full_names(_MAIN))
    main = read_section(path) if has_main else Section({}, {})
    own = {one: set(parser.options(one)) - parser.defaults().keys() for one in parser.sections()}
    for group in names:
        if not main.settings.keys().isdisjoint(group):
            break
        others = [one for one, options in own.items() if not options.isdisjoint(group)]
        if len(others) > 1:
            found = ", ".join(others)
            raise OptionError(f"{path!r} sets {group[0]} in {found}; name one: {path}#{others[0]}")
        if others:
            return read_section(f"{path}#{others[0]}")
    return main if has_main else read_section(path)


def read_section(config: str) -> Section:
    """Return one section, `main` if none is named, and what it builds upon by `use`.

    Raises: OptionError, if there is no such file or section.
    """
    path, _, name = config.partition("#")
    return _read_section(path, name or _MAIN, {}, _MAX_USES)


def _read_section(path: str, name: str, shared: dict[str, str], uses: int) -> Section:
    """Return a section, and what it builds upon in up to *uses* steps.

    Args: *shared* are the global settings of the section that builds upon this one.
    """
    parser = _parse(Path(path))
    section = _find_section(parser, name, path)
    defaults = {
        option: _get(parser, parser.default_section, option) for option in parser.defaults()
    }
    own = {option: _get(parser, section, option) for option in parser.options(section)}
    added = {n.removeprefix("set ").strip(): own[n] for n in own if n.startswith("set ")}
    shared = defaults | shared | added
    local = {n: v for n, v in own.items() if n not in defaults and not n.startswith(_PREFIXES)}
    for option, value in own.items():
        if option.startswith("get "):
            local[option.removeprefix("get ").strip()] = shared.get(value, "")
    raw = parser.defaults()
    lost = frozenset(n for n in raw if parser.get(section, n, raw=True) != raw[n])
    base = local.pop("use", "")
    if base.startswith("config:"):
        other, _, name = base.removeprefix("config:").partition("#")
        path = str(Path(path).parent / other)
    elif base and ":" not in base:
        name = base
    else:
        uses = 0
    if not uses:
        return Section(local, shared, lost, section, base)
    below = _read_section(path, name or _MAIN, shared, uses - 1)
    local, shared, lost = below.local | local, below.shared | added, below.lost | lost
    return Section(local, shared, lost, section, below.use)


def _parse(path: Path) -> configparser.ConfigParser:
    """Parse a file as PasteDeploy does: names keep their case, `here` is the file's folder."""
    try:
        full = path.absolute()  # which fails in a folder that a deploy has removed
        defaults = {"here": str(full.parent), "__file__": str(full)}
        parser = configparser.ConfigParser(defaults=defaults, strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # as its documents say
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, ValueError, configparser.Error) as error:
        reason = _explain(error)
        raise_clean(OptionError(f"the file {str(path)!r} cannot be read: {reason}"))
    return parser


def _explain(error: Exception) -> str:
    """Say why a file cannot be read, without any of its text."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, ValueError):  # a null character, in the `use` of another file
        return "this is not a valid file name"
    line = getattr(error, "lineno", None)
    return "it is not an ini file" + (f" (line {line})" if line else "")


def _list_full_names(name: str) -> tuple[str, ...]:
    return (name, *(f"{kind}:{name}" for kind in _KINDS))


def _find_section(parser: configparser.ConfigParser, name: str, path: str) -> str:
    """Find a section by its full name, or by the name after its kind."""
    for full in _list_full_names(name):
        if parser.has_section(full):
            return full
    raise OptionError(
        f"{path!r} has no section {name!r}; it has {', '.join(parser.sections()) or 'none'}"
    )


def _get(parser: configparser.ConfigParser, section: str, option: str) -> str:
    """Return a value; one that configparser cannot interpolate is returned as it is."""
    try:
        return parser.get(section, option).strip()
    except configparser.InterpolationError:  # a secret with a single percent sign
        return parser.get(section, option, raw=True).strip()
