"""Read an application's settings from its own ini file, so that a command uses the same table.

Settings that the caller adds win over the file's. The result holds our options, parsed, and
Beaker's own settings beside them.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from beaker_dynamodb.config import names, sources
from beaker_dynamodb.config.options import OPTIONS, Options
from beaker_dynamodb.config.parsers import find_nearest, suggest_nearest
from beaker_dynamodb.dynamodb.responses import NO_REGION
from beaker_dynamodb.errors import DynamoDBBackendError, OptionError, TableMissing, mask_repr
from beaker_dynamodb.provisioning.spec import NONE, Features, table_spec
from beaker_dynamodb.settings import beaker_settings, check, ini

#: The options of a source backend that hold no secret, so that a remedy can repeat them.
_SOURCE_FOLDERS: Final = frozenset(
    f"migrate_from.{kind}_dir" for kind in ("data", "file", "dbm", "lock")
)


@dataclass(frozen=True, slots=True)
class Application:
    """One application's sessions, or a region of its caches.

    `settings` are all of them, without `session.` or `cache.REGION.` before the name, and `begin`
    is that prefix. `arguments` are those of a command line that name this application, for another
    command: `-c production.ini --cache short`. They hold no secret. `cache` is the region, None for
    sessions.
    """

    options: Options
    settings: Mapping[str, Any] = field(repr=False)
    arguments: str = ""
    begin: str = "session."
    cache: str | None = None

    @property
    def kind(self) -> sources.Kind:
        """What the table holds: sessions or a cache."""
        return _get_kind(self.cache)

    @property
    def secret(self) -> str | None:
        """The secret that signs the cookie, None if it is not signed."""
        return self.settings.get("secret") or None

    def format_command(self, words: str) -> str:
        """Return a command on this application, ready to be pasted into a shell."""
        return f"beaker-dynamodb {words} {self.arguments}".strip()

    def create_command(self, features: Features = NONE) -> str:
        """Return the command that creates its table, ready to be pasted into a shell."""
        if not self.arguments:
            return table_spec(self.options, features).command(self.options.region)
        return " ".join((self.format_command("table create"), *features.to_flags()))


@dataclass(frozen=True, slots=True)
class GlobalSettings:
    """Settings of the sessions or caches that are not the section's own.

    `names` are set by `[DEFAULT]` or a `set` line, `lost` by `[DEFAULT]` and by the section.
    `prefixed` are sessions' settings that TurboGears, which is installed, does not read.
    """

    names: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    prefixed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say which frameworks have them."""
        return (
            f"{', '.join(self.names)}: set by [DEFAULT] or `set`, so not among Pyramid's settings,"
            " and without a type Beaker uses memory; TurboGears, appconfig() and"
            " egg:beaker-dynamodb read it"
        )


def load_application(
    config: str | None = None, *, given: Mapping[str, str] | None = None, cache: str | None = None
) -> Application:
    """Read an application's settings.

    Args:
        config: an ini file, `file.ini` or `file.ini#section`. Without a section it is `main`, or
            the only one that sets the type of the sessions or caches.
        given: options that win over the file's; a name may keep its `session.` or `cache.`.
        cache: the region of a cache, `default` for the options without one; None: sessions.

    Raises: OptionError, also if the file selects another backend.
    """
    kind = _get_kind(cache)
    settings = _read_settings(config, given or {}, cache)
    arguments = _format_arguments(config, given or {}, cache)
    options = sources.parse(beaker_settings.remove_beakers(settings, kind), kind)
    if options.envelope == "auto" and settings.get("data_serializer") == "json":
        # Sessions are JSON by Beaker's own setting, so no command opens a pickle.
        options = dataclasses.replace(options, envelope="json")
    return Application(options, settings, arguments, get_prefix(cache, config), cache)


def find_mistakes(
    config: str | None = None, *, given: Mapping[str, str] | None = None, cache: str | None = None
) -> Iterator[check.Mistake]:
    """Yield every invalid option; `load_application()` raises at the first one.

    Args: as of `load_application()`.
    Raises: OptionError, if there is no such file, section or region, or it is not ours.
    """
    kind, settings = _get_kind(cache), _read_settings(config, given or {}, cache)
    begin, typed = get_prefix(cache, config), _remove_prefixes(given or {}, kind)
    return check.find_mistakes(
        settings, kind, lambda name: f"-o {name}" if name in typed else f"{begin}{name}"
    )


def find_global_settings(config: str | None, cache: str | None) -> GlobalSettings:
    """Return the settings that PasteDeploy passes as `global_config`, apart from the others.

    What is wrong with the file itself is reported by the other functions.
    """
    kind = _get_kind(cache)
    try:
        section = ini.find_section(config, beaker_settings.TYPE_SETTINGS[kind])
    except OptionError:
        return GlobalSettings()
    prefixes = (f"{kind}.", f"beaker.{kind}.")
    names = (n for n in section.shared if n.startswith(prefixes) and n not in section.local)
    lost = (n for n in sorted(section.lost) if n.startswith(prefixes))
    has_turbogears = importlib.util.find_spec("tg") is not None and kind == "session"
    prefixed = (n for n in section.settings if n.startswith(prefixes[1]) and has_turbogears)
    return GlobalSettings(tuple(names), tuple(lost), tuple(prefixed))


def find_unread_cache_lines(
    config: str | None, cache: str | None
) -> Iterator[beaker_settings.UnreadLine]:
    """Yield the cache options of an ini file that no region reads, of one region or of all.

    What is wrong with the file itself is reported by the other functions.
    """
    try:
        settings = ini.read_settings(config, beaker_settings.TYPE_SETTINGS["cache"])
        found = tuple(beaker_settings.find_unread_lines(settings))
    except OptionError:
        return
    for line in found:
        if cache is None:
            yield line
        elif cache in line.regions:
            yield dataclasses.replace(line, regions=(cache,))


