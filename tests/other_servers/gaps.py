"""What a server does otherwise than DynamoDB, and the tests that need it: they are skipped."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from tests.servers import Flavor


@dataclass(frozen=True, slots=True)
class Gap:
    """A difference between a server and DynamoDB, in one sentence; `tests` match ids of tests."""

    flavor: Flavor
    sentence: str
    tests: tuple[str, ...]


_LARGE = "tests/caches/test_large.py::test_"
GAPS: tuple[Gap, ...] = (
    Gap(
        Flavor.DYNALITE,
        "It ignores ReturnValuesOnConditionCheckFailure, so a refused write costs another read.",
        (
            "tests/sessions/test_stories.py::test_six_writers",
            "tests/sessions/test_stories.py::test_fifty_ajax",
            "tests/sessions/test_stories_opaque.py::test_a_lost_reply",
            "tests/sessions/test_stories_rotation.py::test_a_timed_out_session_that_was_just_saved",
            "tests/sessions/test_budget.py::test_an_operation_.*two requests change different keys",
            "tests/caches/test_budget.py::test_an_operation_.*stale-",
            "tests/dynamodb/test_table.py::test_a_response_with_another_item.*PutItem",
        ),
    ),
    Gap(
        Flavor.DYNALITE,
        "It does not count the units that a delete takes in an index.",
        ("tests/sessions/test_user_sessions_budget.py::test_a_request_.*(`end|2\\)`)",),
    ),
    Gap(
        Flavor.MINISTACK,
        "BatchGetItem does not report the consumed capacity, so its response counts as broken.",
        (
            "tests/sessions/test_user_sessions.py::test_",
            "tests/sessions/test_user_sessions_budget.py::test_",
        ),
    ),
    Gap(
        Flavor.MINISTACK,
        "It counts one read unit for an item of 5,000 bytes, which takes two.",
        ("tests/sessions/test_budget.py::test_an_operation_.*5,000 incompressible",),
    ),
    Gap(
        Flavor.MINISTACK,
        "Of fifty writers of one session one loses more often than its save is repeated.",
        ("tests/sessions/test_stories.py::test_fifty_ajax",),
    ),
)


def skip_gaps(items: list[pytest.Item], flavor: Flavor) -> None:
    """Skip the tests that a server of that flavor cannot pass."""
    gaps = [gap for gap in GAPS if gap.flavor is flavor]
    for item in items:
        for gap in gaps:
            if any(re.search(pattern, item.nodeid) for pattern in gap.tests):
                item.add_marker(pytest.mark.skip(reason=f"{flavor.value}: {gap.sentence}"))
