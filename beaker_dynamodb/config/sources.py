"""Where options come from, and which source wins: given, its `url`, `configure()`, environment.

Ini strings and Python values go in, one frozen `Options` comes out. Whoever asks for every request
remembers it, until `generation` changes. Beaker's own options are set aside by name; a name that is
close to one of ours is an error.
"""

from __future__ import annotations

import logging
import os
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Literal

from beaker_dynamodb.config import parsers
from beaker_dynamodb.config.options import TABLE, Options, validate
from beaker_dynamodb.errors import OptionError, raise_clean, shown
from beaker_dynamodb.runtime import on_reset

if TYPE_CHECKING:
    from typing_extensions import Unpack  # Python 3.10 has none of its own

    from beaker_dynamodb.config.option_types import OptionValues

log = logging.getLogger(__name__)

Kind = Literal["session", "cache"]
ENVIRONMENT = "BEAKER_DYNAMODB_"
#: What Beaker and its frameworks hand to every backend for purposes of their own
#: (beaker/session.py:187, beaker/middleware.py:120, beaker/util.py:375, pyramid_beaker).
LEFTOVERS = frozenset(
    "auto cache_regions class constant_csrf_token cookie_on_exception data_dir digest_filenames"
    " enabled expire key_length lock_dir log_file namespace_class regions session_class timeout"
    " type use_cookies webtest_varname".split()
)
#: Beaker passes a key like "session.table" along a second time if it came as a keyword argument.
_FOREIGN = ("session.", "cache.", "beaker.")
#: Options with the prefix belong to the source backend, which the first option names.
_MIGRATE_FROM, _SOURCE_PREFIX = "migrate_from", "migrate_from."

#: Why a value that is followed by a comment is refused, whatever option it is given to.
_COMMENT_REFUSED = (
    "what follows white space and '#' or ';' looks like a comment, and ini files have no comments"
    " after a value: put it on a line of its own"
)
_COMMENT = re.compile(r"(?:^|\s)[#;]")

# What a `url` may look like: `dynamodb://REGION/TABLE?option=value`, in place of many options
_URL_EXPECTED = "option 'url' is expected as dynamodb://REGION/TABLE?option=value"
_SCHEME = "dynamodb"
_URL_REGION = re.compile(r"[A-Za-z0-9-]*", re.ASCII)
#: What a region looks like where no table is named: a table's name alone would be taken for one.
_OF_AWS = re.compile(r"([a-z]+-){2,}\d+", re.ASCII)

_NAMES = {name: name for name in TABLE} | {row.alias: n for n, row in TABLE.items() if row.alias}
_defaults: dict[str, object] = {}
_warned: set[str] = set()
#: How often the defaults have changed: whoever remembers what was parsed compares it.
generation = 0


def parse(given: Mapping[str, object], kind: Kind) -> Options:
    """Turn what Beaker handed to a manager into `Options`.

    Raises: OptionError, naming the option, its value and what is expected.
    """
    values: dict[str, Any] = {}
    if kind == "cache":
        values = {n: row.for_caches for n, row in TABLE.items() if row.for_caches is not None}
    for layer in (_environment(), _defaults, given):
        for source in _by_url_first(layer, kind):
            if layer is given and kind == "session" and "serializer" in source:
                raise OptionError(
                    "option 'serializer' is for caches; a session's is Beaker's own"
                    " 'session.data_serializer'"
                )
            values |= {name: _cast(name, value) for name, value in source.items()}
    return validate(Options(**_gather_source_options(values, kind, given)))


def _gather_source_options(
    values: dict[str, Any], kind: Kind, given: Mapping[str, object]
) -> dict[str, Any]:
    """Collect the options of the source backend under one name."""
    source_options = {
        name.removeprefix(_SOURCE_PREFIX): value
        for name, value in values.items()
        if name.startswith(_SOURCE_PREFIX)
    }
    own = {name: value for name, value in values.items() if not name.startswith(_SOURCE_PREFIX)}
    if kind == "cache":  # a default of the process is for sessions
        if any(name.partition(".")[0] == _MIGRATE_FROM and given[name] for name in given):
            raise OptionError("option 'migrate_from' is for sessions; a cache fills itself again")
        return own | {_MIGRATE_FROM: None}
    if source_options and _MIGRATE_FROM not in own:
        name = shown(_SOURCE_PREFIX + min(source_options))
        raise OptionError(f"option {name} has no effect without 'migrate_from'")
    if own.get(_MIGRATE_FROM) is None:  # the value `none` overrides a lower layer
        return own
    try:
        hash(tuple(source_options.values()))
    except TypeError:
        raise_clean(
            OptionError("an option of 'migrate_from' is expected as a text, not as a list or dict")
        )
    return own | {"migrate_from_options": tuple(sorted(source_options.items()))}


