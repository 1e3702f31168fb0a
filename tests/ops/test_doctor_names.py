"""What the doctor's checks decide about names, addresses, versions, credentials and clocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from beaker_dynamodb.dynamodb.diagnostics import Identity
from beaker_dynamodb.dynamodb.wire.transport import Transport
from beaker_dynamodb.ops.doctor import credentials, names
from tests.ops.test_doctor_settings import lines


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BEAKER_DYNAMODB_TABEL", "BEAKER_DYNAMODB_TABLE"),
        ("BEAKER_DYNAMO_TABLE", "BEAKER_DYNAMODB_TABLE"),
        ("beaker_dynamodb_region", "BEAKER_DYNAMODB_REGION"),
    ],
)
def test_a_misspelled_variable_is_found(name: str, meant: str) -> None:
    """It would be read by nobody, in silence."""
    (found,) = names.environment([name, "BEAKER_DYNAMODB_URL", "PATH"])

    assert (found.severity, found.remedy) == ("error", f"export {meant}=..., unset {name}")


def test_a_variable_that_means_nothing_is_found() -> None:
    """There is nothing near it to offer."""
    (found,) = names.environment(["BEAKER_DYNAMODB_ZZZZZZZZZZZZZZZZ"])

    assert found.remedy == "unset BEAKER_DYNAMODB_ZZZZZZZZZZZZZZZZ"


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (None, []),
        ("dynamodb://eu-central-1/sessions", []),
        ("dynamo://eu-central-1/sessions", ["error url"]),
        ("dynamodb:eu-central-1/sessions", ["error url"]),
        ("dyanmodb://eu-central-1/sessions", ["error url"]),
        ("redis://127.0.0.1/0", ["note url"]),
    ],
)
def test_an_address_that_is_set_aside_is_found(given: object, line: list[str]) -> None:
    """pyramid_beaker hands another backend's to us, but a mistyped one is meant for us."""
    assert lines(names.url(given)) == line


def test_an_old_library_is_found() -> None:
    """The oldest are those that setup.py names."""
    assert lines(names.versions({"Beaker": "1.14.0", "boto3": "1.34.0"})) == []
    assert lines(names.versions({"Beaker": "1.13.0", "boto3": "1.33.2"})) == ["error versions"] * 2
    assert "is missing" in next(names.versions({"boto3": "1.34.0"})).message
    promised = (Path(__file__).parents[2] / "setup.py").read_text("utf-8")
    for name, version in names.OLDEST.items():
        assert f'"{name.lower()}>={".".join(map(str, version))}"' in promised


def test_another_packages_class_is_found() -> None:
    """Two packages may claim one name; which of them Beaker takes is luck."""
    (found,) = names.backend("dynamodb_beaker.DynamoDBManager")

    assert (found.severity, found.check) == ("error", "backend")
    assert found.message.endswith("under the name ext:dynamodb: dynamodb_beaker.DynamoDBManager")


# Credentials and clock


@pytest.mark.parametrize(
    ("provider", "expires", "line"),
    [
        ("", None, ["error credentials"]),
        ("iam-role", 999.0, ["error credentials"]),
        ("iam-role", 1100.0, ["warning credentials"]),
        ("iam-role", 9000.0, []),
        ("env", None, ["note credentials"]),
        ("explicit", None, ["note credentials"]),
        ("container-role", None, []),
    ],
)
def test_credentials_that_end_are_found(
    provider: str, expires: float | None, line: list[str]
) -> None:
    """None, expired, not renewed in time; a key that lasts is worth a note."""
    who = Identity("eu-central-1", "https://x", provider, expires)

    assert lines(credentials.credentials(who, 1000.0, local=False)) == line


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("explicit", "found in the options"),
        ("env", "found in the environment"),
        ("iam-role", "found by provider iam-role"),
    ],
)
def test_where_credentials_come_from_is_said_in_words(provider: str, said: str) -> None:
    """The names of botocore itself are for those who know botocore; a role's name is its own."""
    (finding,) = credentials.credentials(
        Identity("eu-central-1", "https://x", provider), 0.0, local=True
    )

    assert finding.message == said


def test_a_key_for_a_store_on_this_machine_is_no_matter() -> None:
    """DynamoDB Local takes any."""
    who = Identity("eu-central-1", "http://127.0.0.1:1", "env")

    assert lines(credentials.credentials(who, 1000.0, local=True)) == []
    assert lines(credentials.place(who)) == []


@pytest.mark.parametrize(
    ("theirs", "line"),
    [
        (1000.0, []),
        (1002.0, []),
        (1031.0, ["warning clock"]),
        (600.0, ["error clock"]),
        (None, ["note clock"]),
    ],
)
def test_a_clock_that_is_wrong_is_found(theirs: float | None, line: list[str]) -> None:
    """In both directions; AWS refuses from five minutes on."""
    assert lines(credentials.clock(theirs, 1000.0)) == line


def test_what_carries_a_call_is_told_with_its_reason() -> None:
    """The operator sees why, for `auto` decides at every call."""
    (found,) = credentials.transport(Transport("wire", "nobody listens"))

    assert (found.severity, found.message) == ("ok", "wire: nobody listens")
