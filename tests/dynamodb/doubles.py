"""Faults, altered rows, failing loads and child processes, as several tests use them.

Nothing here asserts: a helper returns what happened, and the test compares.
"""

from __future__ import annotations

import base64
import os
import pickle
import signal
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from beaker_dynamodb import Conflict, DynamoDBNamespaceManager
from beaker_dynamodb.item.codec import SESSION, VALUE, Codec, EncryptionContext
from beaker_dynamodb.item.keys import Key
from tests.exchange import Fault
from tests.faults.fault_kinds import (
    BRACES,
    EMPTY,
    HTML,
    Answer,
    FlipBit,
    Hang,
    LoseRequest,
    ResetMidReply,
    Rewrite,
    Truncate,
    aws_error,
)
from tests.proxy import FaultProxy
from tests.servers import REGION
from tests.sessions import apps

Row = dict[str, Any]
Change = Callable[[Row], Row]

ONCE = {"max_attempts": "1"}


def replace_item_key(body: Row) -> Row:
    """Return the response with the key of another item."""
    return {**body, "Item": {**body["Item"], "id": {"S": "sess:mallory"}}}


#: Each fault that can happen to a read, and the options with which it fails soonest.
FAULTS: dict[str, tuple[Fault, dict[str, str]]] = {
    "throttled": (aws_error("ProvisionedThroughputExceededException"), ONCE),
    "an error of the server": (aws_error("InternalServerError", status=500), {}),
    "a gateway's page": (Answer(b"<html>Bad gateway</html>", 502), {}),
    "no answer": (Hang(applied=False), {**ONCE, "read_timeout": "0.3"}),
    "a reset": (ResetMidReply(), {}),
    "a lost request": (LoseRequest(), {}),
    "half a reply, and its checksum": (Truncate(crc=True, honest=True), {}),
    "half a reply": (Truncate(crc=False, honest=True), {}),
    "half a reply, then silence": (Truncate(crc=False, honest=False), {}),
    "a flipped bit": (FlipBit(crc=False), {}),
    "a page of HTML": (HTML, ONCE),
    "nothing": (EMPTY, ONCE),
    "an empty object": (BRACES, ONCE),
    "another item": (Rewrite(replace_item_key), {}),
    "credentials that expired": (aws_error("ExpiredTokenException"), {}),
    "no right to read": (aws_error("AccessDeniedException"), {}),
    "an unknown error": (aws_error("SomethingNewException"), {}),
}


def remove_attribute(name: str) -> Change:
    """Return a change that removes an attribute from a row."""
    return lambda row: {other: row[other] for other in row.keys() - {name}}


def set_attribute(name: str, value: dict[str, Any]) -> Change:
    """Return a change that sets an attribute of a row."""
    return lambda row: {**row, name: value}


def change_data(change: Callable[[bytes], bytes]) -> Change:
    """Return a change of a row's data."""
    return lambda row: {**row, "data": {"B": change(row["data"]["B"])}}


def flip_bit(at: int) -> Change:
    """Return a change that flips one bit of a row's data, in the byte *at* that index."""

    def flip(old: bytes) -> bytes:
        index = at % len(old)
        return old[:index] + bytes([old[index] ^ 1]) + old[index + 1 :]

    return change_data(flip)


exploded: list[str] = []


def explode() -> dict[str, str]:
    """Record that code from a row was run, which must never happen."""
    exploded.append("!")
    return {}


class Bomb:
    """An object whose pickle runs `explode` when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[], object], tuple[()]]:
        return explode, ()


def seal_data(**codec: Any) -> Change:
    """Return a change that seals a row's data with another codec."""
    bomb = base64.b64encode(pickle.dumps(Bomb(), 2))

    def change(row: Row) -> Row:
        place = EncryptionContext(Key(row["id"]["S"]), row["rev"]["B"], int(row["expires"]["N"]))
        return {**row, "data": {"B": Codec(**codec).seal(bomb, place)}}

    return change


