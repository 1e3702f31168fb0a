"""What the fault cases share: a site with a table of its own, and pauses that are not slept."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.sessions.overlap import Site


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Give a site with a table of its own."""
    return Site.made(dynamodb_local, table_name)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Gather how long botocore would sleep between its attempts; it does not."""
    slept: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=slept.append))
    return slept
