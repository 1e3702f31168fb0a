"""Rows that hold anything, and a DynamoDB that holds only those: for commands that never fail."""

from __future__ import annotations

import base64
import io
import json
import math
import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pytest
from hypothesis import strategies as st

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.dynamodb.client import Client, Response
from beaker_dynamodb.item import codec
from beaker_dynamodb.item.codec import Codec, EncryptionContext
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.ops import logout
from tests.revisions import make_rev

Item = dict[str, dict[str, Any]]
TABLE: Final = "odd"
ORDINARY: Final = "0" * 32
OPTIONS: Final = (
    *("-o", f"table={TABLE}", "-o", "region=eu-central-1"),
    *("-o", "special_keys=userId:S,visits:N,token:B"),
)
NUMBERS: Final = tuple(
    "0 -1 1 1.5 42 1E+125 9.9999999999999999999999999999999999999E+125 -1E+125 1E-130 4102444800"
    " 253402300799 253402300800 1E+126 1E+999999 1E+9999999999 NaN sNaN Infinity -Infinity"
    f" {'9' * 38} {'9' * 400} {'9' * 5000}".split()
)
TEXTS: Final = ("", "NaN", "1e999999", "null", "é█—\u2028\u202e", "\0\x1b[31m\r\n", "x" * 3000)
#: What a session's own times may be, as JSON has them.
TIMES: Final = (
    "NaN Infinity -Infinity -1 0 true null {} [] 1e999999 1e308 -1e308 1.5e9 1e18"
    f' "1" "\\ud800" {"9" * 400} {"9" * 5000}'.split()
)


def _number() -> st.SearchStrategy[str]:
    return st.sampled_from(NUMBERS)


def _text() -> st.SearchStrategy[str]:
    return st.sampled_from(TEXTS) | st.text(max_size=20)


def _headers() -> st.SearchStrategy[bytes]:
    """Data whose header says anything: formats, kinds, flags, and how many pieces."""
    small = st.sampled_from((0, 1, 2, 4, 8, ord("S"), ord("T"), ord("V"), 255))
    count = st.sampled_from((0, 1, 2, 2**31, 2**32 - 1))
    return st.builds(
        lambda kind, flags, serializer, number, rest: (
            struct.pack(">BBBBI", 1, kind, flags, serializer, number) + rest
        ),
        *(small, small, small, count, st.binary(max_size=4) | st.just(bytes(32))),
    )


def _json() -> st.SearchStrategy[bytes]:
    """Sessions of valid JSON: their times are anything, and what is in them is nested."""
    inner = st.sampled_from(
        (
            *("1", "NaN", "-Infinity", "1e400", '"\\ud800\\u2028é"', "9" * 400),
            *("[" * depth + "]" * depth for depth in (31, 33, 900)),
            '{"a":' * 900 + "1" + "}" * 900,
        )
    )
    return st.builds(
        lambda time, name, value: zlib.compress(
            f'{{"_creation_time": {time}, {json.dumps(name)}: {value}}}'.encode()
        ),
        *(st.sampled_from(TIMES), _text(), inner),
    )


def _draw_pickles() -> st.SearchStrategy[bytes]:
    """What begins as Beaker's pickles do, with any float as the time."""
    floats = st.floats() | st.sampled_from((math.nan, math.inf, -math.inf, 1e308, -1.0))
    return st.builds(
        lambda time, rest: (
            b"\x80\x02}q\0(X\x0e\0\0\0_creation_timeq\x01G" + struct.pack(">d", time) + rest
        ),
        *(floats, st.just(b"u.") | st.binary(max_size=8)),
    )


def seal_text(text: bytes) -> bytes:
    """Seal a session's text, as an application of those options does."""
    return Codec(codec.SESSION).seal(text, EncryptionContext(Key(""), b"", None))


def _draw_sealed() -> st.SearchStrategy[bytes]:
    """Sound data with anything in it, and with what base64 does not hold behind it."""
    raw = _json() | _draw_pickles() | st.binary(max_size=20)
    behind = st.sampled_from(("", "é" * 8, "====", "\n"))
    return st.builds(
        lambda one, more: seal_text(base64.b64encode(one) + more.encode()), *(raw, behind)
    )


