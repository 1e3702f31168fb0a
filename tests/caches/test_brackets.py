"""What a cache remembers inside Beaker's read brackets, and that it forgets it with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from beaker_dynamodb.caches import store
from tests.caches import workers
from tests.caches.places import Before, Place, is_lock, never, thread_of, wind
from tests.faults.kinds import Stale
from tests.instruments import Clock, Recorder
from tests.proxy import FaultProxy


@pytest.mark.parametrize("stale", [False, True], ids=["present", "stale"])
def test_a_value_made_by_another_server_meanwhile_is_not_made_again(
    place: Place, *, stale: bool
) -> None:
    """Whoever waited for the lock looks again, consistently, and finds what another has made.

    The other server writes after the first look and before the lock is taken. What the first
    look found is forgotten, and an eventually consistent read would still find nothing.
    """
    with FaultProxy(place.url) as proxy:
        theirs = place.elsewhere().cache()
        cache = Place(proxy.url, place.table, place.options).cache()
        if stale:
            proxy.next(Stale(), operation="GetItem", times=None)
        proxy.next(Before(lambda: theirs.put("k", "theirs")), operation="PutItem", where=is_lock)

        assert cache.get("k", createfunc=never) == "theirs"


def test_a_value_made_by_another_process_meanwhile_is_not_made_again(plain: Place) -> None:
    """The same with a real second process, which puts its value between look and lock."""
    with FaultProxy(plain.url) as proxy:
        cache = Place(proxy.url, plain.table).cache()
        step = Before(lambda: workers.run("put", plain, value="another process"))
        proxy.next(step, operation="PutItem", where=is_lock)

        assert cache.get("k", createfunc=never) == "another process"


def test_nothing_is_remembered_after_the_outermost_bracket(plain: Place, calls: Recorder) -> None:
    """Inside the brackets a key is read once; after the last one it is read anew."""
    ours, theirs = plain.manager(), plain.elsewhere().manager()
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
    plain: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a bracket stays open: an entry older than a second is read anew."""
    wind(monkeypatch, clock)
    ours, theirs = plain.manager(), plain.elsewhere().manager()
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


def found_by(manager: Any) -> str | None:
    """Ask `in` and then `[]`, as Beaker does."""
    return str(manager["k"]) if "k" in manager else None


def put(manager: Any) -> None:
    """Write what was read."""
    manager["k"] = "new"


def remove(manager: Any) -> None:
    """Remove what was read."""
    del manager["k"]


def clear(manager: Any) -> None:
    """Remove everything."""
    manager.remove()


@pytest.mark.parametrize(("change", "found"), [(put, "new"), (remove, None), (clear, None)])
def test_a_change_inside_a_bracket_is_seen_there(
    ranged: Place, change: Callable[[Any], None], found: str | None
) -> None:
    """What this thread changes itself it does not remember as it was."""
    manager = ranged.manager()
    manager["k"] = "old"

    manager.acquire_read_lock()
    assert manager["k"] == "old"
    change(manager)
    now = found_by(manager)
    manager.release_read_lock()

    assert now == found


def test_brackets_of_two_caches_do_not_mix(plain: Place, calls: Recorder) -> None:
    """A cache read while another's bracket is open remembers its own entries only."""
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


def test_a_thread_does_not_see_what_another_remembers(plain: Place) -> None:
    """Brackets are each thread's own, though all threads share one manager."""
    manager = plain.manager()
    manager["k"] = "old"

    manager.acquire_read_lock()
    assert manager["k"] == "old"
    plain.elsewhere().manager()["k"] = "new"
    with thread_of(lambda: manager["k"]) as said:
        pass
    manager.release_read_lock()

    assert said == ["new"]


def test_a_child_forked_inside_a_bracket_reads_anew(plain: Place) -> None:
    """A fork between `in` and `[]`: the child remembers nothing of its parent's."""
    assert workers.run("fork_in_bracket", plain) == {"parent": "old", "child": "new"}


def test_greenlets_with_overlapping_brackets_never_read_an_old_value(plain: Place) -> None:
    """No reader falls behind, though gevent patches after Beaker and the package were imported."""
    said = workers.run("greenlets", plain, readers=4, writes=40)

    assert said == {"behind": 0, "read": said["read"], "finished": 5}
    assert said["read"] >= 40


def test_greenlets_on_one_miss_make_the_value_once(plain: Place) -> None:
    """A greenlet that waits for the lock lets the one that holds it go on.

    gevent patches after Beaker and the package were imported.
    """
    said = workers.run("greenlets_on_a_miss", plain.but(lock_wait=1), greenlets=5)

    assert json.dumps(said) == json.dumps({"made": 1, "got": [1] * 5})
