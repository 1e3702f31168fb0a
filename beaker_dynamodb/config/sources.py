"""Collect options from their sources: the environment, `configure()`, and Beaker's arguments.

Later ones override earlier ones, and in each source the single options override its `url`. Ini
strings and Python values go in, one frozen `Options` comes out. A caller that keeps it must parse
again when `generation` has changed. Beaker's own options are left out by name; an unknown name that
is close to one of ours is an error.
"""

from __future__ import annotations

import logging
import math
import os
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any, Final, Literal

from beaker_dynamodb import logs
from beaker_dynamodb.config import parsers
from beaker_dynamodb.config.names import (
    BEAKER_OPTIONS,
    MIGRATE_FROM,
    NAMES,
    SOURCE_PREFIX,
    is_known,
    refuse_misspelled,
    resolve_alias,
)
from beaker_dynamodb.config.options import OPTIONS, Options, validate
from beaker_dynamodb.errors import OptionError, mask_repr, raise_clean
from beaker_dynamodb.runtime import on_reset

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack  # Python 3.10 has none of its own

    from beaker_dynamodb.config.option_types import OptionValues

log: Final = logging.getLogger(__name__)

Kind = Literal["session", "cache"]
ENVIRONMENT = "BEAKER_DYNAMODB_"
#: Beaker passes a key such as "session.table" twice, with and without its prefix, if it came as a
#: keyword argument.
_PREFIXES = ("session.", "cache.", "beaker.")
#: Why a value that is followed by a comment is refused, whatever option it is given to.
_COMMENT_REFUSED = (
    "what follows white space and '#' or ';' looks like a comment, and ini files have no comments"
    " after a value: put it on a line of its own"
)
_COMMENT = re.compile(r"(?:^|\s)[#;]")

_URL_EXPECTED = "option 'url' is expected as dynamodb://REGION/TABLE?option=value"
#: What is logged of a url that belongs to another backend. It may stay; or it is a mistake.
FOREIGN_URL: Final = "option 'url' is not of the form dynamodb://REGION/TABLE; it is ignored"
_SCHEME = "dynamodb"
_URL_REGION = re.compile(r"[A-Za-z0-9-]*", re.ASCII)
#: A region of AWS. If a `url` has no table, its host must be one: it may be meant as the table.
_AWS_REGION = re.compile(r"([a-z]+-){2,}\d+", re.ASCII)

_defaults: dict[str, object] = {}
#: How often the defaults have changed.
generation: int = 0


class PlacedText(str):
    """A text that knows where it is set: `place` is "line 7 of production.ini", or a variable."""

    __slots__ = ("place",)
    place: str

    def __new__(cls, text: str, place: str) -> Self:
        """Return *text* with its place."""
        self = super().__new__(cls, text)
        self.place = place
        return self


def say_place(value: object) -> str:
    """Return " in line 7 of production.ini" for a text of an ini file, else ""."""
    return f" in {value.place}" if isinstance(value, PlacedText) else ""


def parse(given: Mapping[str, object], kind: Kind) -> Options:
    """Return the `Options` of a manager, from Beaker's arguments and the other sources.

    Raises: OptionError, naming the option, where it is set, its value and what is expected.
    """
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    if kind == "cache":
        values = {
            n: row.cache_default for n, row in OPTIONS.items() if row.cache_default is not None
        }
    layers: tuple[tuple[Mapping[str, object], Callable[[Any], str]], ...] = (
        (_read_environment(), lambda text: f" set by environment variable {text.place}"),
        (_defaults, lambda _: " set by configure()"),
        (given, say_place),
    )
    for layer, say in layers:
        for options, set_by in _option_layers(layer, kind, say):
            if layer is given and kind == "session" and "serializer" in options:
                raise OptionError(
                    "option 'serializer' is for caches; a session's is Beaker's own"
                    " 'session.data_serializer'"
                )
            places |= set_by
            for name, value in options.items():
                values[name] = _parse_value(name, value, places[name])
    gathered = _gather_source_options(values, kind, given)
    try:
        _require_keys(values)
        return validate(Options(**gathered, places=places))
    except OptionError as error:
        raise_clean(OptionError(add_places(str(error), places)))


def _require_keys(values: Mapping[str, Any]) -> None:
    """Refuse encryption that *values* ask for without a key; the default asks for nothing."""
    if values.get("encryption_required") and not values.get("encryption_keys"):
        raise OptionError(
            "option 'encryption_required' is true, and 'encryption_keys' holds no key: nothing"
            " would be encrypted"
        )


