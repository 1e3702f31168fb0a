"""Who calls, as AWS is told: boto3, botocore, Python, the platform, the application, and us.

Written once a client. Left to itself, botocore builds it anew twice a call, which is a tenth of
the call's CPU time.
"""

from __future__ import annotations

from importlib import metadata
from typing import Any


def user_agent(session: Any) -> str:
    """Write it for the clients of a botocore session, which adds nothing to it from then on."""
    named = session.get_config_variable("user_agent_appid")  # AWS_SDK_UA_APP_ID, or AWS's files
    parts = [session.user_agent(), *([f"app/{named}"] if named else [])]
    session.user_agent_extra = ""  # it is in there, and would be appended once more
    return " ".join([*parts, ours()])


def ours() -> str:
    """Name this package and its version; the wire says no more than that of itself."""
    try:
        return f"beaker-dynamodb/{metadata.version('beaker-dynamodb')}"
    except metadata.PackageNotFoundError:  # a tree that is on the path, but not installed
        return "beaker-dynamodb/0"
