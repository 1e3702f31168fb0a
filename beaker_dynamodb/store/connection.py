"""Everything that makes one client unlike another. Two equal connections share a client.

Sharing by anything less (a url, a region) would hand one application's credentials to another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from beaker_dynamodb.options import Options


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything that makes one client unlike another; two equal ones share a client."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    aws_access_key_id: str | None = field(default=None, repr=False)
    aws_secret_access_key: str | None = field(default=None, repr=False)
    aws_session_token: str | None = field(default=None, repr=False)
    client: Any = None
    connect_timeout: float = 1.0
    read_timeout: float = 2.0
    max_attempts: int = 3
    max_pool_connections: int = 50

    @classmethod
    def of(cls, options: Options) -> Connection:
        """Take the connection's options out of all of them."""
        return cls(**{name: getattr(options, name) for name in cls.__slots__})
