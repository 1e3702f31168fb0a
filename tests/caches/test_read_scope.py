"""What a cache remembers in a read scope, and forgets when the scope closes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from beaker_dynamodb.caches import store
from tests.caches import subprocesses
from tests.caches.tables import DoFirst, Table, fail_if_called, is_lock, run_in_thread, use_clock
from tests.faults.fault_kinds import Stale
from tests.instruments import Clock, Recorder
from tests.proxy import FaultProxy


@pytest.mark.parametrize("stale", [False, True], ids=["present", "stale"])
def test_a_value_made_by_another_server_meanwhile_is_not_made_again(
    table: Table, *, stale: bool
) -> None:
    """After the wait for the lock, a consistent read finds the other server's value.

    The other server writes between the first read and the lock. The result of the first read is
    forgotten, and an eventually consistent read might still find nothing.
    """
    with FaultProxy(table.url) as proxy:
        theirs = table.on_another_server().cache()
        cache = Table(proxy.url, table.name, table.options).cache()
        if stale:
            proxy.next(Stale(), operation="GetItem", times=None)
        proxy.next(DoFirst(lambda: theirs.put("k", "theirs")), operation="PutItem", where=is_lock)

        assert cache.get("k", createfunc=fail_if_called) == "theirs"


def test_a_value_made_by_another_process_meanwhile_is_not_made_again(plain: Table) -> None:
    """The same with a real second process, which puts its value between look and lock."""
    with FaultProxy(plain.url) as proxy:
        cache = Table(proxy.url, plain.name).cache()
        step = DoFirst(lambda: subprocesses.run("put", plain, value="another process"))
        proxy.next(step, operation="PutItem", where=is_lock)

        assert cache.get("k", createfunc=fail_if_called) == "another process"


def test_nothing_is_remembered_after_the_outermost_scope(plain: Table, calls: Recorder) -> None:
    """Inside the scopes a key is read once; after the outermost one it is read again."""
    ours, theirs = plain.manager(), plain.on_another_server().manager()
    ours["k"] = "old"
    calls.clear()

    ours.acquire_read_lock()
    ours.acquire_read_lock()
    inside = ours["k"]
    theirs["k"] = "new"
    ours.release_read_lock()
    still = ours["k"]
    ours.release_read_lock()

    assert (inside, still, ours["k"]) == ("old", "old", "new")
    assert calls.names == ["GetItem", "PutItem", "GetItem"]


def test_what_is_remembered_is_not_used_after_a_second(
    plain: Table, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a scope stays open, an entry that is older than a second is read again."""
    use_clock(monkeypatch, clock)
    ours, theirs = plain.manager(), plain.on_another_server().manager()
    ours["k"] = "old"

    ours.acquire_read_lock()
    first = ours["k"]
    theirs["k"] = "new"
    clock.advance(1)
    at_a_second = ours["k"]
    clock.advance(0.25)
    later = ours["k"]
    ours.release_read_lock()

    assert (first, at_a_second, later) == ("old", "old", "new")


def find_entry(manager: Any) -> str | None:
    """Ask `in` and then `[]`, as Beaker does."""
    return str(manager["k"]) if "k" in manager else None


def put(manager: Any) -> None:
    """Replace the value that was read."""
    manager["k"] = "new"


def remove(manager: Any) -> None:
    """Remove the value that was read."""
    del manager["k"]


def clear(manager: Any) -> None:
    """Remove everything."""
    manager.remove()


@pytest.mark.parametrize(("change", "found"), [(put, "new"), (remove, None), (clear, None)])
def test_a_change_inside_a_scope_is_read_there(
    ranged: Table, change: Callable[[Any], None], found: str | None
) -> None:
    """The scope forgets an entry that this thread changes."""
    manager = ranged.manager()
    manager["k"] = "old"

    manager.acquire_read_lock()
    assert manager["k"] == "old"
    change(manager)
    now = find_entry(manager)
    manager.release_read_lock()

    assert now == found


def test_scopes_of_two_caches_do_not_mix(plain: Table, calls: Recorder) -> None:
    """A cache that is read in another one's scope remembers its own entries only."""
    one, other = plain.manager("one"), plain.manager("other")
    one["k"], other["k"] = 1, 2
    calls.clear()

    one.acquire_read_lock()
    first = one["k"]
    other.acquire_read_lock()
    second = other["k"]
    other.release_read_lock()
    third = one["k"]
    one.release_read_lock()

    assert (first, second, third) == (1, 2, 1)
    assert store._scope.get() is None
    assert calls.names == ["GetItem"] * 2


def test_a_key_that_has_changed_is_another_key(plain: Table) -> None:
    """The row of a key object is remembered for texts and bytes only: a list may change."""
    manager, key = plain.manager(), ["a"]
    manager[key] = 1
    key.append("b")
    manager[key] = 2

    assert (manager[["a"]], manager[key], 1 in manager, True in manager) == (1, 2, False, False)


def test_a_thread_does_not_see_what_another_remembers(plain: Table) -> None:
    """Each thread has its own scopes, although all threads share one manager."""
    manager = plain.manager()
    manager["k"] = "old"

    manager.acquire_read_lock()
    assert manager["k"] == "old"
    plain.on_another_server().manager()["k"] = "new"
    with run_in_thread(lambda: manager["k"]) as said:
        pass
    manager.release_read_lock()

    assert said == ["new"]


def test_a_child_forked_inside_a_scope_reads_again(plain: Table) -> None:
    """A fork between `in` and `[]`: the child remembers nothing of its parent's."""
    assert subprocesses.run("fork_in_scope", plain) == {"parent": "old", "child": "new"}


def test_greenlets_with_overlapping_scopes_never_read_an_old_value(plain: Table) -> None:
    """No reader falls behind, though gevent patches after Beaker and the package were imported."""
    said = subprocesses.run("greenlets", plain, readers=4, writes=40)

    assert said == {"behind": 0, "read": said["read"], "finished": 5}
    assert said["read"] >= 40


def test_greenlets_on_one_miss_make_the_value_once(plain: Table) -> None:
    """A greenlet that waits for the lock lets the one that holds it go on.

    gevent patches after Beaker and the package were imported.
    """
    said = subprocesses.run("greenlets_on_a_miss", plain.with_options(lock_wait=1), greenlets=5)

    assert json.dumps(said) == json.dumps({"made": 1, "got": [1] * 5})
