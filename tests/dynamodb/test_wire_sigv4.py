"""The wire's signatures, compared with those of botocore's SigV4Auth byte for byte."""

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

from beaker_dynamodb.dynamodb.wire.http import Endpoint
from beaker_dynamodb.dynamodb.wire.sigv4 import CONTENT_TYPE, TARGET, Signer

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


def by_botocore(
    url: str, operation: str, body: bytes, keys: Credentials, region: str, now: int
) -> Any:
    """Have botocore sign the same request in the same second, and return its headers."""
    sent = {"Content-Type": CONTENT_TYPE, "X-Amz-Target": f"{TARGET}.{operation}"}
    request = AWSRequest(method="POST", url=f"{url}/", headers=sent, data=body)
    moment = dt.datetime.fromtimestamp(now, dt.timezone.utc)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        SigV4Auth(keys, "dynamodb", region).add_auth(request)
    return request.headers


def headers(text: str) -> dict[str, str]:
    """Read header lines."""
    lines = [line.partition(": ") for line in text.split("\r\n") if line]
    return {name: value for name, _, value in lines}


@dataclass(frozen=True)
class Case:
    """A request, and who sends it where and when."""

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
def test_a_signature_is_that_of_botocore(case: Case) -> None:
    """Whatever the body, the keys, the host, the port and the second are."""
    url, keys = f"{case.scheme}://{case.host}{case.port}", Credentials(*case.keys)
    signer, token = Signer(Endpoint(url, None).host, case.region), case.keys[2]
    frozen = keys.get_frozen_credentials()

    for operation in ("PutItem", "GetItem"):
        ours = headers(signer.head(operation, case.body, frozen, case.now))
        theirs = by_botocore(url, operation, case.body, keys, case.region, case.now)

        assert ours["Authorization"] == theirs["Authorization"]
        assert ours["X-Amz-Date"] == theirs["X-Amz-Date"]
        assert ("X-Amz-Security-Token" in ours) == bool(token)


NOON: Final = 1_700_000_000
ROTATED: Final[tuple[tuple[tuple[str, str, str | None], int], ...]] = (
    (("one", "secret", None), NOON),
    (("one", "secret", None), NOON + 5),
    (("one", "secret", None), NOON + 86_400),
    (("one", "other", None), NOON + 86_400),
    (("two", "other", None), NOON + 86_400),
    (("two", "other", "token"), NOON + 86_400),
    (("two", "other", "fresh"), NOON),
)


def test_a_key_that_was_derived_serves_one_day_and_one_set_of_credentials() -> None:
    """One signer signs on as botocore does when the day, or any of the three texts, changes."""
    signer = Signer("h", "us-east-1")
    ours, theirs = [], []
    for texts, now in ROTATED:
        keys = Credentials(*texts)
        ours.append(headers(signer.head("GetItem", b"{}", keys.get_frozen_credentials(), now)))
        theirs.append(by_botocore("http://h", "GetItem", b"{}", keys, "us-east-1", now))

    assert [one["Authorization"] for one in ours] == [one["Authorization"] for one in theirs]


def test_credentials_that_would_write_a_header_of_their_own_are_refused() -> None:
    """A line's end in a key or a token never reaches the server."""
    for texts in (("a\r\nX-Evil: 1", "s", None), ("ä", "s", None), ("a", "s", "t\x00")):
        frozen = Credentials(*texts).get_frozen_credentials()
        with pytest.raises(ValueError, match="cannot stand in a header"):
            Signer("h", "r").head("GetItem", b"", frozen, 0)


def test_no_secret_stands_in_a_repr() -> None:
    """Neither of the signer nor of what it keeps."""
    signer = Signer("h", "us-east-1")
    frozen = Credentials("AKIDKEY", "SECRET", "TOKEN").get_frozen_credentials()
    signer.head("GetItem", b"", frozen, NOON)
    shown = repr(signer) + repr(signer._derived)

    assert [word for word in ("AKIDKEY", "SECRET", "TOKEN") if word in shown] == []
