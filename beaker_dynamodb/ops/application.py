"""Read an application's settings from its own ini file, so that a command uses the same table.

Settings that the caller adds win over the file's. The result holds our options, parsed, and
Beaker's own settings beside them.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from beaker_dynamodb.config import sources
from beaker_dynamodb.config.options import TABLE, Options
from beaker_dynamodb.config.parsers import find_nearest
from beaker_dynamodb.errors import OptionError, shown
from beaker_dynamodb.ops import beaker_settings, ini
from beaker_dynamodb.provisioning.spec import NONE, Features, table_spec


@dataclass(frozen=True, slots=True)
class Application:
    """One application's sessions, or a region of its caches.

    `settings` are all of Beaker's, without `session.` or `cache.REGION.` before the name;
    `source` says where they come from, for a message; `call` holds the arguments of the command
    line that name it, for another command: `-c production.ini --cache short`. It holds no secret.
    `begin` is the prefix of each of its settings in the file: `session.`, `cache.short.`.
    """

    options: Options
    kind: sources.Kind
    settings: Mapping[str, Any] = field(repr=False)
    source: str
    call: str = ""
    begin: str = "session."

    @property
    def secret(self) -> str | None:
        """The secret that signs the cookie, None if it is not signed."""
        return self.settings.get("secret") or None

    def create_command(self, features: Features = NONE) -> str:
        """Return the command that creates its table, ready to be pasted into a shell."""
        if not self.call:
            return table_spec(self.options, features).command(self.options.region)
        return " ".join(("beaker-dynamodb table create", self.call, *features.to_flags()))


@dataclass(frozen=True, slots=True)
class Mistake:
    """An invalid option: its name in the file ("" if no single option is wrong), and a message."""

    name: str
    message: str


def load_application(
    config: str | None = None, *, given: Mapping[str, str] | None = None, cache: str | None = None
) -> Application:
    """Read an application's settings.

    Args:
        config: an ini file, `file.ini` or `file.ini#section`. Without a section it is `main`, or
            the only one that says of which type the sessions or caches are.
        given: options that win over the file's; a name may keep its `session.` or `cache.`.
        cache: the region of a cache, `default` for the options without one; None: sessions.

    Raises: OptionError, also if the file selects another backend.
    """
    kind = _kind(cache)
    settings = _settings(config, given or {}, cache)
    call = _call(config, given or {}, cache)
    source = config or "the command line"
    options = _parsed(settings, kind)
    if options.envelope == "auto" and settings.get("data_serializer") == "json":
        # What is left unsaid is as Beaker's own setting means it, so no pickle is opened here.
        options = dataclasses.replace(options, envelope="json")
    return Application(options, kind, settings, source, call, settings_prefix(cache))


def find_mistakes(
    config: str | None = None, *, given: Mapping[str, str] | None = None, cache: str | None = None
) -> Iterator[Mistake]:
    """Yield every invalid option; `load_application()` raises at the first one.

    Args: as of `load_application()`.
    Raises: OptionError, if there is no such file, section or region, or it is not ours.
    """
    kind, settings = _kind(cache), _settings(config, given or {}, cache)
    begin, typed = settings_prefix(cache), _plain(given or {}, kind)

    def named(name: str) -> str:
        return f"-o {name}" if name in typed else f"{begin}{name}"

    beakers = beaker_settings.own(kind)
    options, alone = sources.split_refused({n: v for n, v in settings.items() if n not in beakers})
    yield from (Mistake(named(name), message) for name, message in alone.items())
    # Two options may contradict each other, and a variable of the environment may be what is
    # wrong. So each option is left out in turn: the one without which it sounds otherwise is it.
    while message := _wrong(options, kind):
        culprit = next((n for n in options if _wrong(_without(options, n), kind) != message), None)
        yield Mistake("" if culprit is None else named(culprit), message)
        if culprit is None:  # an environment variable, a default of the process
            return
        options = _without(options, culprit)
    if kind == "session":
        for name, value in settings.items():
            if message := beaker_settings.refusal_message(name, value):
                yield Mistake(f"{begin}{name}", f"Beaker refuses it at start-up: {message}")


def _without(options: Mapping[str, Any], left_out: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != left_out}


def _wrong(settings: Mapping[str, Any], kind: sources.Kind) -> str:
    try:
        _parsed(settings, kind)
    except OptionError as error:
        return str(error)
    return ""


def regions(config: str) -> tuple[str, ...]:
    """Name the cache regions of an ini file that are kept in a table of ours."""
    return beaker_settings.regions(ini.settings(config, beaker_settings.SAYS["cache"]))


def find_unread(
    config: str | None = None, *, given: Mapping[str, str] | None = None, cache: str | None = None
) -> Iterator[tuple[str, str | None]]:
    """Yield each setting that neither Beaker nor this package reads, and the nearest known one.

    One whose name is close to an option of ours is among the `find_mistakes()`. Args and errors
    are the same.
    """
    known = {*beaker_settings.own(_kind(cache)), *sources.BEAKER_OPTIONS}
    for name in _settings(config, given or {}, cache):
        if name not in known and not sources.is_known(name, or_near=True):
            yield name, find_nearest(name, known)


def settings_prefix(cache: str | None) -> str:
    """Return the prefix of each setting in the file: of the sessions, or of a cache region."""
    if cache is None:
        return "session."
    return "cache." if cache == beaker_settings.DEFAULT_REGION else f"cache.{cache}."


def _kind(cache: str | None) -> sources.Kind:
    return "session" if cache is None else "cache"


def _settings(config: str | None, given: Mapping[str, str], cache: str | None) -> dict[str, Any]:
    """Read the settings of one session or region, and what is given over them."""
    kind = _kind(cache)
    found = {} if config is None else ini.settings(config, beaker_settings.SAYS[kind])
    settings = (
        beaker_settings.session(found)
        if cache is None
        else beaker_settings.region(found, cache, config or "")
    )
    plain = _plain(given, kind)
    if config is not None:
        _is_ours({**settings, **plain}, kind, config)
    _known(plain, kind)
    return settings | plain


def _parsed(settings: Mapping[str, Any], kind: sources.Kind) -> Options:
    beakers = beaker_settings.own(kind)
    return sources.parse({n: value for n, value in settings.items() if n not in beakers}, kind)


def _call(config: str | None, given: Mapping[str, str], cache: str | None) -> str:
    """Write the words that name this application on a command line; a secret is three dots."""
    words = [] if config is None else ["-c", shlex.quote(config)]
    for name, value in given.items():
        plain = name.removeprefix("beaker.").removeprefix("session.").removeprefix("cache.")
        hidden = _is_secret(plain, value)
        words += ["-o", f"{name}=..." if hidden else shlex.quote(f"{name}={value}")]
    words += [] if cache is None else ["--cache", shlex.quote(cache)]
    return " ".join(words)


def _is_secret(name: str, value: str) -> bool:
    """Tell whether an option may hold what nobody else should read, such as a url."""
    if shown(value) != repr(value):
        return True
    row = TABLE.get(name)
    if row is not None:
        return row.secret
    return (
        name in beaker_settings.SECRETS
        or name.startswith("migrate_from.")
        or (name == "url" and "?" in value)
    )


def _is_ours(settings: Mapping[str, Any], kind: sources.Kind, source: str) -> None:
    """Refuse to work on a table that the application does not use."""
    backend = settings.get("type")
    if backend in beaker_settings.OURS:
        return
    what = f"is {shown(backend)}, not 'ext:dynamodb'" if backend else "is not set"
    if backend and find_nearest(str(backend), beaker_settings.OURS):
        raise OptionError(f"in {source} {kind}.type {what}; it is misspelled")
    raise OptionError(
        f"in {source} {kind}.type {what}; name the section that sets it, as FILE#SECTION, or give"
        " -o type=ext:dynamodb; for a cache, add --cache REGION"
    )


def _plain(given: Mapping[str, str], kind: sources.Kind) -> dict[str, str]:
    """Remove the prefix from names that have one; the other kind's prefix is an error."""
    plain: dict[str, str] = {}
    for name, value in given.items():
        own = sources.resolve_alias(name.removeprefix("beaker.").removeprefix(f"{kind}."))
        if own in plain:
            raise OptionError(f"option {shown(own)} is given twice, once as {shown(name)}")
        plain[own] = value
    for name in plain:
        if name.startswith(("session.", "cache.")):  # `parse` would ignore it silently
            raise OptionError(f"option {shown(name)} is not an option of a {kind}; see --cache")
    return plain


def _known(given: Mapping[str, str], kind: sources.Kind) -> None:
    """Refuse what is only a warning in an ini file: on a command line it is an error.

    Raises: OptionError, naming the nearest option.
    """
    for name in given:
        if name not in beaker_settings.own(kind) and not sources.is_known(name):
            near = find_nearest(name, beaker_settings.own(kind))
            hint = f"did you mean {near!r}?" if near else "README lists all options"
            raise OptionError(f"unknown option {shown(name)}; {hint}")
