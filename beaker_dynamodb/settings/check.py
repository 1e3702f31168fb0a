"""Find every mistake in an application's settings, before the first request does.

Beaker creates its managers with the first session or cache, so a mistake in an option would else
be an error of the first visitor who logs in. `check()` is for an application's start;
`find_mistakes()` is what it shares with the operators' commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from beaker_dynamodb.config import sources
from beaker_dynamodb.config.parsers import find_misspelled, import_object
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.dynamodb.rows import build_rows
from beaker_dynamodb.errors import OptionError, mask_repr
from beaker_dynamodb.migration.source_options import validate_source
from beaker_dynamodb.settings import beaker_settings, ini


@dataclass(frozen=True, slots=True)
class Mistake:
    """An invalid option: its name in the file ("" if no single option is wrong), and a message."""

    name: str
    message: str

    def __str__(self) -> str:
        """Return name and message in one line."""
        return f"{self.name}: {self.message}" if self.name else self.message


def check(settings: Mapping[str, Any]) -> None:
    """Check the settings of an application's sessions and caches; call it when it starts.

    It makes no call, and imports nothing but the modules of dotted paths, so boto3 only if one of
    these does. Sessions and caches of other backends are not checked.

    Args: *settings* as a framework has them, with the names of an ini file: `session.table`,
    `beaker.session.table`, `cache.short.url`. Other settings may be among them.
    Raises: OptionError, which names all mistakes.
    """
    # The environment is read for the sessions and for each cache: its mistakes are found each time.
    mistakes = tuple(dict.fromkeys(_find_all(ini.find_places(settings))))
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        lines = "".join(f"\n  {mistake}" for mistake in mistakes)
        raise OptionError(f"there {'is' if len(mistakes) == 1 else 'are'} {count}:{lines}")


def with_cache_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the settings in which each cache region of ours has the `cache.*` options.

    Beaker hands down the type, and no option of a backend. What a region sets itself, in a line of
    its own or in its url, stays as it is.

    Raises: OptionError, if Beaker refuses the cache settings.
    """
    result = dict(settings)
    for line in beaker_settings.find_unread_lines(settings, with_url=True):
        result |= {f"cache.{region}.{line.option}": line.value for region in line.regions}
    return result


def find_mistakes(
    settings: Mapping[str, Any], kind: sources.Kind, get_full_name: Callable[[str], str]
) -> Iterator[Mistake]:
    """Yield every invalid option of the sessions or of one cache region.

    Args: *settings* without a prefix; *get_full_name* returns a setting's name in the file.
    """
    own = beaker_settings.remove_beakers(settings, kind)
    options, refused = sources.split_refused(own)
    yield from (Mistake(get_full_name(name), message) for name, message in refused.items())
    # Two options may contradict each other, or a variable of the environment may be wrong. So each
    # option is left out in turn: the one without which the message changes is the culprit.
    while message := _find_error(options, kind):
        culprit = next(
            (n for n in options if _find_error(_leave_out(options, n), kind) != message), None
        )
        yield Mistake("" if culprit is None else get_full_name(culprit), message)
        if culprit is None:  # an environment variable, a default of the process
            return
        options = _leave_out(options, culprit)
    if kind == "session":
        for name, value in settings.items():
            if message := beaker_settings.find_refusal(name, value):
                line = sources.say_place(value).removeprefix(" in ") or "it"
                yield Mistake(get_full_name(name), f"Beaker refuses {line} {message}")


def _find_all(settings: Mapping[str, Any]) -> Iterator[Mistake]:
    """Yield the mistakes of the sessions and of each cache, with the names of the settings."""
    yield from _find_all_of_one(
        settings, beaker_settings.select_session(settings), "session", "session."
    )
    try:
        shared, regions = beaker_settings.parse_caches(settings)
    except OptionError as error:
        if beaker_settings.has_own_cache(settings):
            yield Mistake("", str(error))
        return
    yield from _find_all_of_one(settings, shared, "cache", "cache.")
    for name, region in regions.items():
        yield from _find_all_of_one(settings, region, "cache", f"cache.{name}.")
    for line in beaker_settings.find_unread_lines(settings):
        place = sources.say_place(line.value).removeprefix(" in ")
        unread = f"{place} is {line}" if place else str(line)
        remedy = f"write {', '.join(line.lines)}, or check what with_cache_defaults() returns"
        yield Mistake(f"cache.{line.option}", f"{unread}; {remedy}")


def _find_all_of_one(
    settings: Mapping[str, Any], selected: Mapping[str, Any], kind: sources.Kind, prefix: str
) -> Iterator[Mistake]:
    def get_full_name(name: str) -> str:
        full = f"{prefix}{name}"
        return f"beaker.{full}" if full not in settings and f"beaker.{full}" in settings else full

    backend = selected.get("type")
    if backend not in beaker_settings.TYPES:
        near = find_misspelled(str(backend or ""), beaker_settings.TYPES)
        # A region inherits the type, and its misspelling is named where it is written.
        if near and (name := get_full_name("type")).removeprefix("beaker.") in {
            known.removeprefix("beaker.") for known in settings
        }:
            place = sources.say_place(backend)
            yield Mistake(
                name, f"Beaker has no backend {mask_repr(backend)}{place}; did you mean {near!r}?"
            )
        return
    mistakes = tuple(find_mistakes(selected, kind, get_full_name))
    yield from mistakes or _find_missing(selected, kind, get_full_name)
    yield from _find_misspelled(selected, kind, get_full_name)
    named_class = selected.get("session_class") if kind == "session" else None
    if isinstance(named_class, str):  # a TypeError in Beaker (beaker/session.py:798)
        place = sources.say_place(named_class)
        yield Mistake(
            get_full_name("session_class"),
            f"Beaker expects a class, not a text{place}: set it in the application's code",
        )


def _find_misspelled(
    selected: Mapping[str, Any], kind: sources.Kind, get_full_name: Callable[[str], str]
) -> Iterator[Mistake]:
    """Yield each misspelled setting of Beaker's own, which Beaker ignores silently.

    One whose name is close to an option of ours is among the `find_mistakes()`.
    """
    for name, value, known in beaker_settings.find_unread(selected, kind):
        if value is None or value == "":  # not given
            continue
        if near := find_misspelled(name, known):
            place = sources.say_place(value).removeprefix(" in ")
            unread = f"{place} is not read by anything" if place else "not read by anything"
            full = get_full_name(name)
            meant = full.removesuffix(name) + near
            yield Mistake(full, f"{unread}; did you mean {meant}?")


def _find_missing(
    selected: Mapping[str, Any], kind: sources.Kind, get_full_name: Callable[[str], str]
) -> Iterator[Mistake]:
    """Yield what valid options need and this process does not have: a package, a dotted path."""
    options = sources.parse(beaker_settings.remove_beakers(selected, kind), kind)
    try:
        if isinstance(options.client, str):  # a factory is not called: it may use the network
            import_object(options.client, "client")
        if options.migrate_from is not None:
            validate_source(options.migrate_from, dict(options.migrate_from_options))
        build_rows(options, kind)
        if options.endpoint_url == embedded.EMBEDDED and (
            missing := embedded.explain_missing_extra()
        ):
            yield Mistake(get_full_name("endpoint_url"), missing)
    except OptionError as error:
        yield Mistake("", sources.add_places(str(error), options.places))


def _leave_out(options: Mapping[str, Any], left_out: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != left_out}


def _find_error(options: Mapping[str, Any], kind: sources.Kind) -> str:
    try:
        sources.parse(options, kind)
    except OptionError as error:
        return str(error)
    return ""
