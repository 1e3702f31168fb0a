"""The doctor at a real store, by its entry point: findings as they come, exit codes, no traces."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.config import sources
from beaker_dynamodb.ops.application import Application, load_application
from beaker_dynamodb.ops.doctor.check import Finding, exit_code
from beaker_dynamodb.ops.doctor.examine import examine, examine_store
from beaker_dynamodb.provisioning import provision
from beaker_dynamodb.runtime import REAL
from tests.instruments import Recorder
from tests.servers import KEY, Flavor, Server, free_port


def list_problems(found: list[Finding]) -> list[tuple[str, str]]:
    """Keep what is worse than a note."""
    return [(one.severity, one.check) for one in found if one.severity in {"warning", "error"}]


def test_an_application_without_problems_has_only_ok_and_notes(
    ini_with_table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every topic has its line, ok or a note; the count is on stderr; the exit code is 0."""
    assert main(["doctor", "-c", ini_with_table]) == 0
    out, err = capsys.readouterr()

    for matter in (
        *(
            "versions",
            "backend",
            "url",
            "cookie",
            "credentials",
            "region",
            "endpoint",
            "table",
            "keys",
        ),
        *("TTL", "capacity", "clock", "round trip"),
    ):
        assert f"ok       {matter}: " in out
    assert "ok       permissions: GetItem, PutItem, DeleteItem, BatchWriteItem\n" in out
    assert err.startswith("0 errors, 0 warnings, ")


def test_machines_read_one_object_a_line(
    ini_with_table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same findings, with all that they hold."""
    assert main(["doctor", "-c", ini_with_table, "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert {"ok", "note"} == {one["severity"] for one in found}
    assert set(found[0]) == {"severity", "check", "message", "remedy", "logs_out", "unreachable"}
    assert main(["doctor", "-c", ini_with_table, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_nothing_stays_behind(ini_with_table: str, dynamodb_local: str, table_name: str) -> None:
    """The one row that was written is gone."""
    main(["doctor", "-c", ini_with_table, "--quiet"])
    client = Server(dynamodb_local, Flavor.LOCAL).client()

    assert client.scan(TableName=table_name)["Count"] == 0
    client.close()


def test_read_only_writes_nothing_that_could_take_effect(
    ini_with_table: str, calls: Recorder
) -> None:
    """Each write has a condition that cannot hold, or deletes a row that does not exist."""
    assert main(["doctor", "-c", ini_with_table, "--read-only", "--quiet"]) == 0
    writes = [call for call in calls if call.operation in {"PutItem", "DeleteItem"}]

    assert [call.error for call in writes] == ["ConditionalCheckFailedException"] * 2


def test_an_index_is_checked_with_the_calls_of_user_sessions(
    ini: str, calls: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    """DynamoDB accepts each of them, whatever the type of the special key."""
    options = ["-c", ini, "-o", "special_keys=userId, visits:N, photo:B"]
    assert main(["table", "create", "--quiet", *options]) == 0
    calls.clear()

    assert main(["doctor", "--read-only", *options]) == 0
    assert "BatchWriteItem, Query, BatchGetItem\n" in capsys.readouterr().out
    queries = [call for call in calls if call.operation == "Query"]
    assert [call.error for call in queries] == [None] * 3


def test_a_cache_is_checked_with_its_own_calls(
    ini_with_table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Query is checked too, and the cookie is not."""
    assert main(["doctor", "-c", ini_with_table, "--cache", "default", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    said = {one["check"]: one["message"] for one in found}

    assert said["permissions"].endswith("BatchWriteItem, Query")
    assert "cookie" not in said
    assert "round trip" in said


def test_a_table_that_is_missing_is_reported_and_stays_missing(
    ini: str, capsys: pytest.CaptureFixture[str], calls: Recorder
) -> None:
    """It is an error if no request creates it; the doctor itself does not."""
    assert main(["doctor", "-c", ini]) == 0
    out = capsys.readouterr().out

    assert "note     table: " in out
    assert f"-> beaker-dynamodb table create -c {ini}\n" in out
    assert main(["doctor", "-c", ini, "-o", "create_table=false"]) == 1
    assert "error    table: " in capsys.readouterr().out
    assert main(["doctor", "-c", ini, "-o", "special_keys=u"]) == 0
    assert f"table create -c {ini} -o special_keys=u\n" in capsys.readouterr().out
    assert calls.names == ["DescribeTable"] * 3


def test_a_store_that_does_not_answer_is_3_after_what_was_found(
    ini: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The findings until then are printed, and the last one names the address that was tried."""
    port = free_port()
    nobody = ("-o", f"endpoint_url=http://127.0.0.1:{port}", "-o", "max_attempts=1")
    assert main(["doctor", "-c", ini, *nobody]) == 3
    lines = capsys.readouterr().out.splitlines()

    assert lines[0].startswith("ok       versions: ")
    assert f"did not answer at 127.0.0.1:{port}" in lines[-1]
    assert lines[-1].endswith("; start the server, or correct option endpoint_url")


def test_a_wrong_clock_is_found_by_the_servers_own(ini_with_table: str) -> None:
    """By the header of any reply."""
    slow = dataclasses.replace(REAL, clock=lambda: REAL.clock() - 400)

    assert ("error", "clock") in list_problems(
        list(examine_store(load_application(ini_with_table), runtime=slow))
    )


def test_missing_credentials_are_reported_before_any_call(
    ini: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the places that were searched."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    bare = Path(ini).read_text().replace(f"_key_id = {KEY}", "_key_id =")
    Path(ini).write_text(bare.replace(f"secret_access_key = {KEY}", "secret_access_key ="))

    assert main(["doctor", "-c", ini]) == 1
    assert "error    credentials: none found" in capsys.readouterr().out


def test_a_missing_region_is_reported(ini: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an error with its sentence, and the file that was forgotten, not as a traceback."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    app = load_application(ini)
    bare = Application(dataclasses.replace(app.options, region=None), {})
    found = list(examine_store(bare))

    assert "no AWS region is set" in found[-1].message
    assert "-c FILE reads the options" in found[-1].message
    assert exit_code(iter(found)) == 1


def test_a_misspelled_variable_is_an_error(
    ini_with_table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is reported, and the file is not."""
    monkeypatch.setenv("BEAKER_DYNAMODB_TABEL", "x")
    sources.forget()

    assert list_problems(list(examine(ini_with_table))) == [("error", "environment")]
    monkeypatch.setenv("BEAKER_DYNAMODB_TTL", "x")
    monkeypatch.delenv("BEAKER_DYNAMODB_TABEL")
    sources.forget()
    assert list_problems(list(examine(ini_with_table))) == [("error", "options")]


def test_a_table_of_other_keys_ends_the_checks(ini_with_table: str, calls: Recorder) -> None:
    """Every call would say the same in other words."""
    found = list(examine_store(load_application(ini_with_table, given={"hash_key": "sid"})))

    assert ("error", "key schema") in list_problems(found)
    assert calls.names == ["DescribeTable", "DescribeTimeToLive"]
    assert provision.describe is not None
