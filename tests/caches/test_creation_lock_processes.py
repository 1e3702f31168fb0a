"""The creation lock among real processes, on DynamoDB Local and in real time.

The tests assert which process created which value in which order, never how long it took. Holders
that are killed or stopped have a short lifetime, so that the others do not wait for long.
"""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.caches import subprocesses
from tests.caches.tables import Table, is_lock
from tests.proxy import FaultProxy

#: A lifetime of a second, and a tolerance to match: the rows hold whole seconds.
SHORT: dict[str, Any] = {"lock_lease": "1s"}
TOLERANCE = 0.2


def owner(table: Table) -> bytes | None:
    """Say whose the lock is, by the row."""
    rows = [row for row in table.rows() if "#lock:" in row["id"]["S"]]
    return rows[0]["rev"]["B"] if rows else None


def test_eight_processes_on_one_miss_make_the_value_once(plain: Table) -> None:
    """One of eight creates the value while the others wait for it, and all get the same.

    The creator goes on only when all eight have asked for the lock.
    """
    with FaultProxy(plain.url) as proxy:
        table = Table(proxy.url, plain.name)
        with subprocesses.herd(table, forks=8) as herd:
            making = herd.hear()
            proxy.wait_until(lambda: locks_asked(proxy) >= 8, within=30)
            herd.open_the_gate()
            rest = herd.rest()

    assert list(making) == ["making", "pid"]
    assert [word["got"] for word in rest] == [f"made by {making['making']}"] * 8
    assert sorted(word["by"] for word in rest) == list(range(8))
    assert plain.keys() == ["cache:ns:k"]


def locks_asked(proxy: FaultProxy) -> int:
    """Count the requests for the lock."""
    return sum(e.operation == "PutItem" and is_lock(e.body) for e in proxy.seen)


def test_a_killed_holder_delays_the_others_by_its_lifetime_at_most(plain: Table) -> None:
    """A process that dies with the lock is outlived: the next one makes the value."""
    table = plain.with_options(**SHORT)
    with subprocesses.herd(table, tolerance=TOLERANCE, value="dead") as first:
        os.kill(first.hear()["pid"], signal.SIGKILL)
        dead = owner(plain)
        with subprocesses.herd(table, tolerance=TOLERANCE, value="alive") as second:
            second.open_the_gate()
            said = second.rest()

    assert [list(word) for word in said] == [["making", "pid"], ["got", "by"]]
    assert said[-1]["got"] == "alive"
    assert dead is not None
    assert owner(plain) is None


def test_a_holder_stopped_beyond_its_lifetime_takes_nothing_back(plain: Table) -> None:
    """Another process takes the lock of a paused holder, and still has it when that one wakes.

    The value of the new holder stays, because it is stored last.
    """
    table = plain.with_options(**SHORT)
    with (
        subprocesses.herd(table, tolerance=TOLERANCE, value="of the one that was stopped") as first,
        subprocesses.herd(table, tolerance=TOLERANCE, value="of the next", waits=True) as second,
    ):
        stopped = first.hear()["pid"]
        before = owner(plain)
        os.kill(stopped, signal.SIGSTOP)
        second.begin()
        second.hear()
        holds_now = owner(plain)
        os.kill(stopped, signal.SIGCONT)
        first.open_the_gate()
        woken = first.rest()
        after_waking = owner(plain)
        second.open_the_gate()
        last = second.rest()

    assert woken[-1]["got"] == "of the one that was stopped"
    assert None not in {before, holds_now}
    assert before != holds_now == after_waking
    assert last[-1]["got"] == "of the next"
    assert (plain.cache()["k"], owner(plain)) == ("of the next", None)


@pytest.mark.parametrize("lock", ["process", "table"])
def test_a_child_forked_while_a_thread_holds_the_lock_goes_on(plain: Table, lock: str) -> None:
    """The thread that would release the lock does not exist in the child, which goes on.

    The row of the lock is still the parent's. Under `table` the child waits for it until
    `lock_wait`, as any other process would, and goes on without it.
    """
    table = plain.with_options(lock=lock, lock_wait="600s" if lock == "process" else "1s")

    assert subprocesses.run("fork_under_lock", table) == {"got": "parent's"}
