"""The clock, sleep, randomness and threads; what to renew after a fork or to forget on `reset()`.

Code that needs the time, a random number or threads takes a `Runtime`, so that tests can replace
them. A module that keeps something in memory registers here, when it is imported, how that is
renewed.
"""

from __future__ import annotations

import os
import random
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Final

#: As many as a revision holds (`item/revision.py`); every byte of a row is billed.
_TOKEN_BYTES: Final = 8
#: 256 bits, 64 hex digits: as long as the hash that signs a cookie with it.
_SECRET_BYTES: Final = 32
#: How many calls are made at once, the one of the caller's own thread included.
MAX_PARALLEL: Final = 4


def _sleep(seconds: float) -> None:
    time.sleep(seconds)  # looked up at the call: gevent may have replaced it since our import


def run_parallel(calls: Sequence[Callable[[], object]]) -> None:
    """Make all calls, up to `MAX_PARALLEL` at once; a single one in the caller's own thread.

    No thread outlives this function. A call that fails lets no further one begin; those under way
    are waited for.

    Raises: what the first of the failed calls has raised.
    """
    waiting = deque(enumerate(calls))
    errors: dict[int, BaseException] = {}

    threads: list[threading.Thread] = []
    try:
        while len(threads) < min(len(calls), MAX_PARALLEL) - 1:
            # An observer of calls may look at the context of the request.
            thread = threading.Thread(target=copy_context().run, args=(_call_all, waiting, errors))
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads, or the interpreter is ending
                break
            threads.append(thread)
        _call_all(waiting, errors)
    finally:
        waiting.clear()
        for thread in threads:
            thread.join()
    if errors:
        # An interruption comes first. The rest is dropped: tracebacks refer to this frame.
        first = min(errors, key=lambda number: (isinstance(errors[number], Exception), number))
        error = errors.pop(first)
        errors.clear()
        try:
            raise error
        finally:
            del error


def _call_all(
    waiting: deque[tuple[int, Callable[[], object]]], errors: dict[int, BaseException]
) -> None:
    """Make the calls that wait, until one has failed, in this thread or another one."""
    while not errors:
        try:
            number, call = waiting.popleft()
        except IndexError:
            return
        try:
            call()
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            errors[number] = error


@dataclass(frozen=True, slots=True)
class Runtime:
    """The clock, sleep, randomness, threads. Times are in seconds; `random()` is in [0, 1)."""

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = _sleep
    random: Callable[[], float] = random.random
    token: Callable[[], bytes] = field(default=partial(secrets.token_bytes, _TOKEN_BYTES))
    secret: Callable[[], str] = field(default=partial(secrets.token_hex, _SECRET_BYTES))
    run_parallel: Callable[[Sequence[Callable[[], object]]], object] = run_parallel


#: The operating system's own.
REAL: Final = Runtime()

#: The process that renewed its memory last. Code that uses locks or sockets compares it with
#: `os.getpid()`: a server that forks in C, as uWSGI does, does not run Python's callbacks in the
#: child.
process_id: int = os.getpid()
_fork_callbacks: list[Callable[[], object]] = []
_reset_callbacks: list[Callable[[], object]] = []


def on_fork(callback: Callable[[], object]) -> None:
    """Call *callback* in each forked child, before any other code of this package runs there."""
    _fork_callbacks.append(callback)


def on_reset(callback: Callable[[], object]) -> None:
    """Call *callback* whenever an application's test calls `reset()`."""
    _reset_callbacks.append(callback)


def renew_after_fork() -> None:
    """Renew what a forked child must not share with its parent: locks and sockets."""
    global process_id  # noqa: PLW0603  # the one place that follows a fork
    for callback in _fork_callbacks:
        callback()
    process_id = os.getpid()  # last: until then other threads must not use what is not renewed


def reset() -> None:
    """Forget clients, defaults, observers and parsed options, for the next test.

    A client that was created before `mock_aws` began would talk to AWS.
    """
    for callback in _reset_callbacks:
        callback()


os.register_at_fork(after_in_child=renew_after_fork)
