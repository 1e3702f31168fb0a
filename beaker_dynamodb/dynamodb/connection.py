"""The options that make a difference to a client, and what a client says of itself to AWS.

Clients are shared by equal connections only. If they were shared on less (a URL, a region), an
application could get the credentials of another.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

from beaker_dynamodb.config.parsers import BadValue, parse_endpoint
from beaker_dynamodb.errors import OptionError, mask, mask_repr, masked_repr, raise_clean

#: The least number of attempts of one call that an operator's command makes: it meets throttling
#: for longer than a page can wait, and nothing repeats it later. 10 take a minute, at most two.
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
    transport: str = "auto"
    #: Where each option is set, as `Options.places`.
    places: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    __repr__ = masked_repr


#: What boto3 reads if an option is not given, in its order (botocore/configprovider.py).
_VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "endpoint_url": ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"),
    "profile": ("AWS_DEFAULT_PROFILE", "AWS_PROFILE"),
    "region": ("AWS_DEFAULT_REGION",),
}
#: Makes boto3 ignore the variables of the endpoint.
_IGNORED: Final = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
#: Variables with AWS's prefix that are no settings of boto3's, or hold its credentials.
_NO_SETTINGS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_",
    "AWS_EXECUTION_ENV",
    "NO_PROXY",
)


def describe_places(connection: Connection, environ: Mapping[str, str]) -> dict[str, str]:
    """Return where the endpoint, the profile and the region come from, as messages say it.

    `address` is the one of them that decides which host is called. `endpoint_option` is the
    argument that names the endpoint on a command line, after a space; "" if no option does.
    `variables` are the other names in the environment that boto3 may read; no value is shown but
    that of AWS_REGION, which other SDKs read, and boto3 does not.
    """
    places = {}
    for name, variables in _VARIABLES.items():
        found = [variable for variable in variables if environ.get(variable)]
        if getattr(connection, name) is not None or not found:
            places[name] = f"option {name!r}{connection.places.get(name, '')}"
        else:
            places[name] = f"environment variable {found[0]}"
    endpoint = connection.endpoint_url
    is_set = endpoint is not None or places["endpoint_url"].startswith("environment")
    places["address"] = places["endpoint_url" if is_set else "region"]
    places["endpoint_option"] = (
        f" -o {shlex.quote(mask(f'endpoint_url={endpoint}'))}" if endpoint else ""
    )
    settings = sorted(
        name if value else f"{name} (empty)"
        for name, value in environ.items()
        if name.startswith("AWS_") or name.upper().endswith("_PROXY")
        if not name.upper().startswith(_NO_SETTINGS)
    )
    places["variables"] = ", ".join(settings) or "AWS_... and HTTPS_PROXY"
    region = environ.get("AWS_REGION")
    places["not_read"] = (
        f"; boto3 does not read AWS_REGION, which is set to {mask_repr(region)}" if region else ""
    )
    return places


def validate_endpoint(connection: Connection, environ: Mapping[str, str]) -> None:
    """Check the endpoint that boto3 reads from the environment, if no option gives one.

    boto3 says of an address without `http://` only that it is invalid, and not where it is.

    Raises: OptionError, naming the variable.
    """
    if connection.endpoint_url is not None or environ.get(_IGNORED, "").lower() == "true":
        return
    for variable in _VARIABLES["endpoint_url"]:
        if value := environ.get(variable):
            try:
                if parse_endpoint(value).lower() != "embedded":
                    return
                expected = "an address; `embedded` is for option 'endpoint_url'"
            except BadValue as error:
                expected = str(error).removesuffix("; or embedded")
            raise_clean(
                OptionError(
                    f"environment variable {variable} has {mask_repr(value)}; expected {expected}"
                )
            )


def get_credentials(client: Any) -> Any:
    """Return the credentials that a boto3 client found when it was created; None without any.

    Its session would search for them once more, if there are none: seconds, for which a page waits.
    """
    # There is no public attribute; without this one the wire is not used.
    return getattr(getattr(client, "_request_signer", None), "_credentials", None)


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
    # The root imports this module's callers. To ask importlib.metadata would take 15 ms.
    return f"beaker-dynamodb/{import_module('beaker_dynamodb').__version__}"
