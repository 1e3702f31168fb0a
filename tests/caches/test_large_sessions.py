"""Sessions in chunks are touched, merged, saved twice and logged out like any other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.caches.tables import Table, text_of, use_clock, values_of
from tests.caches.test_large import a_value
from tests.faults.fault_kinds import LoseReply
from tests.instruments import Clock, Recorder
from tests.proxy import FaultProxy

SIZE = 420_000
BIG = a_value(SIZE)


def session_text(clock: Clock, **values: Any) -> str:
    """Return the text of a session that was created at 1000.0 and accessed now."""
    return text_of({"_creation_time": 1000.0, "_accessed_time": clock(), **values})


@pytest.fixture(autouse=True)
def wound(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Have Beaker and the package live by the test's clock."""
    use_clock(monkeypatch, clock)


def load_session(table: Table) -> Any:
    """Load the session as one request does."""
    manager = table.session(timeout=720)
    assert manager["session"]
    return manager


def contents(table: Table) -> dict[str, Any]:
    """Return the stored session without Beaker's times."""
    values = values_of(load_session(table)["session"])
    return {name: value for name, value in values.items() if name[0] != "_"}


def get_manifest(table: Table) -> dict[str, Any]:
    """Return the only row that is no chunk."""
    name = table.options.get("range_key", "id")
    (manifest,) = [row for row in table.rows() if "#chunk:" not in row[name]["S"]]
    return manifest


def test_a_touch_writes_the_pieces_anew(table: Table, clock: Clock) -> None:
    """A session in chunks that was only read gets a new revision when its touch is due.

    Under the same revision the new chunks would overwrite the old ones, one by one.
    """
    table.session(timeout=720)["session"] = session_text(clock, big=BIG)
    before, chunks = get_manifest(table), table.chunks

    clock.advance(30)
    load_session(table)["session"] = session_text(clock, big=BIG)
    untouched = table.chunks
    clock.advance(40)
    load_session(table)["session"] = session_text(clock, big=BIG)

    assert untouched == chunks
    assert table.chunks.isdisjoint(chunks)
    assert len(table.chunks) == 2
    assert get_manifest(table)["rev"] != before["rev"]
    assert int(get_manifest(table)["expires"]["N"]) - int(before["expires"]["N"]) == 70
    assert {row["expires"]["N"] for row in table.rows()} == {
        get_manifest(table)["expires"]["N"],
        str(int(get_manifest(table)["expires"]["N"]) + 86400),
    }


def test_changes_of_two_requests_to_a_session_in_chunks_are_merged(
    table: Table, clock: Clock, calls: Recorder
) -> None:
    """Both changes are saved, and only one set of chunks is left.

    The refusal brings the manifest; its chunks cost another read.
    """
    table.session(timeout=720)["session"] = session_text(clock, big=BIG)
    mine, theirs = load_session(table), load_session(table)

    theirs["session"] = session_text(clock, big=BIG, theirs=1)
    calls.clear()
    mine["session"] = session_text(clock, big=BIG[::-1], mine=2)

    assert contents(table) == {"big": BIG[::-1], "theirs": 1, "mine": 2}
    assert len(table.rows()) == 3
    refused = [number for number, call in enumerate(calls) if call.error]
    assert calls.names[: refused[0] + 1] == ["PutItem"] * 3


def test_logout_removes_the_pieces(table: Table, clock: Clock) -> None:
    """Nothing of a session that was logged out is left, however large it was."""
    table.session(timeout=720)["session"] = session_text(clock, big=BIG)

    load_session(table)["session"] = text_of({"_domain": None, "_path": "/"})

    assert table.rows() == []


def test_a_logout_over_a_change_removes_the_changed_pieces(table: Table, clock: Clock) -> None:
    """A logout wins over a concurrent change, and deletes its chunks, too."""
    table.session(timeout=720)["session"] = session_text(clock, big=BIG)
    leaving = load_session(table)
    load_session(table)["session"] = session_text(clock, big=BIG[::-1])

    leaving["session"] = text_of({"_domain": None, "_path": "/"})

    assert table.rows() == []


@pytest.mark.parametrize("fresh", [True, False], ids=["begun here", "loaded"])
def test_a_session_saved_twice_in_a_request_leaves_no_chunk(
    table: Table, clock: Clock, *, fresh: bool
) -> None:
    """The second save of a request replaces the chunks of the first.

    An error middleware that calls start_response twice saves twice.
    """
    if not fresh:
        table.session(timeout=720)["session"] = session_text(clock, big=BIG)
    request = table.session(timeout=720) if fresh else load_session(table)

    request["session"] = session_text(clock, big=BIG, step=1)
    request["session"] = session_text(clock, big=BIG, step=2)

    assert contents(table) == {"big": BIG, "step": 2}
    assert len(table.chunks) == 2


def test_a_session_saved_and_logged_out_in_a_request_leaves_no_chunk(
    table: Table, clock: Clock
) -> None:
    """A request can delete what it has saved itself."""
    request = table.session(timeout=720)

    request["session"] = session_text(clock, big=BIG)
    request["session"] = text_of({"_domain": None, "_path": "/"})

    assert table.rows() == []


def test_a_session_that_shrinks_leaves_no_chunk(table: Table, clock: Clock) -> None:
    """A large session that becomes small is one row; and so are all its merges."""
    table.session(timeout=720)["session"] = session_text(clock, big=BIG)

    load_session(table)["session"] = session_text(clock, small=1)

    assert (contents(table), len(table.rows())) == ({"small": 1}, 1)


def test_a_lost_reply_loses_no_large_session(table: Table, clock: Clock) -> None:
    """The reply of the put was lost, and the retry is refused by our own row: it is stored."""
    table.session(timeout=720)["session"] = session_text(clock, big=BIG)
    with FaultProxy(table.url) as proxy:
        request = load_session(Table(proxy.url, table.name, table.options))
        proxy.next(
            LoseReply(), operation="PutItem", where=lambda b: "#chunk:" not in str(b["Item"])
        )
        request["session"] = session_text(clock, big=BIG, more=1)

    assert contents(table) == {"big": BIG, "more": 1}
    assert len(table.chunks) == 2


def test_a_logout_whose_reply_is_lost_leaves_no_chunks(table: Table, clock: Clock) -> None:
    """The SDK's second attempt finds no row, and the chunks of the first one are deleted."""
    table.session(timeout=720)["session"] = session_text(clock, big=BIG)
    with FaultProxy(table.url) as proxy:
        request = load_session(Table(proxy.url, table.name, table.options))
        proxy.next(LoseReply(), operation="DeleteItem")
        del request["session"]

    assert table.rows() == []
