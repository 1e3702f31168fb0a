"""A whole run of `import_sessions`, and its outcomes in short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.migration.bulk import Imported, Skipped, import_sessions
from beaker_dynamodb.migration.readers import create_reader
from tests.sessions.overlap import Site


def where(new: Site, **more: object) -> Options:
    """Name the table of a site, as its own options do."""
    return parse({"client": new.options["client"], "table": new.table, **more}, "session")


def run_import(
    kind: str, options: Mapping[str, str], new: Site, **how: Any
) -> list[Imported | Skipped]:
    """Import everything; return the outcomes in the order of the sessions' digests."""
    more = how.pop("more", {})
    done = import_sessions(
        create_reader(kind, options, how.get("timeout")), where(new, **more), **how
    )
    return sorted(done, key=lambda one: one.session)


def session_rows(new: Site) -> list[dict[str, Any]]:
    """Return the rows of sessions, without the markers beside them."""
    return [row for row in new.rows() if "#" not in row["id"]["S"]]


def summarize(done: list[Imported | Skipped]) -> list[str]:
    """Return a short summary of the outcomes."""
    return sorted(one.reason if isinstance(one, Skipped) else "imported" for one in done)
