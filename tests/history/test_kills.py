"""Whatever is killed, no law of sessions is broken, and every error is the package's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.history.kills import run


@pytest.mark.parametrize("seconds", [8.0, pytest.param(3600.0, marks=pytest.mark.long)])
def test_kills_break_no_law(tmp_path: Path, seconds: float) -> None:
    """Workers and DynamoDB Local are killed, connections are cut, and calls are lost."""
    outcome = run(seconds, 1, tmp_path)
    print(outcome)

    assert outcome.violations == []
    assert outcome.foreign == {}
    assert outcome.kills["workers"] > 0
    assert outcome.kills["DynamoDB Local"] > 0
    assert outcome.kills["cuts"] > 0
    assert outcome.answers["ok"] > 0
