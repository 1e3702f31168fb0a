"""A table behind the client: conditions, refusals that bring theirs, and a table made on demand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pytest

from beaker_dynamodb import CorruptItem, Unavailable
from beaker_dynamodb.dynamodb.table import Absent, At, Condition, Table
from beaker_dynamodb.item.keys import Key
from tests.dynamodb.doubles import failure
from tests.dynamodb.rows import NOW, a_record, creating, table_at
from tests.faults.kinds import Rewrite, aws_error
from tests.proxy import FaultProxy
from tests.servers import Server
from tests.sessions import apps


@pytest.fixture(params=[None, "session"], ids=["hash", "hash+range"])
def table(request: pytest.FixtureRequest, server: Server, table_name: str) -> Table:
    """Give an empty table, in each layout and on each server; `session` is a reserved word."""
    apps.make_table(server.url, table_name, request.param)
    return table_at(server.url, table_name, request.param)


def test_a_row_comes_back_as_it_was(table: Table) -> None:
    """All that a row says is there again; what it does not say is not there."""
    promoted = {"userId": "4711", "visits": 3, "mark": b"\x00\xff"}
    full = a_record(table, prev=("a", "b"), name="a key", promoted=promoted)
    bare = a_record(table, rev="birth.later", expires=None, data=b"")

    table.put(full, Absent(NOW))
    first = table.get(full.key, consistent=True)
    table.put(bare, At("birth.token"))
    second = table.get(full.key, consistent=False)
    other = table.get(table.layout.make_session_key("bob"), consistent=True)

    assert (first, second, other) == (full, bare, None)


#: What stands there, on what condition is written, and whether that holds.
CONDITIONS: Final[tuple[tuple[dict[str, Any] | None, Condition, bool], ...]] = (
    (None, Absent(NOW), True),
    (None, At("birth.token"), False),
    ({}, Absent(NOW), False),
    ({"expires": int(NOW)}, Absent(NOW), True),
    ({"expires": int(NOW)}, Absent(NOW + 0.9), True),
    ({"expires": int(NOW) + 1}, Absent(NOW), False),
    ({"expires": None}, Absent(NOW), False),
    ({}, At("birth.token"), True),
    ({}, At("birth.other"), False),
    ({}, At("birth"), False),
    ({}, At("birth.token", int(NOW) + 60), True),
    ({}, At("birth.token", int(NOW) + 61), False),
    ({"expires": None}, At("birth.token", int(NOW)), False),
)


@pytest.mark.parametrize(("stands", "condition", "holds"), CONDITIONS)
def test_a_write_holds_or_brings_what_stands_there(
    stands: dict[str, Any] | None, condition: Condition, holds: bool, table: Table
) -> None:
    """A condition that does not hold changes nothing, and its refusal brings theirs."""
    theirs = None if stands is None else a_record(table, **stands)
    if theirs is not None:
        assert table.put(theirs, Absent(NOW + 10**6)) is None
    mine = a_record(table, rev="birth.mine")

    refusal = table.put(mine, condition)
    found = table.get(mine.key, consistent=True)
    deleted = table.delete(mine.key, At("birth.mine" if holds else "birth.nobodys"))

    assert found == (mine if holds else theirs)
    assert (refusal is None) is holds
    assert refusal is None or refusal.theirs == theirs
    assert (deleted is None) is holds
    assert deleted is None or deleted.theirs == theirs
    assert table.get(mine.key, consistent=True) == (None if holds else theirs)


def _without_item(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in body.keys() - {"Item"}}


def _anothers(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "Item": {**body["Item"], "id": {"S": "sess:mallory"}}}


@pytest.fixture
def proxied(dynamodb_local: str, table_name: str) -> Iterator[tuple[Table, FaultProxy]]:
    """Give a table behind a proxy, with one row in it."""
    apps.make_table(dynamodb_local, table_name)
    with FaultProxy(dynamodb_local) as proxy:
        table = table_at(proxy.url, table_name)
        table.put(a_record(table), Absent(NOW))
        proxy.clear()
        yield table, proxy


def test_an_emulator_that_does_not_bring_theirs_is_asked(
    proxied: tuple[Table, FaultProxy],
) -> None:
    """Where a refusal says nothing of what stands there, it is read, consistently."""
    table, proxy = proxied
    proxy.next(Rewrite(_without_item), operation="PutItem")

    refusal = table.put(a_record(table), Absent(NOW))

    assert refusal is not None
    assert refusal.theirs == a_record(table)
    assert proxy.operations == ["PutItem", "GetItem"]
    assert proxy.seen[1].body["ConsistentRead"] is True


@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
def test_another_items_key_in_a_reply_is_no_answer(
    operation: str, proxied: tuple[Table, FaultProxy]
) -> None:
    """A reply that belongs to another request is never taken for this one's."""
    table, proxy = proxied
    proxy.next(Rewrite(_anothers), operation=operation, times=None)

    read = partial(table.get, a_record(table).key, consistent=True)
    write = partial(table.put, a_record(table), Absent(NOW))
    error = failure(read if operation == "GetItem" else write)

    assert type(error) is Unavailable
    assert "mallory" not in str(error)


def test_another_items_key_once_is_asked_again(proxied: tuple[Table, FaultProxy]) -> None:
    """A broken reply to a read is followed by one more read."""
    table, proxy = proxied
    proxy.next(Rewrite(_anothers), operation="GetItem")

    assert table.get(a_record(table).key, consistent=True) == a_record(table)
    assert proxy.operations == ["GetItem", "GetItem"]


def test_a_row_that_somebody_else_wrote_is_corrupt(dynamodb_local: str, table_name: str) -> None:
    """A refusal by a row that is none of ours says so, and holds nothing of it."""
    apps.make_table(dynamodb_local, table_name)
    table = table_at(dynamodb_local, table_name)
    apps.write_row(dynamodb_local, table_name, {"id": {"S": "sess:alice"}, "x": {"S": "secret"}})

    error = failure(lambda: table.put(a_record(table), Absent(NOW)))

    assert type(error) is CorruptItem
    assert "secret" not in f"{error}{error!r}"


def test_other_errors_make_no_table(proxied: tuple[Table, FaultProxy]) -> None:
    """Only ResourceNotFound makes a table: not a refused right, not an outage."""
    table, proxy = proxied
    fresh = creating(proxy.url, table.name)
    for code in ("AccessDeniedException", "ValidationException", "InternalServerError"):
        proxy.next(aws_error(code))
        failure(lambda: fresh.get(Key("sess:alice"), consistent=True))

    assert proxy.operations == ["GetItem"] * 3
