"""What the wire needs to know, found without boto3: region, endpoint, static credentials.

boto3 takes as long to start as hundreds of calls. So it is not imported if everything it would find
is certain without it: the credentials are static ones of the options or the environment, and
nothing else is configured. Every variable with AWS's prefix that is not known here, every proxy,
every profile and every file of AWS's leads to boto3, which then finds the settings as always.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from beaker_dynamodb.dynamodb.connection import Connection

_KEY_ID, _SECRET, _TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
_REGION: Final = "AWS_DEFAULT_REGION"
#: The variables with these prefixes under which boto3 is not needed: those that are read here,
#: those that AWS Lambda sets and boto3 does not read, and two that matter only without static
#: credentials.
_KNOWN: Final = frozenset(
    {_KEY_ID, _SECRET, _TOKEN, _REGION, "AWS_REGION", "AWS_EXECUTION_ENV"}
    | {"AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS"}
    | {"AWS_EC2_METADATA_DISABLED", "BOTO_CONFIG"}
)
_PREFIXES: Final = ("AWS_", "BOTO", "REQUESTS_CA_BUNDLE")
_LAMBDA: Final = "AWS_LAMBDA_"
#: The variables that name AWS's files, and where boto3 looks for these otherwise.
_FILES: Final[Mapping[str, str]] = {
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
}
#: From the name of a region to the domain of its endpoints (botocore/data/partitions.json).
_DOMAINS: Final = (
    (re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d+"), "amazonaws.com"),
    (re.compile(r"us-gov-[a-z]+-\d+"), "amazonaws.com"),
    (re.compile(r"cn-[a-z]+-\d+"), "amazonaws.com.cn"),
)
#: Where finders of modules are from that run no code of others when botocore is imported: Python's,
#: and those by which packages find parts of themselves.
_FINDERS: Final = re.compile(
    r"_frozen_importlib(_external)?|_distutils_hack|(.+\.)?six|__editable__.*|_pytest\..*|bottle"
    r"|(pkg_resources|setuptools)(\..*)?"
)


class StaticCredentials(NamedTuple):
    """Credentials that do not expire while the process runs."""

    access_key: str
    secret_key: str
    token: str | None

    def get_frozen_credentials(self) -> StaticCredentials:
        """Return them as they are at this moment, as botocore's credentials do."""
        return self

    def __repr__(self) -> str:
        """Return a text without the credentials."""
        return "StaticCredentials(...)"


class WireSettings(NamedTuple):
    """Where, and as whom, the wire makes calls. `url` has no path.

    `credentials` are `StaticCredentials` or botocore's; `certificates` is as of `Endpoint`;
    `application` is AWS_SDK_UA_APP_ID, a part of the user agent.
    """

    region: str
    url: str
    credentials: Any
    certificates: str | None
    application: str | None = None


def find_settings(
    connection: Connection,
    environ: Mapping[str, str],
    file_exists: Callable[[str], bool] = os.path.exists,
    platform: str = sys.platform,
) -> WireSettings | str:
    """Return the wire's settings, or why only boto3 can find them; botocore is not imported.

    Args: *file_exists* tells whether there is a file; `~` is expanded before.
    """
    for reason in (
        *_find_options(connection),
        *_find_variables(environ),
        *_find_files(environ, file_exists),
    ):
        return reason
    if platform in {"darwin", "win32"}:
        return "the system may have a proxy"
    region = connection.region or environ.get(_REGION) or ""
    domain = next((domain for names, domain in _DOMAINS if names.fullmatch(region)), None)
    if domain is None:
        return f"boto3 has to judge the region {region!r}"
    credentials = _find_credentials(connection, environ)
    if credentials is None:
        return "boto3 has to look for credentials"
    url = connection.endpoint_url or f"https://dynamodb.{region}.{domain}"
    is_tls = urlsplit(url).scheme == "https"
    return WireSettings(region, url, credentials, find_certificates() if is_tls else None)


def _find_options(connection: Connection) -> Iterator[str]:
    """Yield which options only boto3 can honor or refuse."""
    if connection.client is not None or connection.profile is not None:
        yield "an option is for boto3"
    if connection.max_attempts == 1:
        yield "max_attempts = 1 leaves boto3 no attempt after one of the wire's"
    try:
        parts = urlsplit(connection.endpoint_url or "https://")
        _ = parts.port
    except ValueError:
        yield "the endpoint is invalid"
    else:
        if parts.path.strip("/") or parts.scheme not in {"http", "https"}:
            yield "the endpoint is not an address alone"


def _find_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield which variables only boto3 can honor."""
    for name, value in environ.items():
        if name in _FILES:
            is_for_boto3 = value != os.devnull
        elif name.upper().endswith("_PROXY"):
            is_for_boto3 = name.upper() != "NO_PROXY"
        else:
            is_for_boto3 = name.upper().startswith(_PREFIXES) and name not in _KNOWN
            is_for_boto3 = is_for_boto3 and not name.startswith(_LAMBDA)
        if is_for_boto3:
            yield f"boto3 reads {name}"


def _find_files(environ: Mapping[str, str], file_exists: Callable[[str], bool]) -> Iterator[str]:
    """Yield which files boto3 would read."""
    for name, path in _FILES.items():
        if name not in environ and file_exists(os.path.expanduser(path)):  # noqa: PTH111  # as botocore
            yield f"boto3 reads {path}"


def _find_credentials(
    connection: Connection, environ: Mapping[str, str]
) -> StaticCredentials | None:
    """Return the credentials that boto3 would use; None if it has to search or to complain."""
    key, secret = connection.aws_access_key_id, connection.aws_secret_access_key
    token = connection.aws_session_token
    if key is None and secret is None and token is None:
        key, secret, token = environ.get(_KEY_ID), environ.get(_SECRET), environ.get(_TOKEN)
    return StaticCredentials(key, secret, token or None) if key and secret else None


def find_certificates() -> str:
    """Return the file of certificates that botocore trusts if none is configured.

    That is certifi's if it is installed, else botocore's own (botocore/httpsession.py).
    """
    try:
        from certifi import where
    except ImportError:
        spec = importlib.util.find_spec("botocore")  # a package is not imported by this
        folder = Path(spec.origin).parent if spec and spec.origin else Path()
        return str(folder / "cacert.pem")
    return where()


def take_imports() -> tuple[Any, ...]:
    """Return what changes if botocore is imported, or if something begins to watch imports.

    A tracer replaces botocore's methods at once, which imports it, or when somebody imports it.
    """
    return ("botocore.client" in sys.modules, *sys.meta_path)


def is_import_watched(imports: tuple[Any, ...]) -> bool:
    """Return whether boto3 has to be imported to find out who listens to its calls.

    Args: *imports*, as `take_imports` returns it.
    """
    is_imported, *finders = imports
    return is_imported or any(not _FINDERS.fullmatch(_get_module(finder)) for finder in finders)


def _get_module(finder: Any) -> str:
    kind = finder if isinstance(finder, type) else type(finder)
    return str(getattr(kind, "__module__", ""))