def _environment() -> dict[str, object]:
    """Read what each variable BEAKER_DYNAMODB_<OPTION> says."""
    variables = {ENVIRONMENT + name.upper(): name for name in (*_NAMES, "url")}
    said: dict[str, object] = {}
    for variable, value in os.environ.items():
        if variable in variables:
            said[variables[variable]] = value
        elif variable.startswith(ENVIRONMENT):
            _unknown(variable, variables)
    return said


def _by_url_first(layer: Mapping[str, object], kind: Kind) -> Iterator[dict[str, object]]:
    """Yield what the layer's `url` says, then what the layer says by itself."""
    named = _named(layer)
    url = named.pop("url", None)
    if url is not None:
        found = _options_in_url(url)
        if found is None and kind == "session":  # pyramid_beaker hands a cache.url to all caches
            _ignore("option 'url' is not of the form dynamodb://REGION/TABLE")
        inside = _named(found or {})
        if "url" in inside:
            raise OptionError("option 'url' cannot contain another 'url'")
        yield inside
    yield named


def _options_in_url(url: object) -> dict[str, object] | None:
    """Read the options that *url* holds, as texts; None where it is another backend's.

    Raises: OptionError, which shows nothing of the url.
    """
    if not isinstance(url, str):
        raise OptionError(_URL_EXPECTED)
    place, _, query = url.strip().partition("?")
    scheme, _, path = place.partition(":")
    if scheme.lower() != _SCHEME:
        if parsers.find_nearest(scheme, [_SCHEME]):
            raise OptionError(_URL_EXPECTED)
        return None
    if _has_comment(url):
        raise OptionError(f"{_URL_EXPECTED}; {_COMMENT_REFUSED}")
    region, _, table = path.removeprefix("//").partition("/")
    table = urllib.parse.unquote(table.strip("/"))
    pairs = _url_pairs(query)
    if not path.startswith("//") or not _URL_REGION.fullmatch(region) or "/" in table or "#" in url:
        raise OptionError(_URL_EXPECTED)
    if region and not table and not _OF_AWS.fullmatch(region):
        raise OptionError(f"{_URL_EXPECTED}; it names no table, and what it names is not a region")
    if len({name for name, _ in pairs}) < len(pairs):
        raise OptionError("option 'url' names an option twice")
    return {"region": region, "table": table, **dict(pairs)}


def _url_pairs(query: str) -> list[tuple[str, str]]:
    """Read `option=value&...`; a plus is a plus, for keys in base64 are full of them."""
    try:
        pairs = urllib.parse.parse_qsl(
            query.replace("+", "%2B"), keep_blank_values=True, strict_parsing=bool(query)
        )
    except ValueError:
        pairs = [("", "")]
    if not all(name for name, _ in pairs):
        raise OptionError(_URL_EXPECTED)
    return pairs


def _named(layer: Mapping[str, object]) -> dict[str, object]:
    """Keep what is ours and given, under its own name; None and "" mean "not given"."""
    named: dict[str, object] = {}
    for given, value in layer.items():
        if value is None or value == "" or given in LEFTOVERS or given.startswith(_FOREIGN):
            continue
        if given in _NAMES and given != _NAMES[given]:
            named.setdefault(_NAMES[given], value)  # its own name wins over an alias
        elif given in _NAMES or given == "url" or given.startswith(_SOURCE_PREFIX):
            named[given] = value
        else:
            _unknown(given, _NAMES)
    return named


def _refuse_near(name: str, names: Iterable[str]) -> None:
    """Refuse a name that is close to one of *names*, which stand in one case of letters."""
    near = parsers.find_nearest(name, names, ENVIRONMENT)
    if near:
        raise OptionError(f"unknown option {shown(name)}; did you mean {near!r}?")


def _unknown(name: str, names: Iterable[str]) -> None:
    _refuse_near(name, names)
    _ignore(f"option {shown(name)} is not an option of beaker_dynamodb")


