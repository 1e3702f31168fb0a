"""The wire's signatures are those of botocore's SigV4Auth, byte for byte."""

from __future__ import annotations

import datetime as dt
import string
from dataclasses import dataclass
from typing import Any, Final
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from beaker_dynamodb.dynamodb.wire.client import API_VERSION, CONTENT_TYPE, Signer
from beaker_dynamodb.dynamodb.wire.http import Endpoint

WORDS: Final = st.text(string.ascii_letters + string.digits + "/+=", min_size=1, max_size=40)
#: Session tokens hold no white space; if one did, botocore would sign it trimmed.
TOKENS: Final = st.none() | st.text(string.ascii_letters + "/+= \t", max_size=300)
HOSTS: Final = st.sampled_from(
    ("dynamodb.us-east-1.amazonaws.com", "Example.COM", "127.0.0.1", "[::1]", "localhost")
)
PORTS: Final = st.sampled_from(("", ":80", ":443")) | st.integers(1, 65535).map(":{}".format)
REGIONS: Final = st.sampled_from(("us-east-1", "cn-north-1", "local"))
SECONDS: Final = st.integers(0, 4_000_000_000)
BODIES: Final = st.binary(max_size=300) | st.text(max_size=300).map(str.encode)


def sign_by_botocore(
    url: str, operation: str, body: bytes, keys: Credentials, region: str, now: int
) -> Any:
    """Return the headers of the same request as botocore signs it in the same second."""
    sent = {"Content-Type": CONTENT_TYPE, "X-Amz-Target": f"{API_VERSION}.{operation}"}
    request = AWSRequest(method="POST", url=f"{url}/", headers=sent, data=body)
    moment = dt.datetime.fromtimestamp(now, dt.timezone.utc)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        SigV4Auth(keys, "dynamodb", region).add_auth(request)
    return request.headers


def parse_headers(text: str) -> dict[str, str]:
    """Return the header lines as a dict."""
    lines = [line.partition(": ") for line in text.split("\r\n") if line]
    return {name: value for name, _, value in lines}


@dataclass(frozen=True)
class Case:
    """A request: its credentials, address, time and body."""

    keys: tuple[str, str, str | None]
    host: str
    port: str
    scheme: str
    region: str
    now: int
    body: bytes


@given(
    st.builds(
        Case,
        keys=st.tuples(WORDS, WORDS, TOKENS),
        host=HOSTS,
        port=PORTS,
        scheme=st.sampled_from(("http", "https")),
        region=REGIONS,
        now=SECONDS,
        body=BODIES,
    )
)
def test_a_signature_equals_that_of_botocore(case: Case) -> None:
    """For any body, credentials, host, port and second."""
    url, keys = f"{case.scheme}://{case.host}{case.port}", Credentials(*case.keys)
    signer, token = Signer(Endpoint(url, None).host_header, case.region), case.keys[2]
    frozen = keys.get_frozen_credentials()

    for operation in ("PutItem", "GetItem"):
        ours = parse_headers(signer.sign(operation, case.body, frozen, case.now))
        theirs = sign_by_botocore(url, operation, case.body, keys, case.region, case.now)

        assert ours["Authorization"] == theirs["Authorization"]
        assert ours["X-Amz-Date"] == theirs["X-Amz-Date"]
        assert ("X-Amz-Security-Token" in ours) == bool(token)


NOON: Final = 1_700_000_000
CHANGES: Final[tuple[tuple[tuple[str, str, str | None], int], ...]] = (
    (("one", "secret", None), NOON),
    (("one", "secret", None), NOON + 5),
    (("one", "secret", None), NOON + 86_400),
    (("one", "other", None), NOON + 86_400),
    (("two", "other", None), NOON + 86_400),
    (("two", "other", "token"), NOON + 86_400),
    (("two", "other", "fresh"), NOON),
)


def test_the_cached_signing_key_is_used_for_one_day_and_one_set_of_credentials() -> None:
    """One signer signs as botocore does after the day or a part of the credentials has changed."""
    signer = Signer("h", "us-east-1")
    ours, theirs = [], []
    for texts, now in CHANGES:
        keys = Credentials(*texts)
        ours.append(
            parse_headers(signer.sign("GetItem", b"{}", keys.get_frozen_credentials(), now))
        )
        theirs.append(sign_by_botocore("http://h", "GetItem", b"{}", keys, "us-east-1", now))

    assert [one["Authorization"] for one in ours] == [one["Authorization"] for one in theirs]


def test_credentials_that_would_inject_a_header_are_refused() -> None:
    """A line end in an access key or a token is never sent."""
    for texts in (("a\r\nX-Evil: 1", "s", None), ("ä", "s", None), ("a", "s", "t\x00")):
        frozen = Credentials(*texts).get_frozen_credentials()
        with pytest.raises(ValueError, match="characters that a header cannot"):
            Signer("h", "r").sign("GetItem", b"", frozen, 0)


def test_no_repr_shows_a_secret() -> None:
    """Neither that of the signer nor that of its cached key."""
    signer = Signer("h", "us-east-1")
    frozen = Credentials("AKIDKEY", "SECRET", "TOKEN").get_frozen_credentials()
    signer.sign("GetItem", b"", frozen, NOON)
    shown = repr(signer) + repr(signer._key)

    assert [word for word in ("AKIDKEY", "SECRET", "TOKEN") if word in shown] == []
