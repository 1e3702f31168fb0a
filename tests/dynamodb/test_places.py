"""An error about a wrong value names the place where it is set: option, url, code, variable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from beaker_dynamodb.config.sources import configure, parse
from beaker_dynamodb.dynamodb.client import get_client
from beaker_dynamodb.dynamodb.connection import Connection, describe_places, validate_endpoint
from beaker_dynamodb.errors import DynamoDBBackendError, OptionError, Unavailable
from tests.servers import free_port

SET: Final = "set by environment variable"


def catch_error(given: Mapping[str, object]) -> DynamoDBBackendError:
    """Return the error of one call with these options."""
    with pytest.raises(DynamoDBBackendError) as caught:
        get_client(parse({"max_attempts": 1, **given}, "session")).call("ListTables", {})
    return caught.value


@pytest.mark.parametrize(
    ("given", "defaults", "environment", "place"),
    [
        ({"ttl": "soon"}, {}, {}, "option 'ttl' has 'soon'"),
        (
            {"url": "dynamodb://r/tab?ttl=soon"},
            {},
            {},
            "option 'ttl' set in option 'url' has 'soon'",
        ),
        (
            {},
            {},
            {"BEAKER_DYNAMODB_TABLE_NAME": "a/b"},
            f"option 'table' {SET} BEAKER_DYNAMODB_TABLE_NAME has 'a/b'",
        ),
        (
            {},
            {},
            {"BEAKER_DYNAMODB_URL": "dynamodb://r/tab?ttl=soon"},
            f"option 'ttl' set in option 'url' {SET} BEAKER_DYNAMODB_URL has 'soon'",
        ),
        (
            {"read_capacity_units": 5},
            {},
            {"BEAKER_DYNAMODB_AWS_ACCESS_KEY_ID": "k", "BEAKER_DYNAMODB_WRITE_CAPACITY_UNITS": "5"},
            f"('aws_access_key_id' is {SET} BEAKER_DYNAMODB_AWS_ACCESS_KEY_ID)",
        ),
        (
            {"read_capacity_units": 5, "table": "tab"},
            {"hash_key": "rev"},
            {},
            "two attributes of an item would have the name 'rev'",
        ),
        (
            {"envelope": "json"},
            {"migrate_from": "ext:memcached"},
            {},
            "('migrate_from' is set by configure())",
        ),
    ],
)
def test_an_invalid_value_is_named_with_its_place(
    given: dict[str, object],
    defaults: dict[str, Any],
    environment: dict[str, str],
    place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The line of the ini file is named by the option alone, everything else by its own name."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if "hash_key" in defaults:  # which configure() itself refuses
        given = {**given, **defaults}
    elif defaults:
        configure(**defaults)

    with pytest.raises(OptionError) as caught:
        parse(given, "session")
    assert place in str(caught.value)


def test_configure_names_itself() -> None:
    """It raises where it is called, and says so."""
    with pytest.raises(OptionError, match=r"^option 'ttl' set by configure\(\) has 'soon'"):
        configure(ttl="soon")


@pytest.mark.parametrize(
    ("given", "environment", "words"),
    [
        (
            {"profile": "prod"},
            {"AWS_PROFILE": "other"},
            "option 'profile' names a profile that is not",
        ),
        ({}, {"AWS_PROFILE": "prod"}, "environment variable AWS_PROFILE names a profile"),
        (
            {},
            {"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "prod"},
            "environment variable AWS_DEFAULT_PROFILE names a profile",
        ),
        (
            {},
            {"BEAKER_DYNAMODB_PROFILE": "prod"},
            f"option 'profile' {SET} BEAKER_DYNAMODB_PROFILE names a profile",
        ),
        (
            {},
            {"AWS_DEFAULT_REGION": "eu west"},
            "environment variable AWS_DEFAULT_REGION is not the name of a region",
        ),
        (
            {},
            {"AWS_REGION": "eu-west-1"},
            "(~/.aws/config); boto3 does not read AWS_REGION, which is set to 'eu-west-1'",
        ),
        ({}, {"AWS_DEFAULT_REGION": ""}, "AWS_DEFAULT_REGION (empty)"),
        ({}, {"AWS_STS_REGIONAL_ENDPOINTS": "x"}, "AWS_STS_REGIONAL_ENDPOINTS in the environment"),
        (
            {"transport": "wire"},
            {"BEAKER_DYNAMODB_MAX_ATTEMPTS": "1"},
            "max_attempts = 1 leaves boto3 no attempt",
        ),
        (
            {"client": "nowhere:make"},
            {"BEAKER_DYNAMODB_TRANSPORT": "wire"},
            "option 'client' has 'nowhere:make'",
        ),
        (
            {},
            {"BEAKER_DYNAMODB_CLIENT": "nowhere:make"},
            f"('client' is {SET} BEAKER_DYNAMODB_CLIENT)",
        ),
        (
            {"max_attempts": 1},
            {"BEAKER_DYNAMODB_TRANSPORT": "wire"},
            f"('transport' is {SET} BEAKER_DYNAMODB_TRANSPORT)",
        ),
    ],
)
def test_what_boto3_refuses_is_blamed_on_where_it_was_read(
    given: dict[str, object],
    environment: dict[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An option that nobody gave is not named."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if "AWS_REGION" in environment:
        monkeypatch.delenv("AWS_DEFAULT_REGION")
    if "BEAKER_DYNAMODB_MAX_ATTEMPTS" in environment:
        given = {**given, "max_attempts": None}
    error = catch_error(given)

    assert isinstance(error, OptionError)
    assert words in str(error)


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"])
@pytest.mark.parametrize(
    "value",
    [
        "127.0.0.1:8000",
        "localhost:8000",
        "localhost",
        "htp://localhost:8000",
        "http//localhost:8000",
        "http://under_score:8000",
        "http://local host",
        "http://user:secret@127.0.0.1:8000",
        "embedded",
    ],
)
def test_an_endpoint_in_the_environment_that_is_no_address_is_no_outage(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A waiting operator would wait for ever; the variable is named, and no password."""
    monkeypatch.setenv(variable, value)
    error = catch_error({})

    assert isinstance(error, OptionError)
    assert str(error).startswith(f"environment variable {variable} has ")
    assert "secret" not in str(error)
    assert type(catch_error({"endpoint_url": f"http://127.0.0.1:{free_port()}"})) is Unavailable


