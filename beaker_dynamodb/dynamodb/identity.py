"""Who this process is to AWS, and where it would send its calls: asked of the client itself.

No call to DynamoDB is made; a provider of credentials may make one of its own. Nothing secret
leaves: not the keys, and not the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.responses import error_of, failure_of
from beaker_dynamodb.errors import CallFacts, DynamoDBBackendError, masked_repr


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """Region, endpoint, and the credentials that were found.

    `provider` is botocore's name of where they come from (env, iam-role, explicit...), "" if
    there are none; `expires` is in epoch seconds, None where they do not expire or do not say.
    """

    region: str
    endpoint: str
    provider: str = ""
    expires: float | None = None

    __repr__ = masked_repr


def identity(client: Client) -> Identity:
    """Ask this process's client who it is.

    Raises: OptionError, without a region or with a profile that does not exist; Unavailable, if
    the provider of credentials fails.
    """
    try:
        return _asked(client._current())  # noqa: SLF001  # it is of this package
    except DynamoDBBackendError:
        raise
    except Exception as error:  # noqa: BLE001  # providers of credentials raise anything
        failure = failure_of(error, making=True)
    raise error_of(failure, CallFacts("CreateClient", region=client.region), "")


def _asked(client: Any) -> Identity:
    meta = client.meta
    signer = getattr(client, "_request_signer", None)
    found = getattr(signer, "_credentials", None)
    if found is None:
        return Identity(meta.region_name, meta.endpoint_url)
    found.get_frozen_credentials()  # refreshes what is due, or says why it cannot
    ends = getattr(found, "_expiry_time", None)
    return Identity(
        meta.region_name,
        meta.endpoint_url,
        found.method or "unknown",
        ends.timestamp() if ends is not None else None,
    )


def regions_of(client: Client) -> frozenset[str]:
    """Name the regions of AWS that botocore knows; none, where this client does not tell."""
    loader = getattr(client._current(), "_loader", None)  # noqa: SLF001  # it is of this package
    if loader is None:
        return frozenset()
    told = loader.load_data("endpoints")
    return frozenset(name for partition in told["partitions"] for name in partition["regions"])


def carrier(client: Client) -> tuple[str, str] | None:
    """Say what carries the calls that an application makes most, and why; None if nothing tells.

    Raises: as `identity`.
    """
    tell = getattr(client, "transport", None)
    told = tell() if callable(tell) else None
    return None if told is None else (told.name, told.why)


def clock_of(answer: Mapping[str, Any] | DynamoDBBackendError) -> float | None:
    """Read the server's own clock, epoch seconds, out of a reply's body or an error."""
    if isinstance(answer, DynamoDBBackendError):
        date = answer.call.date if answer.call else None
    else:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        date = headers.get("date")
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None
