"""Rows that are read by their keys, in batches."""

from __future__ import annotations

from typing import Any

from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.dynamodb.rows import build_rows
from beaker_dynamodb.runtime import Runtime
from tests.caches.tables import Table
from tests.faults.fault_kinds import Rewrite
from tests.proxy import FaultProxy


def leave_all_but_two(reply: dict[str, Any]) -> dict[str, Any]:
    """Answer a batch as AWS does if more would be too large: with the first two of its rows.

    AWS: API_BatchGetItem, "more than 1 MB per partition is requested".
    """
    ((table, items),) = reply["Responses"].items()
    rest = [{"id": item["id"]} for item in items[2:]]
    left = {table: {"Keys": rest, "ConsistentRead": True}} if rest else {}
    return {**reply, "Responses": {table: items[:2]}, "UnprocessedKeys": left}


def test_keys_that_a_batch_leaves_unprocessed_are_asked_for_again(
    dynamodb_local: str, table_name: str
) -> None:
    """As long as each response brings some rows, nobody waits, and none is missing."""
    table = Table(dynamodb_local, table_name).make()
    for name in "abcde":
        table.session(name)["session"] = "text"
    waits: list[float] = []
    with FaultProxy(table.url) as proxy:
        proxy.next(Rewrite(leave_all_but_two), operation="BatchGetItem", times=None)
        options = parse({**table.given, "endpoint_url": proxy.url}, "session")
        rows = build_rows(options, "session")
        keys = [rows.layout.make_session_key(name) for name in "abcdex"]

        found = [row.key for row in scan.get_rows(rows.table, keys, Runtime(sleep=waits.append))]

        assert sorted(key.hash for key in found) == sorted(key.hash for key in keys[:-1])
        assert proxy.operations == ["BatchGetItem"] * 3
        assert waits == []
