"""The host that the doctor reports is the one that the calls were sent to: a firewall needs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session

from beaker_dynamodb.dynamodb import client as clients
from beaker_dynamodb.dynamodb.wire.http import HTTPConnection
from beaker_dynamodb.ops.application import load_application
from beaker_dynamodb.ops.doctor.examine import examine_store

ACCOUNT = "123456789012"
REFUSAL = json.dumps({"__type": "com.amazon.coral.service#AccessDeniedException"}).encode()


class Body(BytesIO):
    """The body of a response as urllib3 has it."""

    def stream(self, **_: object) -> Any:
        """Yield all of it."""
        yield self.read()


@pytest.fixture
def urls(ini: str) -> Iterator[list[str]]:
    """Refuse all calls of boto3 and of the wire, and return the addresses that were called."""
    called: list[str] = []

    def send(_: URLLib3Session, request: Any) -> AWSResponse:
        called.append(request.url.rstrip("/"))
        return AWSResponse(request.url, 400, HTTPHeaders(), Body(REFUSAL))

    def connect(address: tuple[str, int], *_: object) -> NoReturn:
        called.append(f"https://{address[0]}")
        raise OSError

    assert ini  # whose table is deleted by calls that are not refused
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(URLLib3Session, "send", send)
        patch.setattr(HTTPConnection, "open", connect)
        yield called
    clients.forget()


def list_endpoints(ini: str, region: str, **options: str) -> list[str]:
    """Return the endpoints that the doctor reports for a table in AWS."""
    text = Path(ini).read_text().replace("us-east-1", region)
    # Keys of the environment belong to the account that AWS_ACCOUNT_ID names, others do not.
    lines = [one for one in text.splitlines() if "endpoint_url" not in one and "aws_" not in one]
    Path(ini).write_text("\n".join(lines))
    clients.forget()
    found = examine_store(load_application(ini, given=options))
    return [one.message for one in found if one.check == "endpoint"]


@pytest.mark.parametrize(
    ("region", "environ", "endpoint"),
    [
        ("eu-central-1", {}, "https://dynamodb.eu-central-1.amazonaws.com"),
        (
            "eu-central-1",
            {"AWS_ACCOUNT_ID": ACCOUNT},
            f"https://{ACCOUNT}.ddb.eu-central-1.amazonaws.com",
        ),
        (
            "eu-central-1",
            {"AWS_ACCOUNT_ID": ACCOUNT, "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled"},
            "https://dynamodb.eu-central-1.amazonaws.com",
        ),
        (
            "us-gov-west-1",
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "https://dynamodb.us-gov-west-1.amazonaws.com",
        ),
        (
            "us-east-1",
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "https://dynamodb-fips.us-east-1.amazonaws.com",
        ),
    ],
)
def test_the_host_that_is_called_is_reported(
    region: str,
    environ: dict[str, str],
    endpoint: str,
    ini: str,
    urls: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """boto3 decides at each call, by the account and by what the region has."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    for transport in ("boto3", "auto"):
        urls.clear()
        reported = list_endpoints(ini, region, transport=transport)

        assert reported[0] == endpoint
        assert set(reported) == set(urls)


def test_the_wire_calls_a_host_of_its_own(
    ini: str, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the firewall has to let both through: the wire's, and boto3's for all other calls."""
    monkeypatch.setenv("AWS_ACCOUNT_ID", ACCOUNT)
    reported = list_endpoints(ini, "eu-central-1", transport="wire")

    assert reported == [
        f"https://{ACCOUNT}.ddb.eu-central-1.amazonaws.com",
        "https://dynamodb.eu-central-1.amazonaws.com",
    ]
    assert set(reported) == set(urls)


def test_a_host_that_does_not_answer_is_reported_before_the_outage(ini: str) -> None:
    """A closed firewall is the most frequent reason."""
    given = {"endpoint_url": "http://127.0.0.1:1", "max_attempts": "1"}
    found = list(examine_store(load_application(ini, given=given)))

    assert [one.check for one in found[-2:]] == ["endpoint", "store"]
    assert found[-2].message == "http://127.0.0.1:1"
    given["endpoint_url"] = "http://[::]:1"  # not one for development, as far as its name shows
    *_, last = examine_store(load_application(ini, given=given))
    assert last.message.endswith("a proxy, and option endpoint_url")


def test_the_doctor_leaves_the_clients_as_they_were(ini: str, urls: list[str]) -> None:
    """The application's own calls are not recorded, nor made slower."""
    list_endpoints(ini, "eu-central-1", transport="wire")
    ((client,),) = [list(clients._clients.values())]
    created = client._clients

    assert created is not None
    assert created.wire is not None
    assert "call" not in vars(created.wire)
    assert "send" not in vars(created.boto3._endpoint.http_session)
    assert urls
