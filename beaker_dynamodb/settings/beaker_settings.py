"""Select the settings of a session or a cache region as Beaker does, by Beaker's own functions.

Takes an application's settings, with the names of an ini file, and returns them without prefix.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from beaker_dynamodb.config import names, sources
from beaker_dynamodb.config.options import OPTIONS
from beaker_dynamodb.config.sources import Kind
from beaker_dynamodb.errors import OptionError, raise_clean

#: The region of cache options that have no region's name.
DEFAULT_REGION: Final = "default"
#: The settings by which a section is known to be Beaker's.
TYPE_SETTINGS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "session": ("session.type", "beaker.session.type"),
    "cache": ("cache.type", "beaker.cache.type", "cache.regions", "beaker.cache.regions"),
}
#: The values of `type` that select this backend.
TYPES: Final = frozenset({"ext:dynamodb", "dynamodb"})
#: The values of `data_serializer` that are texts; from code it may be an object, too.
_SERIALIZERS: Final = frozenset({"json", "pickle"})
#: The settings whose values are secret (beaker/session.py:141).
SECRETS: Final = frozenset({"secret", "encrypt_key", "validate_key"})


def list_names(kind: Kind) -> frozenset[str]:
    """Return the names of the settings that Beaker's `Session` takes (beaker/session.py:141).

    Without what its middleware passes itself.
    """
    if kind == "cache":
        return frozenset()
    from beaker.session import Session

    return frozenset(inspect.signature(Session).parameters) - {"request", "id", "namespace_args"}


def find_unread(
    selected: Mapping[str, Any], kind: Kind
) -> Iterator[tuple[str, Any, frozenset[str]]]:
    """Yield each setting that neither Beaker nor this package reads, its value, what Beaker reads.

    One whose name is close to an option of ours is not among them: it is refused.
    """
    known = list_names(kind) | names.BEAKER_OPTIONS
    for name, value in selected.items():
        if name not in known and not names.is_known(name, or_near=True):
            yield name, value, known


@dataclass(frozen=True, slots=True)
class UnreadLine:
    """A `cache.*` option that the named regions do not read; `option` has no alias."""

    option: str
    value: Any = field(repr=False)
    regions: tuple[str, ...]

    def __str__(self) -> str:
        """Say that it is not read, and why."""
        regions = ", ".join(self.regions)
        which = f"region {regions}" if len(self.regions) == 1 else f"regions {regions}"
        return f"not read by the cache {which}: Beaker hands down the type, not this option"

    @property
    def lines(self) -> tuple[str, ...]:
        """The line to write for each region; a secret is three dots."""
        is_secret = self.option != "url" and OPTIONS[self.option].secret
        value = "..." if is_secret else self.value
        return tuple(f"cache.{region}.{self.option} = {value}" for region in self.regions)


def remove_beakers(settings: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """Return the settings without those that Beaker itself takes."""
    names = list_names(kind)
    return {name: value for name, value in settings.items() if name not in names}


def select_session(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a session's settings, as Beaker's middleware does (beaker/middleware.py:128)."""
    return {
        name.removeprefix("beaker.").removeprefix("session."): value
        for name, value in settings.items()
        if name.startswith(("session.", "beaker.session."))
    }


def find_refusal(name: str, value: object) -> str:
    """Return when Beaker refuses a session's setting, and its message; "" if it does not.

    Each setting is checked alone: `timeout = 1h` is not a number to Beaker (beaker/util.py:294).
    A serializer is refused with the first session (beaker/session.py:259).
    """
    from beaker.util import coerce_session_params

    try:
        coerce_session_params({name: value})
    except Exception as error:  # noqa: BLE001  # it raises no other (beaker/util.py:281)
        message = str(error).rstrip(".")
        unit = " of seconds, such as 1800" if name == "timeout" else ""
        return f"at start-up: {message}{unit}"
    if name == "data_serializer" and isinstance(value, str) and value not in _SERIALIZERS:
        return "with the first session: expected json or pickle"
    return ""


def select_region(settings: Mapping[str, Any], name: str, source: str) -> dict[str, Any]:
    """Return a cache region's settings; `default` are those without a region's name.

    Raises: OptionError, if *source* has no such region, or Beaker refuses its settings.
    """
    shared, regions = parse_caches(settings)
    if name in regions:
        return regions[name]
    if name == DEFAULT_REGION:
        return shared
    if not source:
        return {}
    known = ", ".join((*regions, DEFAULT_REGION))
    raise OptionError(f"{source} has no cache region {name!r}; it has {known}")


def list_cache_regions(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the cache regions that use this backend.

    Raises: OptionError, if Beaker refuses their settings.
    """
    shared, regions = parse_caches(settings)
    names = tuple(name for name, region in regions.items() if _is_own(region))
    return names if regions or not _is_own(shared) else (DEFAULT_REGION,)


def parse_caches(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the cache settings of no region, and those of each region.

    Raises: OptionError, if Beaker refuses them.
    """
    from beaker.util import parse_cache_config_options

    try:
        shared: dict[str, Any] = parse_cache_config_options(dict(settings))
    except Exception as error:  # noqa: BLE001  # as above
        raise_clean(OptionError(f"Beaker refuses the cache settings: {error}"))
    return shared, shared.pop("cache_regions", {})


def has_own_cache(settings: Mapping[str, Any]) -> bool:
    """Return whether a setting selects this backend for a cache, by its name alone."""
    prefixes = ("cache.", "beaker.cache.")
    return any(
        value in TYPES
        for name, value in settings.items()
        if name.startswith(prefixes) and name.endswith(".type")
    )


def find_unread_lines(
    settings: Mapping[str, Any], *, with_url: bool = False
) -> Iterator[UnreadLine]:
    """Yield the options of no region that regions of this backend neither read nor set.

    Beaker hands down its own settings, and no option of a backend (beaker/util.py:375); the caches
    of no region read them. pyramid_beaker hands down the url too: where it is installed, a url is
    yielded only *with_url*.

    Raises: OptionError, if Beaker refuses the settings.
    """
    shared, regions = parse_caches(settings)
    if not _is_own(shared) and shared.get("type") not in {None, "memory"}:
        return  # they are the options of another backend
    own = {
        name: sources.select_options(region, with_url=True)
        for name, region in regions.items()
        if _is_own(region)
    }
    has_pyramid = importlib.util.find_spec("pyramid_beaker") is not None
    for option, value in sources.select_options(shared).items():
        lacking = tuple(region for region, names in own.items() if option not in names)
        if lacking and (option != "url" or with_url or not has_pyramid):
            yield UnreadLine(option, value, lacking)


def _is_own(settings: Mapping[str, Any]) -> bool:
    return settings.get("type") in TYPES