def _ignore(what: str) -> None:
    """Say once a process that something is ignored."""
    if what not in _warned:
        _warned.add(what)
        log.warning("%s; it is ignored", what)


def own_name(name: str) -> str:
    """Return the name in the table of an option that is given by its alias, else *name*."""
    return _NAMES.get(name, name)


def is_known(name: str, *, or_near: bool = False) -> bool:
    """Tell whether a name means something to us, or is one that Beaker hands to every backend.

    Raises: OptionError, where it is close to one of ours; True instead, if *or_near*.
    """
    if name in _NAMES or name == "url" or name in LEFTOVERS:
        return True
    if name.startswith(_SOURCE_PREFIX) or (or_near and parsers.find_nearest(name, _NAMES)):
        return True
    _refuse_near(name, _NAMES)
    return False


def sift(given: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """Part settings into options that must be parsed together, and those that are wrong alone.

    Returns: the options, never more than the table has, however many settings are given; and why
    each of the others is refused, by its name. What `parse` would ignore is in neither. Of the
    options of `migrate_from` the first by name is kept: `parse` reads no value of theirs.
    """
    together: dict[str, object] = {}
    alone: dict[str, str] = {}
    for name, value in given.items():
        if value is None or value == "" or name in LEFTOVERS or name.startswith(_FOREIGN):
            continue
        try:
            known = is_known(name)
            if name.startswith(_SOURCE_PREFIX):
                _cast(name, value)
        except OptionError as error:
            alone[name] = str(error)
        else:
            together |= {name: value} if known else {}
    for name in sorted(name for name in together if name.startswith(_SOURCE_PREFIX))[1:]:
        del together[name]
    return together, alone


def _cast(name: str, value: object) -> object:
    """Return the value that is given for an option, parsed.

    Raises: OptionError, if it cannot be parsed, or is followed by a comment.
    """
    row = TABLE.get(name)  # None: an option of the source backend, which parses it itself
    mistakes, result = [], value
    try:
        if row is not None:
            result = row.cast(value)
    except parsers.BadValue as error:
        mistakes.append(f"expected {error}")
    if _has_comment(value):
        mistakes.append(_COMMENT_REFUSED)
    if not mistakes:
        return result
    is_secret = row is None or row.secret
    given = "a value that is not shown here" if is_secret else shown(value)
    raise OptionError("; ".join((f"option {shown(name)} has {given}", *mistakes)))


def _has_comment(value: object) -> bool:
    """Tell whether a text has white space and then `#` or `;`, which was meant as a comment."""
    return isinstance(value, str) and _COMMENT.search(value.strip()) is not None


def configure(**defaults: Unpack[OptionValues]) -> AbstractContextManager[None]:
    """Set defaults for every manager of this process; as a context manager, for a while.

    Takes the options of the table and `url`. They rank below what an ini file or a
    constructor says, and above the environment.

    Raises: OptionError, at once rather than at the first request; also for a name that is none of
    ours, or that keeps the beginning that it has in an ini file.
    """
    for name in defaults:
        _refuse_foreign(name)
    before = dict(_defaults)
    _defaults.update(defaults)
    _changed()
    try:
        parse({}, "cache")
    except OptionError:
        _restore(before)
        raise
    return _until_exit(lambda: _restore(before))


def _refuse_foreign(name: str) -> None:
    """Refuse to `configure()` what an ini file may hold beside our options, and we set aside."""
    plain = name.removeprefix("beaker.").removeprefix("session.").removeprefix("cache.")
    if plain != name:
        raise OptionError(
            f"configure() takes options without a prefix: {shown(plain)}, not {shown(name)}"
        )
    if name in LEFTOVERS or not is_known(name):
        raise OptionError(
            f"option {shown(name)} is not an option of beaker_dynamodb;"
            " give Beaker's own options to Beaker"
        )


@contextmanager
def _until_exit(undo: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    finally:
        undo()


def _changed() -> None:
    """Let everybody who remembers what was parsed know that the defaults are others now."""
    global generation  # noqa: PLW0603  # it only counts up
    generation += 1


def _restore(before: Mapping[str, object]) -> None:
    _defaults.clear()
    _defaults.update(before)
    _changed()


def forget() -> None:
    """Forget what `configure()` set and what was parsed or warned of."""
    _restore({})
    _warned.clear()


on_reset(forget)
