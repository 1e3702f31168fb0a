"""Calls that are made at once: how many, in which threads, and what becomes of their errors."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest

from beaker_dynamodb.runtime import MAX_PARALLEL, run_parallel

#: Seconds after which a test fails whose threads wait for each other.
PATIENCE = 20


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Any:
    """Compare the threads before and after each test."""
    before = threading.enumerate()
    yield
    assert threading.enumerate() == before


def test_so_many_calls_are_made_at_once_and_no_more() -> None:
    """The calls meet four by four, and the caller's own thread makes some of them."""
    meeting = threading.Barrier(MAX_PARALLEL)
    active, most, threads = 0, 0, set()
    lock = threading.Lock()

    def call() -> None:
        nonlocal active, most
        with lock:
            active += 1
            most = max(most, active)
        threads.add(threading.get_ident())
        meeting.wait(PATIENCE)
        with lock:
            active -= 1

    run_parallel([call] * 3 * MAX_PARALLEL)

    assert most == len(threads) == MAX_PARALLEL
    assert threading.get_ident() in threads


@pytest.mark.parametrize("number", [0, 1])
def test_a_single_call_needs_no_thread(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made in the caller's own."""
    monkeypatch.setattr(threading, "Thread", None)
    found: list[int] = []

    run_parallel([lambda: found.append(threading.get_ident())] * number)

    assert found == [threading.get_ident()] * number


def raise_error(error: BaseException) -> Callable[[], object]:
    """Return a call that fails."""

    def call() -> None:
        raise error

    return call


def test_after_an_error_no_further_call_begins_and_the_others_end() -> None:
    """It is raised when all have ended, whichever thread it came from, without a context."""
    meeting, failed = threading.Barrier(MAX_PARALLEL), threading.Event()
    ended: list[int] = []

    def fail() -> None:
        meeting.wait(PATIENCE)
        failed.set()
        raise LookupError("second")

    def call() -> None:
        meeting.wait(PATIENCE)
        failed.wait(PATIENCE)
        ended.append(1)

    with pytest.raises(LookupError, match="second") as caught:
        run_parallel([call, fail, call, call, raise_error(AssertionError("it was begun"))])

    assert len(ended) == MAX_PARALLEL - 1
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("errors", "first"),
    [
        ((LookupError("a"), OSError("b")), "a"),
        ((LookupError("a"), KeyboardInterrupt("b")), "b"),
    ],
)
def test_of_several_errors_the_first_is_raised_but_an_interruption_before_it(
    errors: tuple[BaseException, ...], first: str
) -> None:
    """Both calls fail at the same time; nobody catches an interruption by mistake."""
    meeting = threading.Barrier(len(errors))

    def make_call(error: BaseException) -> Callable[[], object]:
        def call() -> None:
            meeting.wait(PATIENCE)
            raise error

        return call

    with pytest.raises(BaseException, match=first):
        run_parallel([make_call(error) for error in errors])


def test_without_threads_the_caller_makes_all_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may have no more, and an interpreter that is ending starts none."""
    monkeypatch.setattr(
        threading.Thread, "start", lambda _: raise_error(RuntimeError("no more threads"))()
    )
    found: list[int] = []

    run_parallel([lambda: found.append(threading.get_ident())] * 6)

    assert found == [threading.get_ident()] * 6


def test_a_call_has_the_context_of_its_request() -> None:
    """An observer that finds the request by a context variable finds it in each thread."""
    request = contextvars.ContextVar[str]("request")
    request.set("mine")
    meeting = threading.Barrier(MAX_PARALLEL)
    found: list[str] = []

    def call() -> None:
        meeting.wait(PATIENCE)
        found.append(request.get("none"))

    run_parallel([call] * MAX_PARALLEL)

    assert found == ["mine"] * MAX_PARALLEL
