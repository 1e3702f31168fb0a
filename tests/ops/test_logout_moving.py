"""Logging out while sessions are moved in: what an operator deletes is not moved in again."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from beaker.container import FileNamespaceManager
from beaker.util import PickleSerializer

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.ops import sessions, stats
from beaker_dynamodb.provisioning import iam
from tests.instruments import Recorder
from tests.ops.example_apps import ExampleApp


@pytest.fixture(name="moving")
def moving_(dynamodb_local: str, table_name: str, tmp_path: Path) -> ExampleApp:
    """Return an application with two sessions of one user, both in files and moved in already."""
    site = ExampleApp.create(
        dynamodb_local,
        table_name,
        migrate_from="file",
        **{"migrate_from.data_dir": str(tmp_path)},
    )
    now = time.time()
    values = {"_accessed_time": now, "_creation_time": now, "userId": "42"}
    text = base64.b64encode(PickleSerializer().dumps(values)).decode()
    for ident in ("one", "two"):
        old = FileNamespaceManager(ident, data_dir=str(tmp_path), digest_filenames=False)
        old.acquire_write_lock()
        old["session"] = text
        old.release_write_lock()
        assert site.manager(ident)["session"] == text
    return site


def list_readable(site: ExampleApp) -> list[str]:
    """Return the sessions that a request can read, from a row or from the files."""
    return [ident for ident in ("one", "two") if "session" in site.manager(ident)]


def test_what_is_deleted_or_revoked_is_not_moved_in_again(moving: ExampleApp) -> None:
    """A tombstone replaces the row; without one the next request would log in again."""
    assert list_readable(moving) == ["one", "two"]

    assert main(moving.argv("sessions", "delete", "one")) == 0
    assert list_readable(moving) == ["two"]
    assert main(moving.argv("sessions", "revoke", "userId=42", "--yes")) == 0
    assert list_readable(moving) == []


def test_a_tombstone_is_no_session(moving: ExampleApp, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not listed, counted, shown, or deleted once more; the statistics name it apart."""
    main(moving.argv("sessions", "delete", "one"))
    capsys.readouterr()
    rows, now = moving.rows, time.time()
    (*_, count) = sessions.count_sessions(rows, now)
    (*_, figures) = stats.stats(rows, now)

    assert [one.id for one in sessions.list_sessions(rows, now, with_expired=True)] == ["two"]
    assert (count.live, count.expired) == (1, 0)
    assert (figures.live, figures.expired, figures.tombstones) == (1, 0, 1)
    assert main(moving.argv("sessions", "show", "one")) == 1
    assert main(moving.argv("sessions", "delete", "one")) == 1


def test_the_operator_may_put_tombstones_only_while_sessions_are_moved(
    moving: ExampleApp, calls: Recorder
) -> None:
    """At any other time his role can plant nothing."""
    plain = {n: v for n, v in moving.options.items() if not n.startswith("migrate_from")}
    calls.clear()
    main(moving.argv("sessions", "delete", "one"))

    granted = iam.actions("operator", parse(moving.options, "session"))
    assert "PutItem" in set(calls.names) & granted
    assert "PutItem" not in iam.actions("operator", parse(plain, "session"))
