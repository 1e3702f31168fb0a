"""Fixtures of the fault cases: a site with an empty table, and pauses that are not slept."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.sessions.overlap import Site


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Create a site with an empty table."""
    return Site.create(dynamodb_local, table_name)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the list of the seconds that botocore would sleep between attempts; it does not."""
    slept: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=slept.append))
    return slept
