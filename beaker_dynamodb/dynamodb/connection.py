"""The options that make a difference to a client, and what a client says of itself to AWS.

Clients are shared by equal connections only. If they were shared on less (a URL, a region), an
application could get the credentials of another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final

from beaker_dynamodb.errors import masked_repr

#: The least number of attempts of one call that an operator's command makes: it meets throttling
#: for longer than a page can wait, and nothing repeats it later. 10 take up to a minute.
OPERATOR_ATTEMPTS: Final = 10


@dataclass(frozen=True, slots=True, repr=False)
class Connection:
    """All options that make a difference to a client. Two equal connections share one."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    aws_access_key_id: str | None = field(default=None, repr=False)
    aws_secret_access_key: str | None = field(default=None, repr=False)
    aws_session_token: str | None = field(default=None, repr=False)
    client: Any = field(default=None, hash=False)  # it may have no hash
    connect_timeout: float = 1.0
    read_timeout: float = 2.0
    max_attempts: int = 3
    max_pool_connections: int = 50
    transport: str = "boto3"

    __repr__ = masked_repr


def build_user_agent(session: Any) -> str:
    """Build the user agent of a botocore session, and leave the session nothing to add to it.

    It names boto3, botocore, Python, the platform, the application and this package. If botocore
    builds it, it does so twice a call, in a tenth of the call's CPU time.
    """
    application = session.get_config_variable("user_agent_appid")  # AWS_SDK_UA_APP_ID, AWS's files
    parts = [session.user_agent(), *([f"app/{application}"] if application else [])]
    session.user_agent_extra = ""  # it is a part of the above, and would be appended again
    return " ".join([*parts, get_package_agent()])


def get_package_agent() -> str:
    """Return this package's name and version, which is all that the wire says of itself."""
    try:
        return f"beaker-dynamodb/{metadata.version('beaker-dynamodb')}"
    except metadata.PackageNotFoundError:  # a source tree that is not installed
        return "beaker-dynamodb/0"
