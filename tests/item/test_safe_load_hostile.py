"""An attacker with access to the source backend cannot crash, hang or bloat the reader."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from functools import partial
from pathlib import Path

import pytest

from beaker_dynamodb.item.safe_load import MAX_OPCODES, safe_load
from tests.growth import assert_linear
from tests.item.hostile import HOSTILE, MB

ROOT = Path(__file__).parents[2]
GROWING = ("integers of one hash", "long equal keys", "nested dicts")


def test_no_pickle_ends_the_process_that_reads_it() -> None:
    """Hostile shapes, random opcodes and altered sessions, under limits of memory and CPU time."""
    command = [sys.executable, "-m", "tests.item.hostile"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, f"after {done.stdout.splitlines()[-1:]}: {done.stderr[-2000:]}"


@pytest.mark.parametrize("name", GROWING)
def test_reading_takes_time_in_proportion_to_the_size(name: str) -> None:
    """Whatever shape it has."""
    assert_linear(lambda size: partial(safe_load, HOSTILE[name](size)), 4_000)


@pytest.mark.parametrize(
    "name", ["marks", "dicts that are kept", "nested dicts", "long equal keys"]
)
def test_reading_takes_memory_in_proportion_to_the_size(name: str) -> None:
    """At most 64 MB, or ten times the size of the pickle."""
    pickled = HOSTILE[name](MAX_OPCODES)
    tracemalloc.start()
    try:
        safe_load(pickled)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < max(64 * MB, 10 * len(pickled))


def test_a_pickle_of_too_many_opcodes_is_opaque() -> None:
    """One more than the limit is not read; the limit itself is."""
    assert safe_load(b"N" + b"0N" * ((MAX_OPCODES - 2) // 2) + b".") is None
    text = b"U\x01a"
    inside = (MAX_OPCODES - 2) // 2

    assert safe_load(text + b"0" + b"N0" * (inside - 1) + text + b".") == "a"
    assert safe_load(text + b"0" + b"N0" * inside + text + b".") is None
