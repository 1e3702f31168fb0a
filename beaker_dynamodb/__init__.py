"""The DynamoDB backend of Beaker: sessions and caches in one table that all servers share.

This is the face: it hands names on, and `reset()` forgets for a test. Importing it loads neither
boto3 nor a framework; boto3 comes with the first call, after gevent has patched what it patches.
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

if TYPE_CHECKING:
    from beaker_dynamodb.config.sources import configure
    from beaker_dynamodb.dynamodb.metering import Call, Saved, observe
    from beaker_dynamodb.sessions.strict import StrictSession

__version__ = "1.0.0.dev0"

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
    "__version__",
    "configure",
    "observe",
    "reset",
]


#: Where the names stand that are imported when they are asked for: whoever only lists the
#: installed backends pays for none of them.
_LATE = {
    "Call": "dynamodb.metering",
    "Saved": "dynamodb.metering",
    "StrictSession": "sessions.strict",
    "configure": "config.sources",
    "observe": "dynamodb.metering",
}


def __getattr__(name: str) -> object:
    """Import a name of the face when it is asked for."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)


def reset() -> None:
    """Forget clients, defaults, observers and what was parsed, for the next test.

    A client that was made before `mock_aws` began would talk to AWS.
    """
    from beaker_dynamodb import factory, logs
    from beaker_dynamodb.caches import circuit_breaker, creation_lock
    from beaker_dynamodb.config import sources
    from beaker_dynamodb.dynamodb import client, metering

    for module in (sources, factory, client, logs, circuit_breaker, creation_lock):
        module.forget()
    metering.forget_all()