def test_only_the_variable_that_boto3_reads_is_checked() -> None:
    """The variable of DynamoDB wins, an option wins over both, and boto3 may ignore them."""
    wrong, right = "127.0.0.1:1", "http://127.0.0.1:1"
    both = {"AWS_ENDPOINT_URL_DYNAMODB": right, "AWS_ENDPOINT_URL": wrong}
    validate_endpoint(Connection(), both)
    validate_endpoint(Connection(), {**both, "AWS_ENDPOINT_URL_DYNAMODB": right + "/path"})
    validate_endpoint(Connection(endpoint_url=right), {"AWS_ENDPOINT_URL": wrong})
    ignored = {"AWS_ENDPOINT_URL": wrong, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True"}
    validate_endpoint(Connection(), ignored)
    with pytest.raises(OptionError, match="AWS_ENDPOINT_URL_DYNAMODB"):
        validate_endpoint(Connection(), {**both, "AWS_ENDPOINT_URL_DYNAMODB": wrong})


def test_an_address_that_does_not_answer_is_blamed_on_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be an outage; if it is a wrong port, the message says which variable to change."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
    error = catch_error({})

    assert type(error) is Unavailable
    assert ": is environment variable AWS_ENDPOINT_URL_DYNAMODB correct?" in str(error)


def test_an_address_of_a_region_is_blamed_on_the_region() -> None:
    """A region that does not exist has no host. An endpoint that is not set is not to blame."""
    assert describe_places(Connection(region="eu-cental-1"), {})["address"] == "option 'region'"
    local = Connection(region="eu-central-1", endpoint_url="http://127.0.0.1:1")
    assert describe_places(local, {})["address"] == "option 'endpoint_url'"


def test_a_token_file_that_does_not_exist_is_no_outage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A pod without its service account's token never gets credentials, however long it waits."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    error = catch_error({})

    assert isinstance(error, OptionError)
    assert "AWS_WEB_IDENTITY_TOKEN_FILE in the environment" in str(error)