def _values(depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Attributes of every type that DynamoDB has."""
    scalars = (
        st.builds(lambda v: {"S": v}, _text())
        | st.builds(lambda v: {"N": v}, _number())
        | st.builds(lambda v: {"B": v}, st.binary(max_size=20))
        | st.builds(lambda v: {"BOOL": v}, st.booleans())
        | st.just({"NULL": True})
        | st.builds(lambda v: {"SS": v}, st.lists(_text(), max_size=3))
        | st.builds(lambda v: {"NS": v}, st.lists(_number(), max_size=3))
        | st.builds(lambda v: {"BS": v}, st.lists(st.binary(max_size=4), max_size=3))
    )
    return st.recursive(
        scalars,
        lambda inner: (
            st.builds(lambda v: {"L": v}, st.lists(inner, max_size=3))
            | st.builds(lambda v: {"M": v}, st.dictionaries(_text(), inner, max_size=3))
        ),
        max_leaves=depth,
    )


def rows() -> st.SearchStrategy[Item]:
    """Rows of the prefix: ours and others, valid and damaged."""
    data = st.builds(lambda v: {"B": v}, _draw_sealed() | _headers() | st.binary(max_size=40))
    mostly = {
        "id": st.builds(
            lambda word: {"S": "sess:" + word},
            _text()
            | st.sampled_from(("a#imported", "a#lock:b", "a:b", "a#chunk:#r.0", "a#x", "#")),
        ),
        "data": data | data | _values(),
        "rev": st.builds(lambda v: {"B": v}, st.binary() | st.just(make_rev("birth.token")))
        | _values(),
    }
    also = {
        "expires": st.builds(lambda v: {"N": v}, _number()) | _values(),
        "prev": st.builds(lambda v: {"B": v}, st.binary()) | _values(),
        "cache_key": _values(),
        "userId": st.just({"S": "42"}) | _values(),
        "visits": st.builds(lambda v: {"N": v}, _number()) | _values(),
        "token": _values(),
        "sess": st.just({"S": '{"cookie": {}}'}),
        "x\ud800": _values(),
    }
    ours = st.fixed_dictionaries(mostly, optional=also)
    some = st.fixed_dictionaries({"id": mostly["id"]}, optional=also | {"data": mostly["data"]})
    return ours | ours | some


def ordinary() -> Item:
    """Return a session that nothing is wrong with, of user 42; it comes after the odd ones."""
    text = base64.b64encode(zlib.compress(b'{"_creation_time": 1.5e9, "name": "Ann"}'))
    return {
        "id": {"S": "sess:" + ORDINARY},
        "data": {"B": seal_text(text)},
        "rev": {"B": make_rev("birth.token")},
        "userId": {"S": "42"},
        "expires": {"N": "4102444800"},
    }


class OddTable:
    """Answers every call from a few rows, and ignores filters and conditions.

    So what a command does with a row does not rest on the filter that it sent. Only a purge is not
    shown the ordinary session, which has not expired.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = {item["id"]["S"]: item for item in items}
        self.deleted: list[str] = []
        #: What was asked for, as AWS types it.
        self.values: list[dict[str, str]] = []

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer one call."""
        self.values += request.get("ExpressionAttributeValues", {}).values()
        body = _DESCRIBED.get(operation) or self._body(operation, request)
        return {"ConsumedCapacity": {"CapacityUnits": 1.0}, **body}

    def _body(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if operation in {"Scan", "Query"}:
            named = request["ExpressionAttributeNames"]
            asked = request.get("ProjectionExpression", "").split(", ")
            names = {named[name] for name in asked if name}
            expired = "#e <= :now OR" in request.get("FilterExpression", "")
            found = [
                {n: v for n, v in item.items() if not names or n in names}
                for key, item in self.items.items()
                if not (expired and key == "sess:" + ORDINARY)
            ]
            first = request.get("Segment", 0) == 0
            return {"Items": found if first else [], "ScannedCount": len(found)}
        if operation == "BatchGetItem":
            ((table, batch),) = request["RequestItems"].items()
            keys = [key["id"]["S"] for key in batch["Keys"]]
            return {"Responses": {table: [self.items[key] for key in keys if key in self.items]}}
        key = request["Key"]["id"]["S"]
        item = self.items.get(key)
        if operation == "GetItem":
            return {} if item is None else {"Item": item}
        self.deleted.append(key)
        assert len(self.deleted) < 1000, "deleting without end"
        return {} if item is None else {"Attributes": self.items.pop(key)}


_TABLE: Final = {
    "TableName": TABLE,
    "TableStatus": "ACTIVE",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": kind}
        for name, kind in (("id", "S"), ("userId", "S"), ("visits", "N"))
    ],
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    "GlobalSecondaryIndexes": [
        {
            "IndexName": name,
            "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
        for name in ("userId", "visits")
    ],
    "ItemCount": 3,
    "TableSizeBytes": 1000,
}


_DESCRIBED: Final[Mapping[str, Mapping[str, Any]]] = {
    "DescribeTable": {"Table": _TABLE},
    "DescribeTimeToLive": {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}},
}


@contextmanager
def streams(encoding: str) -> Iterator[Callable[[], tuple[str, str]]]:
    """Let stdout and stderr take only what *encoding* has; yield what reads them."""
    out, err = (
        io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", newline="\n")
        for _ in range(2)
    )

    def read_output() -> tuple[str, str]:
        texts = []
        for stream in (out, err):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode(encoding))
        return texts[0], texts[1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        yield read_output


def command(items: Sequence[Item], encoding: str, *words: str) -> tuple[int, str, str, OddTable]:
    """Run a command over these rows; return its exit code, stdout, stderr and what is left."""
    table = OddTable(items)

    def call(_: Client, operation: str, request: Mapping[str, Any], **_more: object) -> Response:
        return Response(table.call(operation, request))

    with pytest.MonkeyPatch.context() as patch, streams(encoding) as read_output:
        patch.setattr(Client, "call", call)
        patch.setattr(logout, "PAUSE", 0)
        code = main(["sessions", words[0], *OPTIONS, *words[1:]])
        out, err = read_output()
    return code, out, err, table
