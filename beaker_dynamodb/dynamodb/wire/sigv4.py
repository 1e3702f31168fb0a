"""Signature Version 4 for the one kind of request that the wire sends: POST /, JSON, no query.

Pure but for a cache of one derived key, which holds for a day, a region and one set of
credentials. No secret stands in a repr. Rules: AWS, "Create a signed AWS API request".
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol

CONTENT_TYPE: Final = "application/x-amz-json-1.0"
#: What stands before an operation's name in the header x-amz-target.
TARGET: Final = "DynamoDB_20120810"
_SERVICE: Final = "dynamodb"


class Frozen(Protocol):
    """Credentials at one moment, as botocore's `get_frozen_credentials()` hands them out."""

    @property
    def access_key(self) -> str | None:
        """The key id."""

    @property
    def secret_key(self) -> str | None:
        """The secret."""

    @property
    def token(self) -> str | None:
        """The session token, None where there is none."""


@dataclass(frozen=True, slots=True)
class _Derived:
    """What stays the same for a day: the derived key, and the texts around a signature."""

    day: str
    identity: tuple[str | None, str | None, str | None] = field(repr=False)
    key: bytes = field(repr=False)
    scope: str = field(repr=False)
    token: str | None = field(repr=False)
    credential: str = field(repr=False)


class Signer:
    """Signs requests to one host and region."""

    __slots__ = ("_derived", "_host", "_region")

    def __init__(self, host: str, region: str) -> None:
        """Args: *host* is the Host header, with its port where that is not the usual one."""
        self._host, self._region = host, region
        self._derived: _Derived | None = None

    def head(self, operation: str, body: bytes, frozen: Frozen, now: float) -> str:
        """Write the headers of a signed request, each with its line's end.

        Args: *operation* is AWS's name, *now* are epoch seconds.
        Raises: ValueError, if the credentials cannot stand in a header.
        """
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        derived = self._derive(stamp[:8], frozen)
        host, target = self._host, f"{TARGET}.{operation}"
        if derived.token is None:
            secret = token = ""
            names = "content-type;host;x-amz-date;x-amz-target"
        else:
            secret = f"x-amz-security-token:{derived.token}\n"
            token = f"X-Amz-Security-Token: {derived.token}\r\n"
            names = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
        request = (
            f"POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\nx-amz-date:{stamp}\n{secret}"
            f"x-amz-target:{target}\n\n{names}\n{sha256(body).hexdigest()}"
        )
        digest = sha256(request.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{derived.scope}\n{digest}"
        signature = hmac.digest(derived.key, text.encode(), "sha256").hex()
        return (
            f"Host: {host}\r\nContent-Type: {CONTENT_TYPE}\r\nX-Amz-Date: {stamp}\r\n"
            f"X-Amz-Target: {target}\r\n{token}Authorization: {derived.credential}"
            f" SignedHeaders={names}, Signature={signature}\r\n"
        )

    def _derive(self, day: str, frozen: Frozen) -> _Derived:
        """Return the key of this day and these credentials; two threads may both derive it."""
        found = self._derived
        identity = (frozen.access_key, frozen.secret_key, frozen.token)
        if found is not None and found.day == day and found.identity == identity:
            return found
        token = " ".join(frozen.token.split()) if frozen.token else None
        shown = f"{frozen.access_key}{token or ''}"
        if not (
            frozen.access_key and frozen.secret_key and shown.isascii() and shown.isprintable()
        ):
            raise ValueError("credentials that cannot stand in a header")
        key = f"AWS4{frozen.secret_key}".encode()
        for part in (day, self._region, _SERVICE, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        scope = f"{day}/{self._region}/{_SERVICE}/aws4_request"
        credential = f"AWS4-HMAC-SHA256 Credential={frozen.access_key}/{scope},"
        self._derived = _Derived(day, identity, key, scope, token, credential)
        return self._derived
