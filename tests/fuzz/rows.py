"""A row out of any bytes, a table that returns it, and rows that this package has written."""

from __future__ import annotations

import base64
import dataclasses
import json
import pickle
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from beaker_dynamodb.config.sources import Kind, parse
from beaker_dynamodb.dynamodb.client import Response
from beaker_dynamodb.dynamodb.rows import Rows, build_rows
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.runtime import Runtime

ENCRYPTION_KEY: Final = base64.b64encode(bytes(range(32))).decode()
TABLE: Final = "sessions"
#: The golden rows expire after it.
NOW: Final = 1_899_999_999.0
OPTIONS: Final = {
    "region": "us-east-1",
    "table": TABLE,
    "encryption_keys": ENCRYPTION_KEY,
    "encryption_required": "false",
}
KEY: Final = Key("sess:6f1ed002ab5595859014ebf0951522d9")
#: The checksum in the header of a row's data.
_HEADER: Final = struct.Struct(">BBBBI")
#: A type of AWS for each number; the last ones are not sent by DynamoDB.
_TYPES: Final = ("S", "N", "B", "NULL", "BOOL", "L", "M", "SS", "BS", "X", "")
_GOLDEN: Final[dict[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "item" / "golden_rows.json").read_text("utf-8")
)

Item = dict[str, Any]


class StubClient:
    """A client that answers each operation with prepared items, without a network."""

    def __init__(self) -> None:
        self.region = "us-east-1"
        self.known_tables = {TABLE}
        self.item: Item | None = None
        self.chunks: list[Item] = []

    def call(self, operation: str, request: Mapping[str, Any], **_: Any) -> Response:
        """Return the items, as DynamoDB would."""
        key, item = request["Key"]["id"]["S"], self.item
        if "#chunk:" in key:
            item = dict(enumerate(self.chunks)).get(int(key.rpartition(".")[2]))
        return Response({} if item is None else {"Item": item})


class StubBoto3:
    """A boto3 client of an empty table."""

    def get_item(self, **_: Any) -> dict[str, Any]:
        """Return no row."""
        return {"ConsumedCapacity": {"TableName": TABLE, "CapacityUnits": 0.5}}

    put_item = delete_item = get_item


def _call_in_order(calls: Sequence[Callable[[], object]]) -> None:
    for call in calls:
        call()


def open_rows(kind: Kind, client: StubClient) -> Rows:
    """Return the rows of sessions or of a cache that *client* reads."""
    more = {"special_keys": "userId:S,visits:N"} if kind == "session" else {}
    rows = build_rows(
        parse({**OPTIONS, **more}, kind),
        kind,
        Runtime(sleep=lambda _: None, run_parallel=_call_in_order),
    )
    table: Any = dataclasses.replace(rows.table, client=client)  # type: ignore[arg-type]
    return dataclasses.replace(rows, table=table)


def repair_checksum(data: bytes) -> bytes:
    """Return a row's data with the checksum that it should have."""
    if len(data) < _HEADER.size:
        return data
    fixed, payload = data[:4], data[_HEADER.size :]
    return fixed + struct.pack(">I", zlib.crc32(payload, zlib.crc32(fixed))) + payload


def decode_item(data: bytes) -> Item:
    """Return the attributes that bytes mean; every byte string means some.

    An attribute is the length of its name, the name, its type, the length of its value in two
    bytes, and the value.
    """
    item: Item = {}
    while data:
        size = data[0] % 32
        name, rest = data[1 : 1 + size].decode("latin-1"), data[1 + size :]
        kind = _TYPES[rest[0] % len(_TYPES)] if rest else "NULL"
        size = int.from_bytes(rest[1:3], "big")
        item[name] = _decode_value(kind, rest[3 : 3 + size])
        data = rest[3 + size :]
    return item


def _decode_value(kind: str, value: bytes) -> Any:
    text = value.decode("utf-8", "surrogatepass") if _is_text(value) else value.decode("latin-1")
    values: dict[str, Any] = {
        "B": value,
        "NULL": True,
        "BOOL": bool(value),
        "L": [{"S": text}],
        "M": {"a": {"N": text}},
        "SS": [text],
        "BS": [value],
    }
    return text if kind == "" else {kind: values.get(kind, text)}


def _is_text(value: bytes) -> bool:
    try:
        value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def encode_item(item: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return bytes that mean an item of S, N and B."""
    parts = []
    for name, typed in item.items():
        for kind, value in typed.items():
            raw = value if isinstance(value, bytes) else str(value).encode()
            parts.append(bytes((len(name),)) + name.encode() + bytes((_TYPES.index(kind),)))
            parts.append(len(raw).to_bytes(2, "big") + raw)
    return b"".join(parts)


def list_golden_items() -> Iterator[Item]:
    """Yield one row of each kind, as DynamoDB returns it."""
    for golden in _GOLDEN.values():
        yield {
            name: {kind: bytes.fromhex(one) if kind == "B" else one for kind, one in typed.items()}
            for name, typed in golden["item"].items()
        }


def list_texts() -> Iterator[str]:
    """Yield texts of sessions: pickles of each protocol, and JSON."""
    values: dict[Any, Any] = {
        "_domain": None,
        "_path": "/",
        "_creation_time": 1_899_999_000.25,
        "_accessed_time": 1_899_999_000.5,
        "userId": "joe",
        "visits": 3,
        "cart": [{"a": (1, 10**30)}, "é"],
    }
    for protocol in range(6):
        yield base64.b64encode(pickle.dumps(values, protocol)).decode()
    yield base64.b64encode(zlib.compress(json.dumps(values).encode())).decode()
    yield base64.b64encode(pickle.dumps({"_path": "/"}, 2)).decode()