def _gather_source_options(
    values: dict[str, Any], kind: Kind, given: Mapping[str, object]
) -> dict[str, Any]:
    """Return *values* with the options of the source backend in one of them."""
    source_options = {
        name.removeprefix(SOURCE_PREFIX): value
        for name, value in values.items()
        if name.startswith(SOURCE_PREFIX)
    }
    own = {name: value for name, value in values.items() if not name.startswith(SOURCE_PREFIX)}
    if kind == "cache":  # it may be a default of the process, for its sessions
        if any(name.partition(".")[0] == MIGRATE_FROM and given[name] for name in given):
            raise OptionError("option 'migrate_from' is for sessions; a cache fills itself again")
        return own | {MIGRATE_FROM: None}
    if source_options and MIGRATE_FROM not in own:
        name = mask_repr(SOURCE_PREFIX + min(source_options))
        hint = "set migrate_from = none if there is no old backend"
        raise OptionError(f"option {name} has no effect without 'migrate_from'; {hint}")
    if own.get(MIGRATE_FROM) is None:  # the value `none` overrides a lower layer
        return own
    try:
        hash(tuple(source_options.values()))
    except TypeError:
        raise_clean(
            OptionError("an option of 'migrate_from' is expected as a text, not as a list or dict")
        )
    return own | {"migrate_from_options": tuple(sorted(source_options.items()))}


def _read_environment() -> dict[str, object]:
    """Return the values of the variables BEAKER_DYNAMODB_<OPTION>; the place is the variable."""
    variables = {ENVIRONMENT + name.upper(): name for name in (*NAMES, "url")}
    values: dict[str, object] = {}
    for variable, value in os.environ.items():
        if variable in variables:
            values[variables[variable]] = PlacedText(value, variable)
        elif variable.startswith(ENVIRONMENT):
            refuse_misspelled(variable, variables)
            _ignore(f"not options of beaker_dynamodb, and ignored: {mask_repr(variable)}")
    return values


def _option_layers(
    layer: Mapping[str, object], kind: Kind, say: Callable[[Any], str]
) -> Iterator[tuple[dict[str, object], dict[str, str]]]:
    """Yield the options in the layer's `url`, then the layer's other options, by their own names.

    Beside them it yields what a message says of where each is set, which follows the option's name:
    " set by configure()", " in line 7 of production.ini", or "" if its line is not known.

    Args: *say* returns that for a value of this layer.
    """
    options = _normalize(layer)
    places = {name: say(value) for name, value in options.items()}
    url = options.pop("url", None)
    if url is not None:
        found = _parse_url(url)
        if found is None and kind == "session":  # pyramid_beaker passes a cache.url to all caches
            _ignore(FOREIGN_URL)
        in_url = _normalize(found or {})
        if "url" in in_url:
            raise OptionError("option 'url' cannot contain another 'url'")
        yield in_url, dict.fromkeys(in_url, f" set in option 'url'{places.pop('url')}")
    yield options, places


def _parse_url(url: object) -> dict[str, object] | None:
    """Return the options in *url*, as texts; None if it is another backend's.

    Raises: OptionError, which shows no part of the url.
    """
    if not isinstance(url, str):
        raise OptionError(_URL_EXPECTED)
    address, _, query = url.strip().partition("?")
    scheme, _, path = address.partition(":")
    if scheme.lower() != _SCHEME:
        if parsers.find_nearest(scheme, [_SCHEME]):
            raise OptionError(_URL_EXPECTED)
        return None
    if _has_comment(url):
        raise OptionError(f"{_URL_EXPECTED}; {_COMMENT_REFUSED}")
    region, _, table = path.removeprefix("//").partition("/")
    table = urllib.parse.unquote(table.strip("/"))
    pairs = _parse_query(query)
    if not path.startswith("//") or not _URL_REGION.fullmatch(region) or "/" in table or "#" in url:
        raise OptionError(_URL_EXPECTED)
    if region and not table and not _AWS_REGION.fullmatch(region):
        raise OptionError(f"{_URL_EXPECTED}; it names no table, and what it names is not a region")
    if len({name for name, _ in pairs}) < len(pairs):
        raise OptionError("option 'url' names an option twice")
    return {"region": region, "table": table, **dict(pairs)}


def _parse_query(query: str) -> list[tuple[str, str]]:
    """Parse `option=value&...`; a plus stays a plus, as in keys in base64."""
    try:
        pairs = urllib.parse.parse_qsl(
            query.replace("+", "%2B"), keep_blank_values=True, strict_parsing=bool(query)
        )
    except ValueError:
        pairs = [("", "")]
    if not all(name for name, _ in pairs):
        raise OptionError(_URL_EXPECTED)
    return pairs


def _normalize(layer: Mapping[str, object]) -> dict[str, object]:
    """Return our options that have a value, by their own names.

    Logs the options of other backends in one line.

    Raises: OptionError, if a name is a misspelling of one of ours.
    """
    options: dict[str, object] = {}
    others: list[str] = []
    for name, value in layer.items():
        if value is None or value == "" or name in BEAKER_OPTIONS or name.startswith(_PREFIXES):
            continue
        if name in NAMES or name == "url" or name.startswith(SOURCE_PREFIX):
            own = NAMES.get(name, name)
            if own == name or own not in options:  # the own name overrides an alias
                options[own] = value
        else:
            refuse_misspelled(name, NAMES, say_place(value))
            others.append(mask_repr(name))
    if others:
        _ignore(f"not options of beaker_dynamodb, and ignored: {', '.join(others)}")
    return options


