"""Unusable values in the environment and in AWS's files are usage errors: exit 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.dynamodb.responses import make_error, read_failure
from beaker_dynamodb.errors import CallFacts, OptionError, Unavailable
from tests.servers import free_port

NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
#: Each is refused by botocore or urllib, as a ValueError or by a class of their own.
WRONG: list[dict[str, str]] = [
    {"AWS_STS_REGIONAL_ENDPOINTS": "x"},
    {"AWS_DEFAULTS_MODE": "x"},
    {"AWS_ACCOUNT_ID_ENDPOINT_MODE": "x"},
    {"AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": "x"},
    {"AWS_REQUEST_CHECKSUM_CALCULATION": "x"},
    {"AWS_METADATA_SERVICE_TIMEOUT": "x"},
    {"AWS_ENDPOINT_URL": "http://["},
    {"AWS_ENDPOINT_URL_DYNAMODB": "http://a:99999"},
    {"AWS_ENDPOINT_URL": "x"},
    {"NO_PROXY": "", "no_proxy": "", "http_proxy": "http://a:x"},
    {**NO_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "ftp://x"},
    {**NO_KEYS, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "x", "AWS_EC2_METADATA_DISABLED": ""},
]
FILES = {
    "credential_process = echo x": "JSONDecodeError",
    "credential_process = /nowhere": "FileNotFoundError",
    "role_arn = x\nsource_profile = b": "InvalidConfigError",
    "role_arn = x\ncredential_source = x": "InvalidConfigError",
}


def show(*more: str) -> int:
    """Run `table show` for an address without a server: a call that is made exits with 3."""
    where = ("region=eu-west-1", "max_attempts=1", *more)
    return main(["table", "show", *(word for one in where for word in ("-o", one))])


@pytest.mark.parametrize("wrong", WRONG, ids="+".join)
def test_a_variable_that_boto3_refuses_is_a_usage_error(
    wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit 3 a script would wait for a store that is available."""
    for name, value in wrong.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    # No name under .invalid is ever resolved (RFC 6761), so nothing is asked but a proxy.
    endpoint = [] if "ENDPOINT_URL" in "".join(wrong) else ["endpoint_url=http://store.invalid"]

    assert show(*endpoint) == 2
    err = capsys.readouterr().err
    assert "boto3 refuses its configuration" in err or "environment variable AWS_END" in err
    set_here = [name for name, value in wrong.items() if value and name.lower() != "no_proxy"]
    assert [name for name in set_here if name not in err] == []


@pytest.mark.parametrize("lines", FILES)
def test_a_profile_that_boto3_refuses_is_a_usage_error(
    lines: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The code says which of botocore's errors it was; nothing of the file is repeated."""
    for name in NO_KEYS:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config").write_text(f"[profile a]\n{lines}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "a")

    assert show(f"endpoint_url={find_free_address()}") == 2
    assert f"code {FILES[lines]}" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["http://[", "http://a:x", "http://under_score:8000"])
def test_an_endpoint_that_is_no_address_is_a_usage_error(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option is named, and what is expected of it."""
    assert show(f"endpoint_url={url}") == 2
    assert "option 'endpoint_url'" in capsys.readouterr().err


def test_the_doctor_does_not_call_a_mistake_an_outage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with 1, an error was found, and not with 3."""
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "x")

    assert (
        main(["doctor", "-o", "region=eu-west-1", "-o", f"endpoint_url={find_free_address()}"]) == 1
    )
    assert "boto3 refuses its configuration" in capsys.readouterr().out


def test_asking_for_the_transport_reports_the_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the same class of error as the call itself."""
    monkeypatch.setenv("AWS_DEFAULTS_MODE", "x")

    with pytest.raises(OptionError):
        Client(Connection(region="eu-west-1")).get_transport()


def test_a_value_error_during_a_call_is_an_outage_and_not_an_option_error() -> None:
    """A garbled response raises one, too. Before a call it means a wrong option."""
    call = CallFacts("GetItem")
    sent, making = (read_failure(ValueError("x"), before_call=making) for making in (False, True))

    assert type(make_error(sent, call, dict)) is Unavailable
    assert type(make_error(making, call, lambda: {"variables": "AWS_..."})) is OptionError


def find_free_address() -> str:
    """Return the address of a port without a server."""
    return f"http://127.0.0.1:{free_port()}"
