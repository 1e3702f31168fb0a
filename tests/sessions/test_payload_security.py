"""Planted rows: an application that chose JSON unpickles nothing, and inflates no zlib bomb.

The rows are made byte by byte.
"""

from __future__ import annotations

import base64
import contextlib
import pickle
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beaker_dynamodb import StrictSession
from beaker_dynamodb.errors import DynamoDBBackendError, ItemTooLarge
from beaker_dynamodb.item.codec import DICTIONARY, deflate
from beaker_dynamodb.item.dictionary import DICTIONARIES
from tests.instruments import Clock
from tests.revisions import replace_token
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, put, put_while, read_while, use_clock

KEY = base64.b64encode(b"k" * 32).decode()
SITES: dict[str, dict[str, object]] = {
    "plain": {},
    "StrictSession": {"session_class": StrictSession},
    "an encrypted table": {"encryption_keys": KEY},
    "a table half encrypted": {"encryption_keys": KEY, "encryption_required": False},
    "Beaker's encrypt_key": {"encrypt_key": "k" * 32, "validate_key": "v" * 32},
    "both": {
        "session_class": StrictSession,
        "encrypt_key": "k" * 32,
        "validate_key": "v" * 32,
    },
}


@pytest.fixture(params=SITES.values(), ids=[*SITES])
def site(request: pytest.FixtureRequest, dynamodb_local: str, table_name: str) -> Site:
    """Give a site that chose JSON, with a table of its own."""
    return Site.create(dynamodb_local, table_name, data_serializer="json", **request.param)


class Mine:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def telling(unpickled: list[object]) -> type[pickle.Unpickler]:
    """Return an unpickler that records its use; it is a class because others derive from it."""

    class Telling(pickle.Unpickler):
        def load(self) -> None:
            unpickled.append(self)

    return Telling


def make_data(
    payload: bytes, *, version: int = 1, kind: str = "S", flags: int = 0, serializer: int = 0
) -> bytes:
    """Return a row's data: format, kind, flags, serializer, CRC-32 of all, payload."""
    head = bytes((version, ord(kind), flags, serializer))
    return head + struct.pack(">I", zlib.crc32(head + payload)) + payload


#: Flags of format 1.
COMPRESSED, ENCRYPTED, BASE64, CHUNKS = 1, 2, 4, 8

PLANTED: dict[str, Callable[[bytes], bytes]] = {
    "as Beaker writes a pickle": lambda mine: make_data(mine, flags=BASE64),
    "compressed": lambda mine: make_data(deflate(mine), flags=BASE64 | COMPRESSED),
    "compressed with the dictionary": lambda mine: make_data(
        deflate(mine, DICTIONARIES[1]), flags=BASE64 | COMPRESSED | DICTIONARY
    ),
    "as text": lambda mine: make_data(base64.b64encode(mine)),
    "as text in lines": lambda mine: make_data(base64.encodebytes(mine)),
    "bare": make_data,
    "in the zlib of a JSON session": lambda mine: make_data(zlib.compress(mine), flags=BASE64),
    "said to be a cache value": lambda mine: make_data(mine, kind="V", flags=BASE64),
    "said to be pickled": lambda mine: make_data(mine, flags=BASE64, serializer=1),
    "a pickled cache value": lambda mine: make_data(mine, kind="V", serializer=1),
    "flagged as chunks": lambda mine: make_data(mine, flags=BASE64 | CHUNKS),
    "said to be encrypted": lambda mine: make_data(mine, flags=BASE64 | ENCRYPTED),
    "of an older format": lambda mine: make_data(mine, flags=BASE64, version=0),
    "of a newer format": lambda mine: make_data(mine, flags=BASE64, version=2),
    "without a header": lambda mine: mine,
    "a session's text without a header": base64.b64encode,
}


@pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
@pytest.mark.parametrize("plant", PLANTED.values(), ids=[*PLANTED])
def test_an_application_that_chose_json_unpickles_nothing_that_stands_in_the_table(
    site: Site, plant: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at load, not at save, not at a conflict, not at a touch, not at a second save."""
    mark = tmp_path / "unpickled"
    data = {"data": {"B": plant(pickle.dumps({"user": "ann", "mine": Mine(mark)}, 2))}}
    unpickled: list[object] = []
    monkeypatch.setattr(pickle, "loads", unpickled.append)
    monkeypatch.setattr(pickle, "Unpickler", telling(unpickled))
    site = site.with_(touch_after="1s", timeout=600)
    clock = Clock()
    use_clock(monkeypatch, clock)

    def other_rev(user: Browser) -> dict[str, dict[str, bytes]]:
        return {"rev": {"B": replace_token((site.row(user) or {})["rev"]["B"], "x")}}

    def visit(user: Browser, view: Any) -> None:
        with contextlib.suppress(DynamoDBBackendError):  # an honest 500
            site.visit(user, view)

    loaded = site.begin_session(cart=1)
    site.plant(loaded, **data)
    visit(loaded.also(), contents)
    visit(loaded.also(), put(cart=2))
    visit(loaded.also(), lambda session: session.delete())

    overtaken = site.begin_session(cart=1)
    visit(overtaken, put_while(lambda: site.plant(overtaken, **data, **other_rev(overtaken)), a=1))

    touched = site.begin_session(cart=1)
    clock.advance(2)
    visit(touched, read_while(lambda: site.plant(touched, **data, **other_rev(touched))))

    expired = site.begin_session(cart=1)
    site.plant(expired, **data, expires={"N": "1000000000"})
    visit(expired.also(), put(cart=2))

    assert unpickled == []
    assert not mark.exists()


def test_the_mine_goes_off_where_pickle_was_chosen(
    dynamodb_local: str, table_name: str, tmp_path: Path
) -> None:
    """The test above can fail: the same row, read by an application that chose pickle."""
    site = Site.create(dynamodb_local, table_name)
    user, mark = site.begin_session(cart=1), tmp_path / "unpickled"
    mine = pickle.dumps({"user": "ann", "mine": Mine(mark)}, 2)
    site.plant(user, data={"B": PLANTED["as Beaker writes a pickle"](mine)})

    site.visit(user, contents)

    assert mark.exists()


@pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
def test_a_pickle_planted_in_an_encrypted_table_never_reaches_beaker(
    dynamodb_local: str, table_name: str, tmp_path: Path
) -> None:
    """Our own encryption authenticates each row."""
    site = Site.create(dynamodb_local, table_name, encryption_keys=KEY)
    mark = tmp_path / "unpickled"
    mine = pickle.dumps({"user": "ann", "mine": Mine(mark)}, 2)

    for plant in PLANTED.values():
        user = site.begin_session(cart=1)
        site.plant(user, data={"B": plant(mine)})
        with contextlib.suppress(DynamoDBBackendError):
            site.visit(user, contents)

    assert not mark.exists()


MOST, INFLATED = 1 << 20, 96 << 20


def bomb(window: int = zlib.MAX_WBITS) -> bytes:
    """Compress far more zeros than a session may hold, without holding them."""
    squeeze = zlib.compressobj(9, wbits=window)
    block = bytes(1 << 20)
    parts = [squeeze.compress(block) for _ in range(INFLATED // len(block))]
    return b"".join([*parts, squeeze.flush()])


BOMBS: dict[str, Callable[[], bytes]] = {
    "in a JSON session": lambda: make_data(bomb(), flags=BASE64),
    "in a JSON session's text": lambda: make_data(base64.b64encode(bomb())),
    "in a JSON session's text in lines": lambda: make_data(base64.encodebytes(bomb())),
    "in our compression": lambda: make_data(bomb(-15), flags=COMPRESSED),
    "in our compression of base64": lambda: make_data(bomb(-15), flags=COMPRESSED | BASE64),
    "with the dictionary": lambda: make_data(bomb(-15), flags=COMPRESSED | BASE64 | DICTIONARY),
    "in both": lambda: make_data(deflate(bomb()), flags=COMPRESSED | BASE64),
}


@pytest.mark.parametrize("serializer", ["json", "pickle"])
@pytest.mark.parametrize("make", BOMBS.values(), ids=[*BOMBS])
@pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
def test_a_bomb_in_the_table_is_refused_before_it_takes_the_memory(
    dynamodb_local: str, table_name: str, make: Callable[[], bytes], serializer: str
) -> None:
    """96 MB in a row of 96 KB: an honest 500 with a few MB in use, at load and at a conflict."""
    site = Site.create(
        dynamodb_local, table_name, data_serializer=serializer, max_value_size=str(MOST)
    )
    user, planted = site.begin_session(user="ann"), make()

    def overtake() -> None:
        rev = (site.row(user) or {})["rev"]["B"]
        site.plant(user, data={"B": planted}, rev={"B": replace_token(rev, "x")})

    tracemalloc.start()
    try:
        # An application that chose pickle cannot open the bomb as its own kind: it may replace it.
        with contextlib.suppress(ItemTooLarge):
            site.visit(user.also(), put_while(overtake, cart=1))
        site.plant(user, data={"B": planted})
        tracemalloc.reset_peak()
        with pytest.raises(ItemTooLarge) as caught:
            site.visit(user.also(), contents)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 12 << 20
    assert caught.value.limit == MOST
    assert (site.row(user) or {})["data"] == {"B": planted}


@pytest.mark.parametrize("strict", [False, True])
def test_a_json_session_that_grew_too_large_is_refused_and_the_old_one_goes_on(
    dynamodb_local: str, table_name: str, strict: bool
) -> None:
    """The inflated size counts: ItemTooLarge, and nothing is stored."""
    session_class = {"session_class": StrictSession} if strict else {}
    site = Site.create(
        dynamodb_local,
        table_name,
        data_serializer="json",
        max_value_size="100KB",
        **session_class,
    )
    user = site.begin_session(user="ann")

    with pytest.raises(ItemTooLarge):
        site.visit(user, put(log="x" * 200_000))

    assert site.read_session(user) == {"user": "ann"}
