"""How the machines are run: in CI the same examples each time, for long others each time.

`DYNAMODB_STATEFUL_SECONDS` says how long all `long` tests run together: an hour if it is not set.
"""

from __future__ import annotations

import os
import random
import time
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as use_seed
from hypothesis.stateful import run_state_machine_as_test

SECONDS: Final = float(os.environ.get("DYNAMODB_STATEFUL_SECONDS") or 3600)
#: Examples of each test in CI, and steps of each example.
EXAMPLES: Final = 25
STEPS: Final = 30
#: Tests marked `long`, among which the time is divided.
TESTS: Final = 8


def make_settings(examples: int, *, derandomize: bool, shrink: bool = True) -> settings:
    """Return hypothesis' settings: no deadline, and nothing remembered between runs."""
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        derandomize=derandomize,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
    )


def run_briefly(machine: Any) -> None:
    """Run the same examples in each run, so that no test fails by chance."""
    run_state_machine_as_test(machine, settings=make_settings(EXAMPLES, derandomize=True))
    print(dict(machine.bench.figures))


def run_for_long(machine: Any) -> None:
    """Run other examples in each run, and print the seeds."""
    end = time.monotonic() + SECONDS / TESTS
    while time.monotonic() < end:
        seed = random.randrange(2**32)
        print(f"seed {seed}", flush=True)
        run_state_machine_as_test(
            use_seed(seed)(machine), settings=make_settings(100, derandomize=False)
        )
    print(dict(machine.bench.figures))
