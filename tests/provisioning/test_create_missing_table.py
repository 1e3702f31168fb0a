"""A call that finds no table creates it, once, if it may; a deleted table is not recreated."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from beaker_dynamodb import TableMissing
from beaker_dynamodb.dynamodb.table import NoLiveRow
from beaker_dynamodb.item.keys import Key
from tests.dynamodb.doubles import catch_error
from tests.dynamodb.rows import NOW, make_record, open_creating_table
from tests.instruments import Recorder
from tests.proxy import FaultProxy
from tests.servers import Server
from tests.sessions import apps
from tests.sessions.views import Between


def test_the_first_call_creates_a_missing_table(
    server: Server, table_name: str, calls: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """It is created with TTL enabled, which is logged; later calls do not check for it."""
    table = open_creating_table(server.url, table_name)

    found = table.get(Key("sess:alice"), consistent=True)
    first = calls.names
    calls.clear()
    table.put(make_record(table), NoLiveRow(NOW))

    client = server.client()
    expiry = client.describe_time_to_live(TableName=table_name)["TimeToLiveDescription"]
    billing = client.describe_table(TableName=table_name)["Table"]["BillingModeSummary"]
    warned = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert found is None
    assert first[:2] == ["GetItem", "CreateTable"]
    assert first[-1] == "GetItem"
    assert "UpdateTimeToLive" in first
    assert calls.names[:1] == ["PutItem"]
    assert expiry.get("AttributeName") == "gone_at"
    assert billing["BillingMode"] == "PAY_PER_REQUEST"
    assert [table_name in line and "us-east-1" in line for line in warned] == [True]


@pytest.mark.parametrize("calls_before", [1, 2])
def test_a_table_deleted_while_the_process_runs_is_not_recreated(
    calls_before: int, server: Server, table_name: str
) -> None:
    """If it was deleted for a restore, an empty table of its name would be in the way."""
    table = open_creating_table(server.url, table_name)
    for _ in range(calls_before):
        table.get(Key("sess:alice"), consistent=True)
    server.client().delete_table(TableName=table_name)

    error = catch_error(lambda: table.get(Key("sess:alice"), consistent=True))

    assert type(error) is TableMissing


def test_a_late_response_that_the_table_is_missing_fails_nothing(
    proxy: FaultProxy, table_name: str
) -> None:
    """The call was sent before another thread created the table, and answered after."""
    table = open_creating_table(proxy.url, table_name)
    bob = make_record(table)._replace(key=Key("sess:bob"))
    proxy.next(Between(lambda: table.put(bob, NoLiveRow(NOW))), operation="PutItem")

    assert table.put(make_record(table), NoLiveRow(NOW)) is None
    assert table.get(Key("sess:alice"), consistent=True) is not None
    assert table.get(Key("sess:bob"), consistent=True) is not None


def test_threads_that_all_find_no_table_succeed(dynamodb_local: str, table_name: str) -> None:
    """Four threads create the table at the same time; each then writes its row."""
    together = threading.Barrier(4)
    found: list[object] = []

    def work(number: int) -> None:
        table = open_creating_table(dynamodb_local, table_name)
        create = table.create
        record = make_record(table)._replace(key=Key(f"sess:{number}"))

        def when_all_have_found_none() -> None:
            together.wait(20)
            assert create is not None
            create()

        try:
            found.append(
                replace(table, create=when_all_have_found_none).put(record, NoLiveRow(NOW))
            )
        except Exception as error:  # noqa: BLE001  # compared below
            found.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [None] * 4
    assert len(apps.rows_of(dynamodb_local, table_name)) == 4


def test_with_create_table_false_the_error_names_the_command(
    dynamodb_local: str, table_name: str, calls: Recorder
) -> None:
    """A missing table is an error with the command that creates it."""
    manager = apps.manager(dynamodb_local, table_name, "alice", create_table="false")

    for error in (catch_error(lambda: manager["session"]),) * 2:
        assert type(error) is TableMissing
        assert f"beaker-dynamodb table create -o table={table_name} -o region=" in str(error)
        assert f" -o endpoint_url={dynamodb_local}`" in str(error)  # else it would be made at AWS
        assert "its ini file (-c)" in str(error)  # without them it would be another table
    assert set(calls.names) == {"GetItem"}
