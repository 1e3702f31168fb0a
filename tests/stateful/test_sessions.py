"""Sessions against plain dictionaries, on DynamoDB Local, through faults, over both transports."""

from __future__ import annotations

import pytest

from tests.stateful.conftest import MakeBench
from tests.stateful.runs import run_briefly, run_for_long
from tests.stateful.sessions import make_machine

# Beaker warns at each load that fails: expected here. The tests of each module cover the branches.
pytestmark = [
    pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning"),
    pytest.mark.no_cover,
]
#: Transport, StrictSession or Beaker's own, and whether sessions come from another backend.
VARIANTS = (
    ("boto3", False, True),
    ("boto3", True, False),
    ("wire", True, True),
    ("wire", False, False),
)


@pytest.mark.parametrize(("transport", "strict", "migrate"), VARIANTS)
def test_sessions_are_what_dictionaries_would_be(
    make_bench: MakeBench, transport: str, strict: bool, migrate: bool
) -> None:
    """Pages read what was acknowledged, and nothing that has ended or is another user's."""
    run_briefly(make_machine(make_bench(transport, strict, migrate), strict=strict))


@pytest.mark.long
@pytest.mark.parametrize(("transport", "strict", "migrate"), VARIANTS)
def test_sessions_are_what_dictionaries_would_be_for_long(
    make_bench: MakeBench, transport: str, strict: bool, migrate: bool
) -> None:
    """The same with other examples in each run."""
    run_for_long(make_machine(make_bench(transport, strict, migrate), strict=strict))
