"""The checker itself: histories written by hand, good ones and one bad one for each law."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.history.checker import BACKWARDS, LOST, MOVED, PHANTOM, RISEN, Violation, check
from tests.history.recorder import Kind, Op, Outcome

Span = tuple[int, int]


def did(
    kind: Kind,
    span: Span,
    key_value: str = "",
    *,
    saw: str = "",
    client: str = "p1",
    outcome: Outcome = "ok",
    moved: bool = False,
) -> Op:
    """Write an operation down; `saw` is such as "a=1 b=2", each value its writer's own."""
    key, _, value = key_value.partition("=")
    seen: Mapping[str, str] = dict(pair.split("=") for pair in saw.split())
    return Op(client, kind, "s", key, value, *span, outcome, seen, moved)


def write(
    span: Span, key_value: str, saw: str = "", client: str = "p1", outcome: Outcome = "ok"
) -> Op:
    """Change a key."""
    return did("write", span, key_value, saw=saw, client=client, outcome=outcome)


def read(span: Span, saw: str = "", client: str = "p9") -> Op:
    """Look."""
    return did("read", span, saw=saw, client=client)


def logout(span: Span, saw: str = "", outcome: Outcome = "ok") -> Op:
    """Log out."""
    return did("logout", span, saw=saw, client="p8", outcome=outcome)


def laws(*ops: Op) -> list[str]:
    """Name the laws that a history breaks."""
    return sorted({violation.law for violation in check(ops)})


GOOD: dict[str, tuple[Op, ...]] = {
    "nothing happened": (),
    "what was written is read": (write((0, 1), "a=1"), read((2, 3), "a=1")),
    "a later change of the same key": (
        write((0, 1), "a=1"),
        write((2, 3), "a=2", "a=1"),
        read((4, 5), "a=2"),
    ),
    "of two at once either may win": (
        write((0, 5), "a=1"),
        write((1, 4), "a=2", client="p2"),
        read((6, 7), "a=1"),
    ),
    "and the other one, too": (
        write((0, 5), "a=1"),
        write((1, 4), "a=2", client="p2"),
        read((6, 7), "a=2"),
    ),
    "two keys at once are both kept": (
        write((0, 5), "a=1"),
        write((1, 4), "b=2", client="p2"),
        read((6, 7), "a=1 b=2"),
    ),
    "a read beside a write sees it": (write((0, 9), "a=1"), read((1, 2), "a=1")),
    "a read beside a write does not see it": (write((0, 9), "a=1"), read((1, 2))),
    "an unknown change did not happen": (
        write((0, 1), "a=1", outcome="unknown"),
        read((2, 3)),
    ),
    "an unknown change happened": (write((0, 1), "a=1", outcome="unknown"), read((2, 3), "a=1")),
    "an unknown change happens late, over an acknowledged one": (
        write((0, 1), "a=1", outcome="unknown"),
        write((2, 3), "a=2", client="p2"),
        read((4, 5), "a=2"),
        read((6, 7), "a=1"),
    ),
    "a logout empties": (write((0, 1), "a=1"), logout((2, 3), "a=1"), read((4, 5))),
    "an unknown logout may have happened": (
        write((0, 1), "a=1"),
        logout((2, 3), "a=1", "unknown"),
        read((4, 5)),
    ),
    "or not": (
        write((0, 1), "a=1"),
        logout((2, 3), "a=1", "unknown"),
        read((4, 5), "a=1"),
    ),
    "a change beside a logout is dropped": (
        write((0, 1), "a=1"),
        write((2, 6), "a=2", "a=1"),
        logout((3, 4), "a=1"),
        read((7, 8)),
    ),
    "a change beside a logout that saw nothing begins anew": (
        write((0, 1), "a=1"),
        write((2, 6), "a=2"),
        logout((3, 4), "a=1"),
        read((7, 8), "a=2"),
    ),
    "a change after a logout begins anew": (
        write((0, 1), "a=1"),
        logout((2, 3), "a=1"),
        write((4, 5), "b=2"),
        read((6, 7), "b=2"),
    ),
    "a client that saw it sees nothing after a logout": (
        write((0, 1), "a=1"),
        read((2, 3), "a=1"),
        logout((4, 5), "a=1"),
        read((6, 7)),
    ),
    "another session's change is no matter": (
        write((0, 1), "a=1"),
        Op("p2", "read", "another", started=2, ended=3, seen={}),
    ),
    "a load that failed has seen nothing, not an empty session": (
        write((0, 1), "a=1"),
        Op("p2", "read", "s", started=2, ended=3, outcome="unknown", seen=None),
    ),
}

