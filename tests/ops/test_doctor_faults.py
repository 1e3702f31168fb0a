"""The doctor if AWS refuses calls, stops answering, or loses a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.dynamodb.client import Client, Response
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.errors import AccessRefused, CallFacts, Unavailable
from beaker_dynamodb.ops.application import load_application
from beaker_dynamodb.ops.doctor.check import exit_code
from beaker_dynamodb.ops.doctor.examine import examine_store
from tests.instruments import Recorder
from tests.ops.test_doctor import list_problems


def test_a_store_that_goes_away_meanwhile_is_3(
    ini_with_table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One silent call is enough; the others are not waited for."""
    operations = make_calls_fail(monkeypatch, {"GetItem": Unavailable("gone")})

    assert exit_code(examine_store(load_application(ini_with_table))) == 3
    assert operations[-1] == "GetItem"


def make_calls_fail(monkeypatch: pytest.MonkeyPatch, errors: Mapping[str, Exception]) -> list[str]:
    """Have the client raise for some operations; return what was asked."""
    call, operations = Client.call, list[str]()

    def call_or_raise(
        self: Client, operation: str, request: Mapping[str, Any], **more: Any
    ) -> Response:
        operations.append(operation)
        if operation in errors:
            raise errors[operation]
        return call(self, operation, request, **more)

    monkeypatch.setattr(Client, "call", call_or_raise)
    return operations


def make_refusal(operation: str, code: str = "AccessDeniedException") -> AccessRefused:
    """Make what the client raises when a role may not."""
    date = "Mon, 02 Nov 2020 10:00:00 GMT"
    return AccessRefused("no", call=CallFacts(operation, "t", code=code, date=date))


def test_a_missing_permission_is_reported_by_its_name(
    ini_with_table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It need not describe the table; it must write. No round trip is tried."""
    operations = make_calls_fail(
        monkeypatch, {n: make_refusal(n) for n in ("DescribeTable", "PutItem")}
    )

    assert main(["doctor", "-c", ini_with_table]) == 1
    out = capsys.readouterr().out
    assert "warning  create_table: is true, but this role may not describe a table" in out
    assert "error    permissions: the application needs dynamodb:PutItem" in out
    assert f"-> beaker-dynamodb policy app -c {ini_with_table}" in out
    assert operations.count("PutItem") == 1


@pytest.mark.parametrize("operation", ["Query", "BatchGetItem"])
def test_a_missing_permission_of_user_sessions_is_a_note(
    operation: str,
    ini: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not every application with an index uses them, so the exit code is 0."""
    options = ["-c", ini, "-o", "special_keys=userId, visits:N, photo:B"]
    assert main(["table", "create", "--quiet", *options]) == 0
    make_calls_fail(monkeypatch, {operation: make_refusal(operation)})

    assert main(["doctor", *options]) == 0
    out = capsys.readouterr().out
    assert out.count(f"note     permissions: AWS refuses dynamodb:{operation}, which") == 1
    assert "policy app --user-sessions" in out
    assert ", Query\n" in out if operation == "BatchGetItem" else "BatchWriteItem\n" in out


def test_a_refused_key_is_reported_with_the_difference_of_the_clocks(
    ini_with_table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong clock is one of the reasons, and the response has the server's time."""
    operations = make_calls_fail(
        monkeypatch, {"DescribeTable": make_refusal("DescribeTable", "InvalidSignatureException")}
    )
    found = list(examine_store(load_application(ini_with_table)))

    assert list_problems(found) == [("error", "credentials"), ("error", "clock")]
    assert operations == ["DescribeTable"]


def test_a_row_that_cannot_be_read_back_is_an_error_and_is_deleted(
    ini_with_table: str, monkeypatch: pytest.MonkeyPatch, calls: Recorder
) -> None:
    """Whatever goes wrong in between, the last call deletes it."""
    monkeypatch.setattr(Rows, "read", lambda *_, **__: None)
    found = list(examine_store(load_application(ini_with_table)))

    assert list_problems(found) == [("error", "round trip")]
    assert calls.names[-1] == "DeleteItem"
    assert calls[-1].error is None


def test_a_row_is_deleted_though_its_write_failed(
    ini_with_table: str, monkeypatch: pytest.MonkeyPatch, calls: Recorder
) -> None:
    """A write whose response was lost may have been applied."""

    def write(*_: object) -> None:
        raise Unavailable("lost")

    monkeypatch.setattr(Rows, "write", write)

    assert exit_code(examine_store(load_application(ini_with_table))) == 3
    assert calls.names[-1] == "DeleteItem"


def test_a_row_is_sealed_as_the_application_seals_it(
    ini_with_table: str, dynamodb_local: str, table_name: str, calls: Recorder
) -> None:
    """The round trip tries the encryption, too."""
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    found = list(examine_store(load_application(ini_with_table, given={"encryption_keys": key})))
    written = [call for call in calls if call.operation == "PutItem"][-1].request["Item"]

    assert exit_code(iter(found)) == 0
    assert b"doctor" not in written["data"]["B"]
    assert written["id"]["S"].startswith("shop:doctor-")


def test_no_table_is_created_though_the_application_would(
    ini: str, monkeypatch: pytest.MonkeyPatch, calls: Recorder
) -> None:
    """A role that may not describe it finds out by a read that there is none."""
    make_calls_fail(monkeypatch, {"DescribeTable": make_refusal("DescribeTable")})
    found = list(examine_store(load_application(ini)))

    assert ("error", "permissions") in list_problems(found)
    assert "CreateTable" not in calls.names
