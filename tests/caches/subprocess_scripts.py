"""Scripts that tests run in other processes: each is a function, named on the command line.

A script never waits for time to pass. It reports each step on standard output, and continues when
it reads a line. Nothing here imports boto3 before gevent has patched.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any


def say(**words: Any) -> None:
    """Say one thing, in one write: children share the pipe."""
    os.write(1, (json.dumps(words) + "\n").encode())


def _put(table: Any, told: dict[str, Any]) -> None:
    table.cache().put("k", told["value"])
    say(value=told["value"])


def _write(table: Any, told: dict[str, Any]) -> None:
    """Write one value again and again, and say how often."""
    cache = table.cache()
    say(begun=True)
    for number in range(told["times"]):
        cache.put("k", told["letter"] * (told["size"] + number))
    say(written=told["times"])


def _herd(table: Any, told: dict[str, Any]) -> None:
    """Fork children that all ask for one value; a maker waits for the end of standard input."""
    import boto3.session  # noqa: F401  # before the fork: it takes most of a second

    from beaker_dynamodb.caches import creation_lock

    vars(creation_lock)["CLOCK_TOLERANCE"] = told.get("tolerance", creation_lock.CLOCK_TOLERANCE)
    if told.get("waits"):
        os.read(0, 6)
    begin, start = os.pipe()
    children = []
    for number in range(told["forks"]):
        child = os.fork()
        if not child:
            os.close(start)
            os.read(begin, 1)
            _child(table, told, number)
            os._exit(0)
        children.append(child)
    os.close(start)
    for child in children:
        os.waitpid(child, 0)


def _child(table: Any, told: dict[str, Any], number: int) -> None:
    def make() -> str:
        say(making=number, pid=os.getpid())
        os.read(0, 1)  # the end of the parent's standard input
        return str(told.get("value", f"made by {number}"))

    say(got=table.cache().get("k", createfunc=make), by=number)


def _fork_in_scope(table: Any, _: dict[str, Any]) -> None:
    manager = table.manager()
    manager["k"] = "old"
    manager.acquire_read_lock()
    parent = manager["k"]
    table.on_another_server().manager()["k"] = "new"
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, str(manager["k"]).encode())
        manager.release_read_lock()
        os._exit(0)
    os.waitpid(child, 0)
    say(parent=parent, child=os.read(reader, 100).decode())


def _fork_under_lock(table: Any, _: dict[str, Any]) -> None:
    """Fork while another thread holds the in-process lock of the key that the child asks for."""
    with_data, done = threading.Event(), threading.Event()
    cache = table.cache()

    def make() -> str:
        with_data.set()
        done.wait()
        return "parent's"

    holder = threading.Thread(target=cache.get, args=("k",), kwargs={"createfunc": make})
    holder.start()
    with_data.wait()
    child = os.fork()
    if not child:
        say(got=cache.get("k", createfunc=lambda: "child's"))
        os._exit(0)
    os.waitpid(child, 0)
    done.set()
    holder.join()
    say(got=cache.get("k"))


def _greenlets(table: Any, told: dict[str, Any]) -> None:
    cache, gevent = _patch_gevent(table.with_options(consistent_read="true"))
    manager = cache.namespace
    stored = behind = read = 0
    manager["k"] = 0

    def writer() -> None:
        nonlocal stored
        for number in range(1, told["writes"] + 1):
            manager["k"] = number
            stored = number
            gevent.sleep(0)

    def reader() -> None:
        nonlocal behind, read
        while stored < told["writes"]:
            least = stored
            manager.acquire_read_lock()
            found = manager["k"] if "k" in manager else -1  # noqa: SIM401  # it has no get
            gevent.sleep(0)
            manager.release_read_lock()
            behind, read = behind + (found < least), read + 1

    readers = [gevent.spawn(reader) for _ in range(told["readers"])]
    done = gevent.joinall([gevent.spawn(writer), *readers], raise_error=True)
    say(behind=behind, read=read, finished=len(done))


def _greenlets_on_a_miss(table: Any, told: dict[str, Any]) -> None:
    cache, gevent = _patch_gevent(table)
    made = 0

    def make() -> int:
        nonlocal made
        made += 1
        mine = made
        gevent.sleep(0.2)  # the others come meanwhile; a maker asks a database here
        return mine

    asked = [gevent.spawn(cache.get, "k", createfunc=make) for _ in range(told["greenlets"])]
    gevent.joinall(asked, raise_error=True)
    say(made=made, got=[one.value for one in asked])


def _fork_while_writing(table: Any, told: dict[str, Any]) -> None:
    """Fork while another thread writes a value in chunks, of which one is under way."""
    there = table.with_options(compress="false")
    cache, value = there.cache(), "m" * told["size"]
    writer = threading.Thread(target=cache.put, args=("other", value))
    writer.start()
    os.read(0, 6)
    child = os.fork()
    if not child:
        cache.put("mine", value)
        say(child=cache["mine"] == value, threads=len(threading.enumerate()))
        os._exit(0)
    os.waitpid(child, 0)
    writer.join()
    say(parent=cache["other"] == value)


def _chunks_in_greenlets(table: Any, told: dict[str, Any]) -> None:
    """Write and read a value in chunks, and say in which threads and greenlets that was."""
    cache, gevent = _patch_gevent(table.with_options(compress="false"))
    from gevent.monkey import get_original

    import beaker_dynamodb

    threads, greenlets = set(), set()

    def observe(_: object) -> None:
        threads.add(get_original("_thread", "get_ident")())
        greenlets.add(gevent.getcurrent())

    value = "v" * told["size"]
    beaker_dynamodb.observe(observe)
    cache.put("k", value)
    same = cache["k"] == value
    left = [one for one in threading.enumerate() if one is not threading.main_thread()]
    say(same=same, threads=len(threads), greenlets=len(greenlets) > 1, left=len(left))


def _measure_memory(table: Any, told: dict[str, Any]) -> None:
    """Say the peak of memory of three steps of a session, as multiples of the size of its value.

    The value itself is not counted where the application makes it.
    """
    import random
    import tracemalloc
    from decimal import Decimal

    from beaker.session import Session

    def make_value(seed: int) -> str:
        # Text that takes one byte a character, of which compression saves an eighth.
        seven_bits = bytes(number & 0x7F for number in range(256))
        text = random.Random(seed).randbytes(told["size"]).translate(seven_bits).decode()
        return text.replace("\n", " ")  # or it might seem to name a class

    def open_session(name: str) -> Any:
        return Session({}, id=name, use_cookies=False, type="ext:dynamodb", **table.given)

    open_session("another").save()  # what the first call of a process makes is not measured
    peaks, session = {}, None
    for step in ("create", "load", "change"):
        value = None if step == "load" else make_value(len(step))
        session = open_session("large") if step == "change" else None
        tracemalloc.start()
        session = session or open_session("large")
        if value:
            session["value"] = value
            if told["has_object"]:
                session["object"] = Decimal(1)
            session.save()
        peaks[step] = tracemalloc.get_traced_memory()[1] / told["size"]
        tracemalloc.stop()
    say(**peaks)


def _patch_gevent(table: Any) -> tuple[Any, Any]:
    """Patch after Beaker and the package were imported, and before boto3 is."""
    import beaker.cache
    import gevent
    from gevent import monkey

    import beaker_dynamodb

    assert beaker.cache
    assert beaker_dynamodb
    assert "boto3" not in sys.modules
    monkey.patch_all()
    return table.cache(), gevent


class _There:
    """The options of a table, without the imports of boto3, which must follow gevent's patching."""

    def __init__(self, url: str, table: str, options: dict[str, Any], **_: Any) -> None:
        keys = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "testing")
        where = {"endpoint_url": url, "region": "us-east-1", "table": table}
        where |= {"connect_timeout": "10", "read_timeout": "60"}
        self.given = {**keys, **where, **options}

    def with_options(self, **more: Any) -> _There:
        """Return the same table with other options."""
        there = _There("", "", {})
        there.given = {**self.given, **more}
        return there

    def on_another_server(self) -> _There:
        """Return the same table as another server sees it."""
        return self.with_options(max_pool_connections=49)

    def manager(self) -> Any:
        """Make a cache's manager."""
        from beaker_dynamodb import DynamoDBNamespaceManager

        return DynamoDBNamespaceManager("ns", **self.given)

    def cache(self) -> Any:
        """Make a cache."""
        from beaker.cache import Cache

        return Cache("ns", type="ext:dynamodb", **self.given)


if __name__ == "__main__":
    words = json.loads(sys.argv[2])
    globals()[f"_{sys.argv[1]}"](_There(**words), words)
