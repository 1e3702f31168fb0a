"""No value over the limit is stored, and no zlib bomb in the table is inflated."""

from __future__ import annotations

import base64
import tracemalloc
import zlib

import pytest

from beaker_dynamodb.errors import DynamoDBBackendError, ItemTooLarge
from beaker_dynamodb.item.codec import (
    BASE64,
    COMPRESSED,
    DICTIONARY,
    FORMAT,
    SESSION,
    TEXT,
    VALUE,
    Codec,
    EncryptionContext,
    deflate,
)
from beaker_dynamodb.item.keys import Key
from tests.revisions import make_rev

MB = 1024 * 1024
CONTEXT = EncryptionContext(Key("sess:a"), make_rev("b.t"), 1000)


def outcome(codec: Codec, data: bytes) -> bytes | DynamoDBBackendError | None:
    """Open a row; hand on the value or the error, and let anything but ours fly."""
    try:
        return codec.open(data, CONTEXT)
    except DynamoDBBackendError as error:
        return error


def make_data(payload: bytes, flags: int) -> bytes:
    """Return the data of a row, as an attacker with access to the table could write it."""
    header = bytes((FORMAT, SESSION, flags, TEXT))
    return header + zlib.crc32(payload, zlib.crc32(header)).to_bytes(4, "big") + payload


def json_bomb(inflated: int) -> bytes:
    """Write the zlib of a JSON session of that many bytes."""
    return zlib.compress(b'{"a": "' + b"x" * (inflated - 9) + b'"}', 9)


@pytest.mark.parametrize(
    "data",
    [
        make_data(deflate(b"x" * (64 * MB)), COMPRESSED),
        make_data(deflate(b"x" * (64 * MB)), COMPRESSED | BASE64),
        make_data(deflate(b"x" * (64 * MB)), COMPRESSED | BASE64 | DICTIONARY),
        make_data(json_bomb(64 * MB), BASE64),
        make_data(deflate(json_bomb(64 * MB)), BASE64 | COMPRESSED),
    ],
    ids=[
        "a row",
        "a row in base64",
        "a row with the dictionary",
        "a JSON session",
        "a JSON session in a compressed row",
    ],
)
def test_a_zlib_bomb_in_the_table_is_refused(data: bytes) -> None:
    """64 MB are ItemTooLarge at a limit of 1 MB, and take a few MB of memory."""
    codec = Codec(SESSION, max_size=MB)

    tracemalloc.start()
    try:
        found = outcome(codec, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert isinstance(found, ItemTooLarge)
    assert (found.limit, found.size > MB) == (MB, True)
    assert peak < 6 * MB


@pytest.mark.parametrize(("spare", "opens"), [(-1, False), (0, True)])
def test_a_json_session_opens_up_to_the_limit(spare: int, opens: bool) -> None:
    """The limit is exact: a session of that size opens, one byte more does not."""
    text = base64.b64encode(json_bomb(500_000))
    found = outcome(Codec(SESSION, max_size=500_000 + spare), Codec(SESSION).seal(text, CONTEXT))

    assert found == text if opens else isinstance(found, ItemTooLarge)


@pytest.mark.parametrize("in_base64", [True, False])
@pytest.mark.parametrize("spare", [-1, 0, 1])
def test_a_value_that_can_be_stored_can_be_read(spare: int, in_base64: bool) -> None:
    """The limit counts the inflated size for writing as well."""
    stream = json_bomb(200_000)
    text = base64.b64encode(stream) if in_base64 else base64.encodebytes(stream)
    codec = Codec(SESSION, max_size=200_000 + spare)

    if spare < 0:
        with pytest.raises(ItemTooLarge) as caught:
            codec.seal(text, CONTEXT)
        assert caught.value.limit == 199_999 < caught.value.size
    else:
        assert codec.open(codec.seal(text, CONTEXT), CONTEXT) == text


@pytest.mark.parametrize("begins", [b"\x78", b"\x78\x9c"], ids=["a byte of it", "its header"])
def test_a_text_that_only_looks_like_zlib_is_returned(begins: bytes) -> None:
    """Beaker gets it unchanged."""
    text = base64.b64encode(begins + b"hello" * 1000)
    codec = Codec(SESSION, max_size=10_000)

    assert codec.open(codec.seal(text, CONTEXT), CONTEXT) == text


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("kind", [SESSION, VALUE])
@pytest.mark.parametrize(
    "value", [b"a" * 999, base64.b64encode(b"a" * 749)], ids=["text", "base64"]
)
def test_the_limit_is_the_same_for_writing_and_reading(
    value: bytes, kind: int, compress: bool
) -> None:
    """A value of exactly `max_value_size` bytes is written and read; one byte more is refused."""
    exact, short = (Codec(kind, compress=compress, max_size=len(value) - less) for less in (0, 1))
    sealed = exact.seal(value, CONTEXT)

    assert exact.open(sealed, CONTEXT) == value
    for refused, bytes_ in ((short.seal, value), (short.open, sealed)):
        with pytest.raises(ItemTooLarge) as caught:
            refused(bytes_, CONTEXT)
        assert (caught.value.size, caught.value.limit) == (len(value), len(value) - 1)
