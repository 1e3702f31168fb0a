"""Whose region is missing: the table to read from takes no option of the application's own."""

from __future__ import annotations

import pytest

from beaker_dynamodb.dynamodb.responses import NO_REGION
from beaker_dynamodb.errors import CallFacts, OptionError
from beaker_dynamodb.migration.region import explain_missing_region

FACTS = CallFacts("CreateClient", None, None, code=NO_REGION)


def test_a_missing_region_names_the_option_of_that_table() -> None:
    """The application's own `region` would not help."""
    with (
        pytest.raises(OptionError, match=r"has no region: .*give migrate_from\.region$"),
        explain_missing_region("migrate_from.region"),
    ):
        raise OptionError("no AWS region is set; give option 'region'", call=FACTS)


@pytest.mark.parametrize("call", [None, CallFacts("GetItem", "t", None, code="ProfileNotFound")])
def test_any_other_mistake_is_raised_unchanged(call: CallFacts | None) -> None:
    """Only a missing region is explained."""
    with (
        pytest.raises(OptionError, match=r"^another mistake"),
        explain_missing_region("migrate_from.region"),
    ):
        raise OptionError("another mistake", call=call)
