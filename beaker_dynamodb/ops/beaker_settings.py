"""Select the settings of a session or a cache region as Beaker does, by Beaker's own functions.

Takes the settings of an ini file, and returns them without their prefix.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

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
#: The settings whose values are secret (beaker/session.py:141).
SECRETS: Final = frozenset({"secret", "encrypt_key", "validate_key"})


def list_names(kind: Kind) -> frozenset[str]:
    """Return the names of the settings that Beaker's `Session` takes (beaker/session.py:141)."""
    if kind == "cache":
        return frozenset()
    from beaker.session import Session

    return frozenset(inspect.signature(Session).parameters) - {"namespace_args"}


def select_session(settings: Mapping[str, str]) -> dict[str, Any]:
    """Return a session's settings, as Beaker's middleware does (beaker/middleware.py:128)."""
    return {
        name.removeprefix("beaker.").removeprefix("session."): value
        for name, value in settings.items()
        if name.startswith(("session.", "beaker.session."))
    }


def find_refusal(name: str, value: object) -> str:
    """Return Beaker's message if it refuses a session's setting at start-up, else "".

    Each setting is checked alone: `timeout = 1h` is not a number to Beaker (beaker/util.py:294).
    """
    from beaker.util import coerce_session_params

    try:
        coerce_session_params({name: value})
    except Exception as error:  # noqa: BLE001  # it raises no other (beaker/util.py:281)
        return str(error)
    return ""


def select_region(settings: Mapping[str, str], name: str, source: str) -> dict[str, Any]:
    """Return a cache region's settings; `default` are those without a region's name.

    Raises: OptionError, if *source* has no such region, or Beaker refuses its settings.
    """
    shared, regions = _parse_caches(settings)
    if name in regions:
        return regions[name]
    if name == DEFAULT_REGION:
        return shared
    if not source:
        return {}
    known = ", ".join((*regions, DEFAULT_REGION))
    raise OptionError(f"{source} has no cache region {name!r}; it has {known}")


def list_regions(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the cache regions that use this backend.

    Raises: OptionError, if Beaker refuses their settings.
    """
    shared, regions = _parse_caches(settings)
    names = tuple(name for name, region in regions.items() if region.get("type") in TYPES)
    return names if regions or shared.get("type") not in TYPES else (DEFAULT_REGION,)


def _parse_caches(settings: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the settings of no region, and those of each region."""
    from beaker.util import parse_cache_config_options

    try:
        shared: dict[str, Any] = parse_cache_config_options(dict(settings))
    except Exception as error:  # noqa: BLE001  # as above
        raise_clean(OptionError(f"Beaker refuses the cache settings: {error}"))
    return shared, shared.pop("cache_regions", {})
