"""Read PasteDeploy's ini files without PasteDeploy: sections, `%(here)s`, `use`.

PasteDeploy would load the application that a section names, and an operator's machine need not
have it. The result is one dict of a section's settings; `application.py` interprets them.
"""

from __future__ import annotations

import configparser
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from beaker_dynamodb.errors import OptionError, raise_clean

_MAIN: Final = "main"
#: What an application's section is called: its kind and a colon before the name.
_KINDS: Final = ("app", "filter", "filter-app", "composite", "pipeline")
#: How many sections may build upon each other by `use`.
_MAX_USES: Final = 10


def read_settings(config: str, *names: Sequence[str]) -> dict[str, str]:
    """Return the settings of the section that `find_section` finds; args and errors are its own."""
    path, _, _ = config.partition("#")
    return read_section(f"{path}#{find_section(config, *names)}")


def find_section(config: str, *names: Sequence[str]) -> str:
    """Return the full name of the section that *config* names, or that sets one of *names*.

    `main` is preferred. A filter of a pipeline may set it instead: `[filter:session]`.

    Args:
        config: `file.ini` or `file.ini#section`.
        names: if no section sets one of the first, one that sets one of the second, and so on.

    Raises: OptionError, if there is no such file or section, or several could be meant.
    """
    path, _, name = config.partition("#")
    parser = _parse(Path(path))
    if name:
        return _find_section(parser, name, path)
    has_main = any(parser.has_section(full) for full in _list_full_names(_MAIN))
    main = read_section(path) if has_main else {}
    for group in names:
        if not main.keys().isdisjoint(group):
            break
        others = [s for s in parser.sections() if not _read(parser, s).keys().isdisjoint(group)]
        if len(others) > 1:
            found = ", ".join(others)
            raise OptionError(f"{path!r} sets {group[0]} in {found}; name one: {path}#{others[0]}")
        if others:
            return others[0]
    return _find_section(parser, _MAIN, path)


def read_section(config: str) -> dict[str, str]:
    """Return one section, `main` if none is named, and what it builds upon by `use`.

    A `use` that names no section, but the code of an application or a filter, is in the result.

    Raises: OptionError, if there is no such file or section.
    """
    path, _, name = config.partition("#")
    found: dict[str, str] = {}
    for _ in range(_MAX_USES):
        parser = _parse(Path(path))
        found = _read(parser, _find_section(parser, name or _MAIN, path)) | found
        base = found.pop("use", "")
        if base.startswith("config:"):
            other, _, name = base.removeprefix("config:").partition("#")
            path = str(Path(path).parent / other)
        elif base and ":" not in base:
            name = base
        else:
            return found | ({"use": base} if base else {})
    return found


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


def _read(parser: configparser.ConfigParser, name: str) -> dict[str, str]:
    """Read a section; a value that configparser cannot interpolate is kept as it is."""
    found = {}
    for option in parser.options(name):
        try:
            value = parser.get(name, option)
        except configparser.InterpolationError:  # a secret with a single percent sign
            value = parser.get(name, option, raw=True)
        found[option.removeprefix("set ")] = value.strip()
    return found
