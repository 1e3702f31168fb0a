"""Beaker's own reading of its settings: which are a session's, a cache region's, or refused.

Settings of an ini file in, settings without their beginning out. Beaker's own rules are asked;
none of them is written down here again.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from beaker_dynamodb.config.sources import Kind
from beaker_dynamodb.errors import OptionError

#: The region of a cache's options that stand without a region's name.
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
    """Name what Beaker's `Session` keeps for itself (beaker/session.py:141)."""
    if kind == "cache":
        return frozenset()
    from beaker.session import Session

    return frozenset(inspect.signature(Session).parameters) - {"namespace_args"}


def session(said: Mapping[str, str]) -> dict[str, Any]:
    """Take a session's settings, as Beaker's middleware does (beaker/middleware.py:128)."""
    return {
        name.removeprefix("beaker.").removeprefix("session."): value
        for name, value in said.items()
        if name.startswith(("session.", "beaker.session."))
    }


def refused(name: str, value: object) -> str:
    """Say in Beaker's words why it refuses a setting of a session at start-up; "" if it does not.

    A setting alone: `timeout = 1h` is none of Beaker's numbers (beaker/util.py:294).
    """
    from beaker.util import coerce_session_params

    try:
        coerce_session_params({name: value})
    except Exception as error:  # noqa: BLE001  # it raises no other (beaker/util.py:281)
        return str(error)
    return ""


def region(said: Mapping[str, str], name: str, source: str) -> dict[str, Any]:
    """Take a cache region's settings; `default` are those without a region's name.

    Raises: OptionError, where *source* has no such region, or Beaker refuses its settings.
    """
    told, found = _caches(said)
    if name in found:
        return found[name]
    if name == DEFAULT_REGION:
        return told
    if not source:
        return {}
    near = ", ".join((*found, DEFAULT_REGION))
    raise OptionError(f"{source} has no cache region {name!r}; it has {near}")


def regions(said: Mapping[str, str]) -> tuple[str, ...]:
    """Name the cache regions that are kept in a table of ours.

    Raises: OptionError, where Beaker refuses their settings.
    """
    told, found = _caches(said)
    ours = tuple(name for name, one in found.items() if one.get("type") in OURS)
    return (*ours, *((DEFAULT_REGION,) if told.get("type") in OURS and not found else ()))


def _caches(said: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Take the settings of all caches: those of no region, and each region's."""
    from beaker.util import parse_cache_config_options

    try:
        told: dict[str, Any] = parse_cache_config_options(dict(said))
    except Exception as error:  # noqa: BLE001  # as above
        wrong = str(error)
    else:
        return told, told.pop("cache_regions", {})
    raise OptionError(f"Beaker refuses the settings of its caches: {wrong}")
