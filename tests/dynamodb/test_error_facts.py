"""Facts of a failure that help to find its cause: the server's clock and the address."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from beaker_dynamodb.dynamodb.connection import Connection, describe_places
from beaker_dynamodb.dynamodb.responses import make_error, read_failure
from beaker_dynamodb.errors import CallFacts


def test_a_refused_signature_has_the_servers_clock() -> None:
    """A wrong clock is one cause, and only this response has the right time."""
    date = "Mon, 02 Nov 2020 10:00:00 GMT"
    response: Any = {
        "Error": {"Code": "InvalidSignatureException", "Message": "expired"},
        "ResponseMetadata": {"HTTPStatusCode": 400, "HTTPHeaders": {"date": date}},
    }

    assert read_failure(ClientError(response, "GetItem")).date == date


def test_an_address_that_does_not_answer_is_named_without_its_secrets() -> None:
    """Host and port, since a wrong endpoint is the usual cause; no user and no password."""
    failure = read_failure(
        EndpointConnectionError(endpoint_url="http://me:secret@db.lan:8000/path")
    )

    assert failure.address == "db.lan:8000"
    error = make_error(failure, CallFacts("GetItem"), lambda: describe_places(Connection(), {}))
    assert "at db.lan:8000" in str(error)
