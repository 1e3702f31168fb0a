"""Everything that makes one client unlike another. Two equal connections share a client.

Sharing by anything less (a url, a region) would hand one application's credentials to another.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.config.parsers import import_object
from beaker_dynamodb.errors import OptionError, masked_repr

#: Attempts of one call that an operator's command makes at least: it meets throttling for longer
#: than a page can wait, and what it leaves undone it leaves for good. 10 take up to a minute.
OPERATOR_ATTEMPTS: Final = 10


@dataclass(frozen=True, slots=True, repr=False)
class Connection:
    """Everything that makes one client unlike another; two equal ones share a client."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    aws_access_key_id: str | None = field(default=None, repr=False)
    aws_secret_access_key: str | None = field(default=None, repr=False)
    aws_session_token: str | None = field(default=None, repr=False)
    client: Any = field(default=None, hash=False)  # it may have none
    connect_timeout: float = 1.0
    read_timeout: float = 2.0
    max_attempts: int = 3
    max_pool_connections: int = 50
    transport: str = "boto3"

    __repr__ = masked_repr

    @classmethod
    def of(cls, options: Options) -> Connection:
        """Take the connection's options out of all of them."""
        return cls(**{name: getattr(options, name) for name in cls.__slots__})


def given_client(given: Any, born: int) -> Any:
    """Return the client that an application brings: the object, its factory's, or a path's.

    Args: *born* is the id of the process in which it was handed over.
    Raises: OptionError, if it is none, or one of another process.
    """
    given = import_object(given, "client") if isinstance(given, str) else given
    client = given() if callable(given) else given
    if not hasattr(client, "get_item"):
        raise OptionError(f"option 'client' yields {type(client).__name__!r}, not a client")
    if client is given and born != os.getpid():
        raise OptionError(
            "option 'client' is a client that was created before a fork, and connections cannot"
            " be shared between processes; give a factory instead"
        )
    return client


def user_agent(session: Any) -> str:
    """Say who calls: boto3, botocore, Python, the platform, the application, and this package.

    Written once a client: left to itself, botocore builds it anew twice a call, a tenth of the
    call's CPU time. From then on the session adds nothing to it.
    """
    named = session.get_config_variable("user_agent_appid")  # AWS_SDK_UA_APP_ID, or AWS's files
    parts = [session.user_agent(), *([f"app/{named}"] if named else [])]
    session.user_agent_extra = ""  # it is in there, and would be appended once more
    return " ".join([*parts, package_agent()])


def package_agent() -> str:
    """Name this package and its version; the wire says no more than that of itself."""
    try:
        return f"beaker-dynamodb/{metadata.version('beaker-dynamodb')}"
    except metadata.PackageNotFoundError:  # a tree that is on the path, but not installed
        return "beaker-dynamodb/0"