BAD: dict[str, tuple[str, tuple[Op, ...]]] = {
    "an older value is read after an acknowledged change": (
        LOST,
        (
            write((0, 1), "a=1"),
            write((2, 3), "a=2", "a=1"),
            read((4, 5), "a=1"),
        ),
    ),
    "nothing is read after an acknowledged change": (LOST, (write((0, 1), "b=1"), read((2, 3)))),
    "nothing is read, and the only logout was over before": (
        LOST,
        (logout((0, 1)), write((2, 3), "b=1"), read((4, 5))),
    ),
    "a later page finds a change gone before it changes anything": (
        LOST,
        (write((0, 1), "b=1"), write((2, 3), "a=2", client="p2")),
    ),
    "an overlapping change comes back": (
        BACKWARDS,
        (
            write((0, 20), "a=1"),
            write((0, 20), "a=2", client="p2"),
            read((1, 2), "a=1"),
            read((3, 4), "a=2"),
            read((5, 6), "a=1"),
        ),
    ),
    "an unknown change hides a surely older one": (
        BACKWARDS,
        (
            write((0, 1), "a=1"),
            write((2, 3), "a=2", "a=1", outcome="unknown"),
            read((4, 5), "a=2"),
            read((6, 7), "a=1"),
            read((8, 9), "a=2"),
        ),
    ),
    "what was seen is gone without a logout": (
        BACKWARDS,
        (
            write((0, 9), "a=1", outcome="unknown"),
            read((2, 3), "a=1"),
            read((4, 5)),
        ),
    ),
    "what was written is back after an end from elsewhere": (
        RISEN,
        (write((0, 1), "a=1"), did("end", (2, 3), client="p8"), read((4, 5), "a=1")),
    ),
    "what was written is back after a logout": (
        RISEN,
        (write((0, 1), "a=1"), logout((2, 3), "a=1"), read((4, 5), "a=1")),
    ),
    "a slow page that had seen the old session brings its change back": (
        RISEN,
        (
            write((0, 1), "a=1"),
            write((2, 8), "b=2", "a=1", client="p2"),
            logout((3, 4), "a=1"),
            read((9, 10), "b=2"),
        ),
    ),
    "so does one whose outcome is unknown": (
        RISEN,
        (
            write((0, 1), "a=1"),
            write((2, 8), "b=2", "a=1", client="p2", outcome="unknown"),
            logout((3, 4), "a=1"),
            read((9, 10), "b=2"),
        ),
    ),
    "a value that nobody wrote": (PHANTOM, (read((0, 1), "a=1"),)),
    "a value from the future": (PHANTOM, (read((0, 1), "a=1"), write((2, 3), "a=1"))),
    "another session in the cookie": (MOVED, (did("read", (0, 1), moved=True),)),
}


@pytest.mark.parametrize("ops", GOOD.values(), ids=GOOD)
def test_what_may_happen_is_no_violation(ops: tuple[Op, ...]) -> None:
    """The laws forbid nothing that two honest requests can do to each other."""
    assert check(ops) == []


@pytest.mark.parametrize(("law", "ops"), BAD.values(), ids=BAD)
def test_each_law_is_missed_when_broken(law: str, ops: tuple[Op, ...]) -> None:
    """The history breaks this law and, where the laws do not overlap, no other."""
    assert laws(*ops) == [law]


@pytest.mark.parametrize(("law", "ops"), BAD.values(), ids=BAD)
def test_what_is_printed_breaks_the_law_by_itself(law: str, ops: tuple[Op, ...]) -> None:
    """Out of a longer history, the operations of the violation alone break the same law."""
    beside = [
        Op(one.client, one.kind, "beside", "a", f"x{n}", one.started, one.ended, seen=None)
        for n, one in enumerate(ops)
    ]
    found = check([*beside, *ops])[0]

    assert len(found.ops) <= len(ops)
    assert law in laws(*found.ops)


def test_the_shortest_violation_comes_first() -> None:
    """One operation explains more than five."""
    long = BAD["an overlapping change comes back"][1]
    short = Op("p1", "read", "another", started=0, ended=1, seen={"a": "x"})

    assert check([*long, short])[0].ops == (short,)


def test_a_violation_lists_its_operations() -> None:
    """One operation a line: client, time, change, and what was read."""
    found: Violation = check(BAD["what was written is back after a logout"][1])[0]

    law, *lines = str(found).splitlines()
    assert RISEN in law
    assert [line.split()[4] for line in lines] == ["p1", "p8", "p9"]
    assert lines[-1].endswith("saw a=1")