def select_options(layer: Mapping[str, object], *, with_url: bool = False) -> dict[str, object]:
    """Return our options that have a value, by their own names; a url only if it is one of ours.

    Nothing is refused or logged. Args: *with_url* adds the options in the url, as texts.
    """
    ours = {n: v for n, v in layer.items() if n in NAMES or n == "url"}
    options = _normalize(ours)
    try:
        in_url = _parse_url(options["url"]) if "url" in options else None
    except OptionError:  # `parse` says what is wrong with it
        in_url = {}
    if in_url is None:
        options.pop("url", None)
    elif with_url:
        return {resolve_alias(name): one for name, one in in_url.items() if one} | options
    return options


def add_places(message: str, places: Mapping[str, str]) -> str:
    """Add to an error's message where the options are set that it names, if not by themselves."""
    named = [
        f"{name!r} is{place}"
        for name, place in places.items()
        if place and re.search(rf"options? '?{name}\b|'{name}'", message)
    ]
    return f"{message} ({', '.join(named)})" if named else message


def _ignore(message: str) -> None:
    """Log a message once in this process, which says that something is ignored."""
    logs.log_once_a_minute(log, message, period=math.inf)


def split_refused(given: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """Split settings into options to parse together, and messages of those refused by name.

    Returns: the options, never more than the table has, however many settings are given; and why
    each of the others is refused. Settings that `parse` ignores are in neither. Only the first
    option of `migrate_from` by name is kept, as `parse` does not read their values.
    """
    options: dict[str, object] = {}
    messages: dict[str, str] = {}
    for name, value in given.items():
        if value is None or value == "" or name in BEAKER_OPTIONS or name.startswith(_PREFIXES):
            continue
        try:
            if is_known(name, place=say_place(value)):
                options[name] = value
            if name.startswith(SOURCE_PREFIX):
                _parse_value(name, value, say_place(value))
        except OptionError as error:
            options.pop(name, None)
            messages[name] = str(error)
    for name in sorted(name for name in options if name.startswith(SOURCE_PREFIX))[1:]:
        del options[name]
    return options, messages


def _parse_value(name: str, value: object, place: str = "") -> object:
    """Parse one value. For any option, a text that is followed by a comment is refused.

    Args: *place* is where it is set, as `_option_layers` says it.
    """
    row = OPTIONS.get(name)  # None: an option of the source backend, which parses it itself
    reasons, parsed = [], value
    try:
        if row is not None:
            parsed = row.parser(value)
    except parsers.BadValue as error:
        reasons.append(f"expected {error}")
    if _has_comment(value):
        reasons.append(_COMMENT_REFUSED)
    if not reasons:
        return parsed
    is_secret = row is None or row.secret
    text = "a value that is not shown here" if is_secret else mask_repr(value)
    raise OptionError("; ".join((f"option {mask_repr(name)}{place} has {text}", *reasons)))


def _has_comment(value: object) -> bool:
    """Return whether a text contains what was meant as a comment: white space, then `#` or `;`."""
    return isinstance(value, str) and _COMMENT.search(value.strip()) is not None


def configure(**defaults: Unpack[OptionValues]) -> AbstractContextManager[object]:
    """Set default options for every manager of this process, or, in a `with` block, until its end.

    They override the environment, and are overridden by an ini file or a constructor's arguments.

    Args: the options of the table, and `url`.
    Raises: OptionError, at once rather than at the first request; also for a name that is not an
    option, or has the prefix of an ini file.
    """
    for name in defaults:
        _refuse_foreign(name)
    before = dict(_defaults)
    _set_defaults(before | defaults)
    try:
        parse({}, "cache")
    except OptionError:
        _set_defaults(before)
        raise
    restore = ExitStack()
    restore.callback(_set_defaults, before)
    return restore


def _refuse_foreign(name: str) -> None:
    """Refuse names that are ignored in an ini file, which holds Beaker's options too."""
    plain = name.removeprefix("beaker.").removeprefix("session.").removeprefix("cache.")
    if plain != name:
        raise OptionError(
            f"configure() takes options without a prefix: {mask_repr(plain)}, not {mask_repr(name)}"
        )
    if name in BEAKER_OPTIONS or not is_known(name):
        raise OptionError(
            f"option {mask_repr(name)} is not an option of beaker_dynamodb;"
            " give Beaker's own options to Beaker"
        )


def _set_defaults(values: Mapping[str, object]) -> None:
    global generation  # noqa: PLW0603  # it only counts up
    _defaults.clear()
    _defaults.update(values)
    generation += 1


def forget() -> None:
    """Forget the defaults of `configure()`."""
    _set_defaults({})


on_reset(forget)
