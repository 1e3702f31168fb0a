"""Whatever bytes come from outside: no crash, no hang, and no exception that is not ours."""

from __future__ import annotations

import base64
import json
import os
import random
from pathlib import Path

import pytest

from tests.fuzz.__main__ import EXAMPLES, MUTATIONS
from tests.fuzz.mutation import generate
from tests.fuzz.runs import run, run_all
from tests.fuzz.targets import TARGETS

#: Inputs that have found a fault: the target, what was found, and the bytes in base64.
SEEDS = json.loads(Path(__file__).with_name("seeds.json").read_text("utf-8"))


@pytest.mark.parametrize("target", TARGETS)
def test_hostile_bytes_do_no_harm(target: str) -> None:
    """Some thousand inputs, the same in each run."""
    report = run(target, mutations=2000, examples=100, seed=1)

    assert report.faults == {}
    assert report.inputs >= 2000
    assert report.read, "whatever is given, it is refused: nothing was tested"


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed["found"])
def test_what_has_found_a_fault_finds_none_today(seed: dict[str, str]) -> None:
    """Each seed fails if its fix is taken out."""
    TARGETS[seed["target"]].read(base64.b64decode(seed["input"]))


@pytest.mark.parametrize("target", TARGETS)
def test_a_corpus_holds_inputs_that_are_read(target: str) -> None:
    """Mutations of inputs that are refused anyway would test little."""
    assert any(map(TARGETS[target].read, TARGETS[target].corpus()))


def test_a_seed_makes_the_same_inputs_in_each_run() -> None:
    """So a fault can be found again."""
    first, second = (list(generate([b"abc", b"defg"], 500, 7)) for _ in range(2))

    assert first == second
    assert len(set(first)) > 300


@pytest.mark.long
def test_a_million_hostile_inputs_do_no_harm() -> None:
    """Other inputs in each run; the seed is printed."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    reports = list(run_all(list(TARGETS), MUTATIONS, EXAMPLES, seed, os.cpu_count() or 1))

    assert {report.target: report.faults for report in reports} == {name: {} for name in TARGETS}
