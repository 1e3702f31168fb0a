"""Read settings as Beaker does: those of a session, of a cache region, and those it refuses.

Takes the settings of an ini file, and returns them without their prefix. Beaker's own functions
decide; none of its rules is repeated here.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from beaker_dynamodb.config.sources import Kind
from beaker_dynamodb.errors import OptionError

#: The region of cache options that have no region's name.
DEFAULT_REGION: Final = "default"
#: The settings by which a section is known to be Beaker's.
SAYS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "session": ("session.type", "beaker.session.type"),
    "cache": ("cache.type", "beaker.cache.type", "cache.regions", "beaker.cache.regions"),
}
#: Those that nobody else should read (beaker/session.py:141).
SECRETS: Final = frozenset({"secret", "encrypt_key", "validate_key"})
OURS: Final = frozenset({"ext:dynamodb", "dynamodb"})


def own(kind: Kind) -> frozenset[str]:
    """Return the names of the settings that Beaker's `Session` takes (beaker/session.py:141)."""
    if kind == "cache":
        return frozenset()
    from beaker.session import Session

    return frozenset(inspect.signature(Session).parameters) - {"namespace_args"}


def session(settings: Mapping[str, str]) -> dict[str, Any]:
    """Take a session's settings, as Beaker's middleware does (beaker/middleware.py:128)."""
    return {
        name.removeprefix("beaker.").removeprefix("session."): value
        for name, value in settings.items()
        if name.startswith(("session.", "beaker.session."))
    }


def refusal_message(name: str, value: object) -> str:
    """Return Beaker's message if it refuses a session's setting at start-up, else "".

    It looks at one setting alone: `timeout = 1h` is not a number to it (beaker/util.py:294).
    """
    from beaker.util import coerce_session_params

    try:
        coerce_session_params({name: value})
    except Exception as error:  # noqa: BLE001  # it raises no other (beaker/util.py:281)
        return str(error)
    return ""


def region(settings: Mapping[str, str], name: str, source: str) -> dict[str, Any]:
    """Take a cache region's settings; `default` are those without a region's name.

    Raises: OptionError, if *source* has no such region, or Beaker refuses its settings.
    """
    shared, found = _caches(settings)
    if name in found:
        return found[name]
    if name == DEFAULT_REGION:
        return shared
    if not source:
        return {}
    near = ", ".join((*found, DEFAULT_REGION))
    raise OptionError(f"{source} has no cache region {name!r}; it has {near}")


def regions(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Name the cache regions that are kept in a table of ours.

    Raises: OptionError, if Beaker refuses their settings.
    """
    shared, found = _caches(settings)
    ours = tuple(name for name, one in found.items() if one.get("type") in OURS)
    return (*ours, *((DEFAULT_REGION,) if shared.get("type") in OURS and not found else ()))


def _caches(settings: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Take the settings of all caches: those of no region, and each region's."""
    from beaker.util import parse_cache_config_options

    try:
        shared: dict[str, Any] = parse_cache_config_options(dict(settings))
    except Exception as error:  # noqa: BLE001  # as above
        wrong = str(error)
    else:
        return shared, shared.pop("cache_regions", {})
    raise OptionError(f"Beaker refuses the cache settings: {wrong}")
