"""PasteDeploy's ini files, read without PasteDeploy: sections, `%(here)s`, `use`.

PasteDeploy would load the application that a section names, and an operator's machine need not
have it. One dict of a section's settings comes out; what they mean is decided elsewhere.
"""

from __future__ import annotations

import configparser
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from beaker_dynamodb.errors import OptionError

_MAIN: Final = "main"
#: What an application's section is called: its kind and a colon before the name.
_KINDS: Final = ("app", "filter", "filter-app", "composite", "pipeline")
_MOST_FILES: Final = 10


def settings(config: str, wanted: Sequence[str]) -> dict[str, str]:
    """Read the section that *config* names, or the one that sets something of *wanted*.

    `main` comes first. A pipeline's filter may set it instead: `[filter:session]`.

    Args: *config* is `file.ini` or `file.ini#section`.
    Raises: OptionError, if there is no such file or section, or several could be meant.
    """
    path, _, name = config.partition("#")
    if name:
        return section(config)
    parser = _parser(Path(path))
    main = any(parser.has_section(full) for full in _full_names(_MAIN))
    found = section(path) if main else {}
    if not found.keys().isdisjoint(wanted):
        return found
    others = [one for one in parser.sections() if not _items(parser, one).keys().isdisjoint(wanted)]
    if len(others) > 1:
        named = ", ".join(others)
        raise OptionError(f"{path!r} sets {wanted[0]} in {named}; name one: {path}#{others[0]}")
    if others or not main:
        return section(f"{path}#{others[0]}" if others else path)
    return found


def section(config: str) -> dict[str, str]:
    """Read one section, `main` if none is named, and what it builds upon by `use`.

    Raises: OptionError, if there is no such file or section.
    """
    path, _, name = config.partition("#")
    found: dict[str, str] = {}
    for _ in range(_MOST_FILES):
        parser = _parser(Path(path))
        found = _items(parser, _named(parser, name or _MAIN, path)) | found
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
    try:
        where = path.absolute()  # which fails in a folder that a deploy has removed
        defaults = {"here": str(where.parent), "__file__": str(where)}
        parser = configparser.ConfigParser(defaults=defaults, strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # configparser's own way
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except OSError as error:
        wrong = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        wrong = "it is not UTF-8 text"
    except ValueError:  # a null character, out of another file's `use`
        wrong = "this is not a valid file name"
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        wrong = "it is not an ini file" + (f" (line {line})" if line else "")
    else:
        return parser
    raise OptionError(f"the file {str(path)!r} cannot be read: {wrong}")


def _full_names(name: str) -> tuple[str, ...]:
    return (name, *(f"{kind}:{name}" for kind in _KINDS))


def _named(parser: configparser.ConfigParser, name: str, path: str) -> str:
    """Find a section by its full name, or by the name after its kind."""
    for full in _full_names(name):
        if parser.has_section(full):
            return full
    raise OptionError(
        f"{path!r} has no section {name!r}; it has {', '.join(parser.sections()) or 'none'}"
    )


def _items(parser: configparser.ConfigParser, name: str) -> dict[str, str]:
    """Read a section; a value that configparser cannot interpolate is kept as it is."""
    found = {}
    for option in parser.options(name):
        try:
            value = parser.get(name, option)
        except configparser.InterpolationError:  # a secret with a lone per cent sign
            value = parser.get(name, option, raw=True)
        found[option.removeprefix("set ")] = value.strip()
    return found
