"""What several tests break, plant or stand in for: faults, garbage rows, clients, children.

Nothing here asserts: a helper returns what it found, and the test says what should have been.
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
from tests.faults.kinds import (
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
from tests.sessions import apps

Row = dict[str, Any]
Change = Callable[[Row], Row]

ONCE = {"max_attempts": "1"}


def elses(body: Row) -> Row:
    """Answer with somebody else's item."""
    return {**body, "Item": {**body["Item"], "id": {"S": "sess:mallory"}}}


#: Each way in which a read can fail, and the options under which it fails soonest.
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
    "another's item": (Rewrite(elses), {}),
    "credentials that expired": (aws_error("ExpiredTokenException"), {}),
    "no right to read": (aws_error("AccessDeniedException"), {}),
    "an error that nobody knows": (aws_error("SomethingNewException"), {}),
}


def without(name: str) -> Change:
    """Take an attribute out of a row."""
    return lambda row: {other: row[other] for other in row.keys() - {name}}


def having(name: str, value: dict[str, Any]) -> Change:
    """Give a row another attribute."""
    return lambda row: {**row, name: value}


def data(change: Callable[[bytes], bytes]) -> Change:
    """Change the data of a row."""
    return lambda row: {**row, "data": {"B": change(row["data"]["B"])}}


def flip(at: int) -> Change:
    """Flip one bit of a row's data, in the byte that stands *at* that place."""

    def flipped(old: bytes) -> bytes:
        at_ = at % len(old)
        return old[:at_] + bytes([old[at_] ^ 1]) + old[at_ + 1 :]

    return data(flipped)


exploded: list[str] = []


def explode() -> dict[str, str]:
    """Do what no row may ever do: run."""
    exploded.append("!")
    return {}


class Bomb:
    """An object whose pickle runs `explode` where it is opened."""

    def __reduce__(self) -> tuple[Callable[[], object], tuple[()]]:
        return explode, ()


def sealed(**codec: Any) -> Change:
    """Give a row data as another process would have sealed it."""
    bomb = base64.b64encode(pickle.dumps(Bomb(), 2))

    def change(row: Row) -> Row:
        place = EncryptionContext(Key(row["id"]["S"]), row["rev"]["S"], int(row["expires"]["N"]))
        return {**row, "data": {"B": Codec(**codec).seal(bomb, place)}}

    return change


#: Rows that another release, or a process with more keys, can read.
FOREIGN: dict[str, Change] = {
    "a later format": flip(0),
    "a flag of a later format": data(lambda old: old[:2] + b"\x80" + old[3:]),
    "a key that we lack": sealed(kind=SESSION, keys=(bytes(32),), random_bytes=os.urandom),
}
#: Rows that nobody can read any more.
GARBAGE: dict[str, Change] = {
    "no data": without("data"),
    "no rev": without("rev"),
    "data of another type": having("data", {"S": "text"}),
    "data of null": having("data", {"NULL": True}),
    "rev of another type": having("rev", {"N": "1"}),
    "prev of another type": having("prev", {"L": [{"S": "a"}]}),
    "expires of another type": having("expires", {"S": "tomorrow"}),
    "empty data": data(lambda old: b""),
    "half a header": data(lambda old: old[:5]),
    "a header alone": data(lambda old: old[:8]),
    "half the payload": data(lambda old: old[: len(old) // 2]),
    "a flipped bit in the checksum": flip(5),
    "a flipped bit in the payload": flip(-1),
    "more than there was": data(lambda old: old + b"x"),
}

#: A row that is well, but a cache's.
ANOTHER_KIND = sealed(kind=VALUE)


def failure(act: Callable[[], object]) -> Exception:
    """Return what *act* raises."""
    try:
        act()
    except Exception as error:  # noqa: BLE001  # whatever it is
        return error
    raise AssertionError("nothing was raised")


def raise_from(error: Exception) -> None:
    """Fail as an error page does that cannot be shown."""
    raise RuntimeError("the page could not be shown") from error


Maker = Callable[[FaultProxy, str], Exception]


def a_failed_load(proxy: FaultProxy, table: str) -> Exception:
    """Fail to load the session `alice`."""
    proxy.next(LoseRequest(), operation="GetItem")
    return failure(lambda: apps.manager(proxy.url, table, "alice", **ONCE)["session"])


def a_page(proxy: FaultProxy, table: str) -> Exception:
    """Raise another error from a failed load."""
    return failure(lambda: raise_from(a_failed_load(proxy, table)))


def a_page_of_a_page(proxy: FaultProxy, table: str) -> Exception:
    """Raise another error from another error from a failed load."""
    return failure(lambda: raise_from(a_page(proxy, table)))


def a_failed_save(proxy: FaultProxy, table: str) -> Exception:
    """Fail to save a session, not to load it."""
    proxy.next(LoseRequest(), operation="PutItem")
    manager = apps.manager(proxy.url, table, "alice", **ONCE)
    return failure(lambda: manager.__setitem__("session", "text"))


def a_failed_cache(proxy: FaultProxy, table: str) -> Exception:
    """Fail to read a cache that is told to raise."""
    proxy.next(LoseRequest(), operation="GetItem")
    where = {"endpoint_url": proxy.url, "table": table, "region": "us-east-1", **apps.PATIENT}
    cache = DynamoDBNamespaceManager("ns", **where, cache_errors="raise", **ONCE)
    return failure(lambda: cache["key"])


def a_corrupt_row(proxy: FaultProxy, table: str) -> Exception:
    """Load a session that can never be read again."""
    apps.write_row(proxy.url, table, {"id": {"S": "sess:corrupt"}})
    return failure(lambda: apps.manager(proxy.url, table, "corrupt")["session"])


def a_conflict(_: FaultProxy, __: str) -> Exception:
    """Have been overtaken by another request."""
    return Conflict("another request was faster")


def spoil(url: str, table: str, session: str, change: Change) -> Row:
    """Change a session's row past the package, and return what it was."""
    (row,) = [row for row in apps.rows_of(url, table) if session in row["id"]["S"]]
    apps.write_row(url, table, change(row))
    return row


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Follow an error through all that a reporter would follow: causes and contexts."""
    seen: set[int] = set()
    ahead = [error]
    while ahead:
        one = ahead.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            ahead += [one.__cause__, one.__context__]


def in_a_child(act: Callable[[], object], within: int = 20) -> Any:
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
            told: object = act()
        except BaseException as error:  # noqa: BLE001  # the parent must hear of it
            told = error
        os.write(writing, pickle.dumps(told))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told_bytes = pipe.read()
    os.waitpid(pid, 0)
    return pickle.loads(told_bytes) if told_bytes else TimeoutError("the child hung")
