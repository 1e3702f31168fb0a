"""What the operators' tests share: an application with an empty table."""

from __future__ import annotations

import pytest

from tests.ops.sites import Site


@pytest.fixture(params=["hash", "range"])
def site(request: pytest.FixtureRequest, dynamodb_local: str, table_name: str) -> Site:
    """Give an application whose table is made; in both layouts of keys."""
    ranged = {"range_key": "part"} if request.param == "range" else {}
    made = Site.at(dynamodb_local, table_name, compress="false", **ranged)
    del made.save("first")["session"]
    return made
