"""A DynamoDB backend for Beaker: sessions and caches in a table that all servers share.

This module only has the public names. Importing it must import neither boto3 nor a framework: boto3
is not imported before the first call, so that gevent can patch the standard library before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from beaker_dynamodb.errors import (
    AccessRefused,
    CallFacts,
    Conflict,
    CorruptItem,
    DynamoDBBackendError,
    ItemTooLarge,
    OptionError,
    Refused,
    TableError,
    TableMismatch,
    TableMissing,
    Unavailable,
    UnknownFormat,
)
from beaker_dynamodb.manager import DynamoDBNamespaceManager
from beaker_dynamodb.runtime import reset

if TYPE_CHECKING:
    from beaker_dynamodb.config.sources import configure
    from beaker_dynamodb.dynamodb.metering import Call, Saved, observe
    from beaker_dynamodb.sessions.strict import StrictSession
    from beaker_dynamodb.sessions.user_sessions import UserSession, UserSessions
    from beaker_dynamodb.settings.check import check, with_cache_defaults

__version__ = "1.0.0rc1"

__all__ = [
    "AccessRefused",
    "Call",
    "CallFacts",
    "Conflict",
    "CorruptItem",
    "DynamoDBBackendError",
    "DynamoDBNamespaceManager",
    "ItemTooLarge",
    "OptionError",
    "Refused",
    "Saved",
    "StrictSession",
    "TableError",
    "TableMismatch",
    "TableMissing",
    "Unavailable",
    "UnknownFormat",
    "UserSession",
    "UserSessions",
    "__version__",
    "check",
    "configure",
    "observe",
    "reset",
    "with_cache_defaults",
]


#: Names that are imported at their first use, and their modules: Beaker imports every installed
#: backend, and an application that uses another one must not pay for them.
_LATE = {
    "Call": "dynamodb.metering",
    "Saved": "dynamodb.metering",
    "StrictSession": "sessions.strict",
    "UserSession": "sessions.user_sessions",
    "UserSessions": "sessions.user_sessions",
    "check": "settings.check",
    "configure": "config.sources",
    "observe": "dynamodb.metering",
    "with_cache_defaults": "settings.check",
}


def __getattr__(name: str) -> object:
    """Import a public name at its first use."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
