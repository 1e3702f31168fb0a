"""What a server does otherwise than DynamoDB, and the tests that need it: they are skipped."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from tests.servers import Flavor


@dataclass(frozen=True, slots=True)
class Gap:
    """A difference between a server and DynamoDB, in one sentence; `tests` matches their ids."""

    flavor: Flavor
    sentence: str
    tests: str


GAPS: tuple[Gap, ...] = ()


def skip_gaps(items: list[pytest.Item], flavor: Flavor) -> None:
    """Skip the tests that a server of that flavor cannot pass."""
    gaps = [gap for gap in GAPS if gap.flavor is flavor]
    for item in items:
        for gap in gaps:
            if re.search(gap.tests, item.nodeid):
                item.add_marker(pytest.mark.skip(reason=f"{flavor.value}: {gap.sentence}"))
