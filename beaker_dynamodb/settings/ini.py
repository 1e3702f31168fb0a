"""Read PasteDeploy's ini files without PasteDeploy: sections, `[DEFAULT]`, `%(here)s`, `use`.

PasteDeploy would load the application that a section names, and an operator's machine need not
have it. The result is a section's settings; `application.py` interprets them.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from beaker_dynamodb.config.sources import PlacedText
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

    Its values are texts that know the line that sets them. `local` are its own settings, which are
    Pyramid's. `shared` are those of `[DEFAULT]` and of `set NAME = VALUE`, which PasteDeploy passes
    apart, as `global_config`. `lost` are names of the section that `[DEFAULT]` has too: the
    section's own value is nowhere. `name` is its full name, "" for no section; `use` is the code
    that it uses at last, "" if there is none.
    """

    local: dict[str, str] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    name: str = ""
    use: str = ""

    @property
    def settings(self) -> dict[str, str]:
        """Both, as `appconfig()` and TurboGears have them."""
        return self.shared | self.local


def read_settings(config: str | None, *names: Sequence[str]) -> dict[str, str]:
    """Return the settings of the section that `find_section` finds; args and errors are its own."""
    return find_section(config, *names).settings


def find_section(config: str | None, *names: Sequence[str]) -> Section:
    """Return the section that *config* names, or that sets one of *names*.

    `main` is preferred. A filter of a pipeline may set it instead: `[filter:session]`.

    Args:
        config: `file.ini` or `file.ini#section`; None is an empty section.
        names: if no section sets one of the first, one that sets one of the second, and so on.

    Raises: OptionError, if there is no such file or section, or several could be meant.
    """
    if config is None:
        return Section()
    path, _, name = config.partition("#")
    if name:
        return read_section(config)
    parser = _parse(Path(path))
    has_main = any(parser.has_section(full) for full in _list_full_names(_MAIN))
    main = read_section(path) if has_main else Section()
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
    defaults: dict[str, str] = {
        option: _get(parser, parser.default_section, option) for option in parser.defaults()
    }
    own: dict[str, str] = {
        option: _get(parser, section, option) for option in parser.options(section)
    }
    added = {n.removeprefix("set ").strip(): own[n] for n in own if n.startswith("set ")}
    shared = defaults | shared | added
    local = {n: v for n, v in own.items() if n not in defaults and not n.startswith(_PREFIXES)}
    for option, value in own.items():
        if option.startswith("get "):
            local[option.removeprefix("get ").strip()] = PlacedText(
                shared.get(value, ""), _say_place(parser, section, option)
            )
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


class _Parser(configparser.ConfigParser):
    """A parser of an ini file that knows on which line an option is set.

    configparser matches each section's header by `SECTCRE`, and converts each option's name by
    `optionxform()`. Both are its documented hooks, and neither is used for a value's further lines.
    """

    def __init__(self, path: Path, defaults: Mapping[str, str]) -> None:
        """Prepare to read *path*; *defaults* are options without a line."""
        self.path = path
        self.lines: dict[tuple[str, str], int] = {}
        self._section, self._line = "", 0
        super().__init__(defaults=defaults, strict=False)
        header: Any = SimpleNamespace(match=self._match_header)
        self.SECTCRE = header

    def read_lines(self, lines: Iterator[str]) -> None:
        """Read the file."""
        self.read_file(self._count(lines))
        self._line = 0

    def optionxform(self, optionstr: str) -> str:
        """Return an option's name as it is, and remember the line that is being read."""
        if self._line:
            self.lines[self._section, optionstr] = self._line
        return optionstr

    def _count(self, lines: Iterator[str]) -> Iterator[str]:
        for self._line, text in enumerate(lines, start=1):
            yield text

    def _match_header(self, text: str) -> re.Match[str] | None:
        found = configparser.ConfigParser.SECTCRE.match(text)
        self._section = found.group("header") if found else self._section
        return found


def find_places(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the settings whose texts know the line of the file that set them.

    The file is the setting `__file__`, which PasteDeploy gives to filters and TurboGears, but not
    to Pyramid's applications. It does not give the section, so a text stays as it is if several
    lines, or none, set it.
    """
    result = dict(settings)
    path = settings.get("__file__")
    try:
        parser = _parse(Path(path if isinstance(path, str) else ""))
    except OptionError:
        return result
    places: dict[str, set[str]] = {}
    for section, option in parser.lines:
        name = option.removeprefix("set ").strip()
        found = _get(parser, section, option)
        if found == settings.get(name):
            places.setdefault(name, set()).add(found.place)
    for name, known in places.items():
        if len(known) == 1:
            result[name] = PlacedText(settings[name], *known)
    return result


def _parse(path: Path) -> _Parser:
    """Parse a file as PasteDeploy does: names keep their case, `here` is the file's folder."""
    try:
        full = path.absolute()  # which fails in a folder that a deploy has removed
        defaults = {"here": str(full.parent), "__file__": str(full)}
        parser = _Parser(path, defaults)
        with path.open(encoding="utf-8") as file:
            parser.read_lines(file)
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


def _get(parser: _Parser, section: str, option: str) -> PlacedText:
    """Return a value; one that configparser cannot interpolate is returned as it is."""
    try:
        value = parser.get(section, option)
    except configparser.InterpolationError:  # a secret with a single percent sign
        value = parser.get(section, option, raw=True)
    return PlacedText(value.strip(), _say_place(parser, section, option))


def _say_place(parser: _Parser, section: str, option: str) -> str:
    """Say where an option of a section is set: in the section itself or in `[DEFAULT]`."""
    for one in (section, parser.default_section):
        if line := parser.lines.get((one, option)):
            return f"line {line} of {parser.path}"
    return f"section {section} of {parser.path}"
