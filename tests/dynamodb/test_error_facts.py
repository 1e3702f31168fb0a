"""What leaves of a failure for whoever looks for the reason: the server's clock, the address."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from beaker_dynamodb.dynamodb.responses import make_error, read_failure
from beaker_dynamodb.errors import CallFacts


def test_a_refusal_tells_the_servers_clock() -> None:
    """A signature is refused for a wrong clock, too, and only this answer has the right one."""
    date = "Mon, 02 Nov 2020 10:00:00 GMT"
    response: Any = {
        "Error": {"Code": "InvalidSignatureException", "Message": "expired"},
        "ResponseMetadata": {"HTTPStatusCode": 400, "HTTPHeaders": {"date": date}},
    }

    assert read_failure(ClientError(response, "GetItem")).date == date


def test_an_address_that_does_not_answer_is_named_without_its_secrets() -> None:
    """Host and port, for the wrong endpoint is the usual reason; no name and no password."""
    error = EndpointConnectionError(endpoint_url="http://me:secret@db.lan:8000/path")
    failure = read_failure(error)

    assert failure.address == "db.lan:8000"
    assert "at db.lan:8000" in str(make_error(failure, CallFacts("GetItem")))