#: Rows that only a newer release, or a process with more keys, can read.
FOREIGN: dict[str, Change] = {
    "a later format": flip_bit(0),
    "a flag of a later format": change_data(lambda old: old[:2] + b"\x80" + old[3:]),
    "an unknown key": seal_data(kind=SESSION, keys=(bytes(32),), random_bytes=os.urandom),
}
#: Rows that cannot be read.
GARBAGE: dict[str, Change] = {
    "no data": remove_attribute("data"),
    "no rev": remove_attribute("rev"),
    "data of another type": set_attribute("data", {"S": "text"}),
    "data of null": set_attribute("data", {"NULL": True}),
    "rev of another type": set_attribute("rev", {"N": "1"}),
    "rev of another length": set_attribute("rev", {"B": b"short"}),
    "prev of another type": set_attribute("prev", {"L": [{"S": "a"}]}),
    "prev of another length": set_attribute("prev", {"B": b"short!"}),
    "expires of another type": set_attribute("expires", {"S": "tomorrow"}),
    "empty data": change_data(lambda old: b""),
    "half a header": change_data(lambda old: old[:5]),
    "a header alone": change_data(lambda old: old[:8]),
    "half the payload": change_data(lambda old: old[: len(old) // 2]),
    "a flipped bit in the checksum": flip_bit(5),
    "a flipped bit in the payload": flip_bit(-1),
    "more than there was": change_data(lambda old: old + b"x"),
}

#: A valid row, but of a cache.
ANOTHER_KIND = seal_data(kind=VALUE)


def catch_error(act: Callable[[], object]) -> Exception:
    """Return what *act* raises."""
    try:
        act()
    except Exception as error:  # noqa: BLE001  # whatever it is
        return error
    raise AssertionError("nothing was raised")


def raise_from(error: Exception) -> None:
    """Raise another error from *error*, as an error page that fails does."""
    raise RuntimeError("the page could not be shown") from error


Maker = Callable[[FaultProxy, str], Exception]


def fail_load(proxy: FaultProxy, table: str) -> Exception:
    """Fail to load the session `alice`."""
    proxy.next(LoseRequest(), operation="GetItem")
    return catch_error(lambda: apps.manager(proxy.url, table, "alice", **ONCE)["session"])


def fail_page(proxy: FaultProxy, table: str) -> Exception:
    """Raise another error from a failed load."""
    return catch_error(lambda: raise_from(fail_load(proxy, table)))


def fail_page_twice(proxy: FaultProxy, table: str) -> Exception:
    """Raise another error from another error from a failed load."""
    return catch_error(lambda: raise_from(fail_page(proxy, table)))


def fail_save(proxy: FaultProxy, table: str) -> Exception:
    """Fail to save a session, not to load it."""
    proxy.next(LoseRequest(), operation="PutItem")
    manager = apps.manager(proxy.url, table, "alice", **ONCE)
    return catch_error(lambda: manager.__setitem__("session", "text"))


def fail_cache(proxy: FaultProxy, table: str) -> Exception:
    """Fail to read a cache that is told to raise."""
    proxy.next(LoseRequest(), operation="GetItem")
    where = {"endpoint_url": proxy.url, "table": table, "region": REGION, **apps.PATIENT}
    cache = DynamoDBNamespaceManager("ns", **where, cache_errors="raise", **ONCE)
    return catch_error(lambda: cache["key"])


def fail_on_corrupt_row(proxy: FaultProxy, table: str) -> Exception:
    """Load a session that can never be read again."""
    apps.write_row(proxy.url, table, {"id": {"S": "sess:corrupt"}})
    return catch_error(lambda: apps.manager(proxy.url, table, "corrupt")["session"])


def fail_on_conflict(_: FaultProxy, __: str) -> Exception:
    """Return a Conflict."""
    return Conflict("another request was faster")


def change_row(url: str, table: str, session: str, change: Change) -> Row:
    """Change a session's row without the package, and return the old row."""
    (row,) = [row for row in apps.rows_of(url, table) if session in row["id"]["S"]]
    apps.write_row(url, table, change(row))
    return row


def walk_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all that an error reporter would follow: causes and contexts."""
    visited: set[int] = set()
    pending = [error]
    while pending:
        current = pending.pop()
        if current is not None and id(current) not in visited:
            visited.add(id(current))
            yield current
            pending += [current.__cause__, current.__context__]


def run_in_child(act: Callable[[], object], within: int = 20) -> Any:
    """Run *act* in a forked child, and return what it returned or raised."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of a fork among threads; this is what gunicorn's preload does.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:  # pragma: no cover  # coverage does not see a child that ends like this
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # pytest has a handler there
        signal.alarm(within)
        try:
            result: object = act()
        except BaseException as error:  # noqa: BLE001  # the parent must see it
            result = error
        os.write(writing, pickle.dumps(result))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        pickled = pipe.read()
    os.waitpid(pid, 0)
    return pickle.loads(pickled) if pickled else TimeoutError("the child hung")