def find_unread(
    config: str | None = None, *, given: Mapping[str, str] | None = None, cache: str | None = None
) -> Iterator[tuple[str, str, str | None]]:
    """Yield each setting that neither Beaker nor this package reads, its place, the nearest name.

    One whose name is close to an option of ours is among the `find_mistakes()`. Args and errors
    are the same.
    """
    selected = _read_settings(config, given or {}, cache)
    for name, value, known in beaker_settings.find_unread(selected, _get_kind(cache)):
        yield name, sources.say_place(value), find_nearest(name, known)


def get_prefix(cache: str | None, config: str | None = None, name: str = "") -> str:
    """Return the prefix of each setting in the file: of the sessions, or of a cache region.

    Beaker also takes each name with `beaker.` in front. That is returned if the file has no other.

    Args: *name* of one setting, if the prefix of that one is asked for.
    """
    prefix = f"cache.{cache}." if cache else "session."
    if cache == beaker_settings.DEFAULT_REGION:
        prefix = "cache."
    types = beaker_settings.TYPE_SETTINGS[_get_kind(cache)]
    names = ini.read_settings(config, types)
    has_short = any(full.startswith(prefix + name) for full in names)
    has_long = any(full.startswith(f"beaker.{prefix}{name}") for full in names)
    return f"beaker.{prefix}" if has_long and not has_short else prefix


def suggest_file(error: DynamoDBBackendError) -> DynamoDBBackendError:
    """Return the error of a command without options: one that a forgotten file causes names -c."""
    is_typical = isinstance(error, TableMissing) or (error.call and error.call.code == NO_REGION)
    if not is_typical:
        return error
    longer = type(error)(f"{error}; -c FILE reads the options from the application's ini file")
    longer.call = error.call
    return longer


def _get_kind(cache: str | None) -> sources.Kind:
    return "session" if cache is None else "cache"


def _read_settings(
    config: str | None, given: Mapping[str, str], cache: str | None
) -> dict[str, Any]:
    """Read the settings of the session or of one region; *given* ones win."""
    kind = _get_kind(cache)
    found = ini.read_settings(config, beaker_settings.TYPE_SETTINGS[kind])
    settings = (
        beaker_settings.select_session(found)
        if cache is None
        else beaker_settings.select_region(found, cache, config or "")
    )
    plain = _remove_prefixes(given, kind)
    if config is not None:
        _require_own_type({**settings, **plain}, kind, config)
    _require_known(plain, kind)
    return settings | plain


def _format_arguments(config: str | None, given: Mapping[str, str], cache: str | None) -> str:
    """Return the words that name this application on a command line; a secret is three dots."""
    words = [] if config is None else ["-c", shlex.quote(config)]
    for name, value in given.items():
        plain = name.removeprefix("beaker.").removeprefix("session.").removeprefix("cache.")
        is_secret = _is_secret(plain, value)
        words += ["-o", f"{name}=..." if is_secret else shlex.quote(f"{name}={value}")]
    words += [] if cache is None else ["--cache", shlex.quote(cache)]
    return " ".join(words)


def _is_secret(name: str, value: str) -> bool:
    """Return whether an option may hold a secret, as a url may."""
    if mask_repr(value) != repr(value):
        return True
    if name in OPTIONS:
        return OPTIONS[name].secret
    is_source = name.startswith("migrate_from.") and name not in _SOURCE_FOLDERS
    return name in beaker_settings.SECRETS or is_source or (name == "url" and "?" in value)


def _require_own_type(settings: Mapping[str, Any], kind: sources.Kind, source: str) -> None:
    """Refuse to work on a table that the application does not use."""
    backend = settings.get("type")
    if backend in beaker_settings.TYPES:
        return
    what = f"is {mask_repr(backend)}, not 'ext:dynamodb'" if backend else "is not set"
    if backend and find_nearest(str(backend), beaker_settings.TYPES):
        raise OptionError(f"in {source} {kind}.type {what}; it is misspelled")
    hint = "; for a cache, add --cache REGION" if kind == "session" else ""
    raise OptionError(
        f"in {source} {kind}.type {what}; name the section that sets it, as FILE#SECTION, or give"
        f" -o type=ext:dynamodb{hint}"
    )


def _remove_prefixes(given: Mapping[str, str], kind: sources.Kind) -> dict[str, str]:
    """Remove the prefix from names that have one; the other kind's prefix is an error."""
    plain: dict[str, str] = {}
    for name, value in given.items():
        own = names.resolve_alias(name.removeprefix("beaker.").removeprefix(f"{kind}."))
        if own in plain:
            raise OptionError(f"option {mask_repr(own)} is given twice, once as {mask_repr(name)}")
        plain[own] = value
    for name in plain:
        if name.startswith(("session.", "cache.")):  # `parse` would ignore it silently
            raise OptionError(f"option {mask_repr(name)} is not an option of a {kind}; see --cache")
    return plain


def _require_known(given: Mapping[str, str], kind: sources.Kind) -> None:
    """Refuse an unknown option: it is only a warning in an ini file.

    Raises: OptionError, naming the nearest option.
    """
    beakers = beaker_settings.list_names(kind)
    for name in given:
        if name not in beakers and not names.is_known(name):
            hint = suggest_nearest(name, beakers) or "; see Options in the documentation"
            raise OptionError(f"unknown option {mask_repr(name)}{hint}")
