"""The table to read from takes no option of the application's own, and is never created."""

from __future__ import annotations

import pytest

from beaker_dynamodb.dynamodb.responses import NO_REGION
from beaker_dynamodb.errors import CallFacts, OptionError, TableMissing
from beaker_dynamodb.migration.source_table import explain_source_table

FACTS = CallFacts("CreateClient", None, None, code=NO_REGION)


def test_a_missing_region_names_the_option_of_that_table() -> None:
    """The application's own `region` would not help."""
    with (
        pytest.raises(OptionError, match=r"has no region: .*give migrate_from\.region$"),
        explain_source_table("migrate_from.{}"),
    ):
        raise OptionError("no AWS region is set; give option 'region'", call=FACTS)


@pytest.mark.parametrize("call", [None, CallFacts("GetItem", "t", None, code="ProfileNotFound")])
def test_any_other_mistake_is_raised_unchanged(call: CallFacts | None) -> None:
    """Only a missing region is explained."""
    with (
        pytest.raises(OptionError, match=r"^another mistake"),
        explain_source_table("migrate_from.{}"),
    ):
        raise OptionError("another mistake", call=call)


def test_a_missing_table_is_not_to_be_created() -> None:
    """A command that creates it would leave an empty table, and no session would be found."""
    call = CallFacts("Scan", "old", "eu-central-1", code="ResourceNotFoundException")
    with (
        pytest.raises(TableMissing) as caught,
        explain_source_table("migrate_from.{}"),
    ):
        raise TableMissing("no such table; `beaker-dynamodb table create` creates it", call=call)
    assert str(caught.value).startswith(
        "the table to read from does not exist in this region and account; check"
        " migrate_from.table and migrate_from.region (Scan, table old"
    )
