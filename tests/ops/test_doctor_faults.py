"""The doctor where AWS refuses, goes silent in the middle, or loses what was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.dynamodb.client import Client, Reply
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.errors import AccessRefused, CallFacts, Unavailable
from beaker_dynamodb.ops.application import load_application
from beaker_dynamodb.ops.doctor.check import exit_code
from beaker_dynamodb.ops.doctor.examine import examine_store
from tests.instruments import Recorder
from tests.ops.test_doctor import ill


def test_a_store_that_goes_away_meanwhile_is_3(made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One silent call is enough; the others are not waited for."""
    asked = refusing(monkeypatch, {"GetItem": Unavailable("gone")})

    assert exit_code(examine_store(load_application(made))) == 3
    assert asked[-1] == "GetItem"


def refusing(monkeypatch: pytest.MonkeyPatch, refused: Mapping[str, Exception]) -> list[str]:
    """Have the client raise for some operations; return what was asked."""
    call, asked = Client.call, list[str]()

    def refuse(self: Client, operation: str, request: Mapping[str, Any], **more: Any) -> Reply:
        asked.append(operation)
        if operation in refused:
            raise refused[operation]
        return call(self, operation, request, **more)

    monkeypatch.setattr(Client, "call", refuse)
    return asked


def denied(operation: str, code: str = "AccessDeniedException") -> AccessRefused:
    """Make what the client raises when a role may not."""
    date = "Mon, 02 Nov 2020 10:00:00 GMT"
    return AccessRefused("no", call=CallFacts(operation, "t", code=code, date=date))


def test_a_role_that_lacks_a_right_is_told_which(
    made: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It need not describe the table; it must write. No round trip is tried."""
    asked = refusing(monkeypatch, {n: denied(n) for n in ("DescribeTable", "PutItem")})

    assert main(["doctor", "-c", made]) == 1
    out = capsys.readouterr().out
    assert "warning  create_table: is true, but this role may not describe a table" in out
    assert "error    permissions: the application needs dynamodb:PutItem" in out
    assert f"-> beaker-dynamodb policy app -c {made}" in out
    assert asked.count("PutItem") == 1


def test_a_key_that_aws_does_not_take_is_told_with_the_clocks(
    made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signature is refused for a wrong clock, too: the refusal itself tells the time."""
    asked = refusing(
        monkeypatch, {"DescribeTable": denied("DescribeTable", "InvalidSignatureException")}
    )
    found = list(examine_store(load_application(made)))

    assert ill(found) == [("error", "credentials"), ("error", "clock")]
    assert asked == ["DescribeTable"]


def test_a_row_that_cannot_be_read_back_is_an_error_and_is_deleted(
    made: str, monkeypatch: pytest.MonkeyPatch, calls: Recorder
) -> None:
    """Whatever goes wrong in between, the last call deletes it."""
    monkeypatch.setattr(Rows, "read", lambda *_, **__: None)
    found = list(examine_store(load_application(made)))

    assert ill(found) == [("error", "round trip")]
    assert calls.names[-1] == "DeleteItem"
    assert calls[-1].error is None


def test_a_row_is_deleted_though_its_write_failed(
    made: str, monkeypatch: pytest.MonkeyPatch, calls: Recorder
) -> None:
    """A write whose reply was lost may stand."""

    def write(*_: object) -> None:
        raise Unavailable("lost")

    monkeypatch.setattr(Rows, "write", write)

    assert exit_code(examine_store(load_application(made))) == 3
    assert calls.names[-1] == "DeleteItem"


def test_a_row_is_sealed_as_the_application_seals_it(
    made: str, dynamodb_local: str, table_name: str, calls: Recorder
) -> None:
    """The round trip tries the encryption, too."""
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    found = list(examine_store(load_application(made, given={"encryption_keys": key})))
    written = [call for call in calls if call.operation == "PutItem"][-1].request["Item"]

    assert exit_code(iter(found)) == 0
    assert b"doctor" not in written["data"]["B"]
    assert written["id"]["S"].startswith("shop:doctor-")


def test_no_table_is_created_though_the_application_would(
    ini: str, monkeypatch: pytest.MonkeyPatch, calls: Recorder
) -> None:
    """A role that may not describe it finds out by a read that there is none."""
    refusing(monkeypatch, {"DescribeTable": denied("DescribeTable")})
    found = list(examine_store(load_application(ini)))

    assert ("error", "permissions") in ill(found)
    assert "CreateTable" not in calls.names
