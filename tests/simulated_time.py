"""The real Beaker and the real package under a time and a randomness that a simulation hands in."""

from __future__ import annotations

import functools
import logging
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import beaker.cache
import beaker.container
import beaker.session
import pytest

import beaker_dynamodb
from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.runtime import Runtime
from beaker_dynamodb.sessions import lifetime, strict


@contextmanager
def simulate(
    now: Callable[[], float], sleep: Callable[[float], object], chance: random.Random
) -> Iterator[None]:
    """Give Beaker and the package this time, and draw ids and tokens from *chance*.

    Warnings and log lines are dropped: a simulation causes one for each failed load.
    """

    def draw_id(*_: object) -> str:
        return chance.randbytes(16).hex()

    clock = SimpleNamespace(time=now, strftime=time.strftime)
    token = functools.partial(chance.randbytes, 8)
    beaker.cache.clsmap["ext:dynamodb"]  # Beaker looks for its plugins now
    with pytest.MonkeyPatch.context() as patch, keep_quiet():
        patch.setattr(
            DynamoDBNamespaceManager, "runtime", Runtime(now, now, sleep, chance.random, token)
        )
        for module in (beaker.session, beaker.container, strict, lifetime):
            patch.setattr(module, "time", clock)
        patch.setattr(beaker.session, "_session_id", draw_id)
        patch.setattr(strict, "secrets", SimpleNamespace(token_hex=draw_id))
        beaker_dynamodb.reset()
        yield
    beaker_dynamodb.reset()


@contextmanager
def keep_quiet() -> Iterator[None]:
    """Drop warnings and log lines; there is one for each failed load in each history."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
