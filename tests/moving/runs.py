"""A whole run of `transfer`, and what it said in short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.migration.bulk import Moved, Skipped, transfer
from beaker_dynamodb.migration.readers import origin
from tests.beaker.overlap import Site


def where(new: Site, **more: object) -> Options:
    """Name the table of a site, as its own options do."""
    return parse({"client": new.options["client"], "table": new.table, **more}, "session")


def moved(kind: str, options: Mapping[str, str], new: Site, **how: Any) -> list[Moved | Skipped]:
    """Move everything; in the order of the backend, which is none."""
    more = how.pop("more", {})
    done = transfer(origin(kind, options, how.get("timeout")), where(new, **more), **how)
    return sorted(done, key=lambda one: one.session)


def session_rows(new: Site) -> list[dict[str, Any]]:
    """Return the rows of sessions, without the markers beside them."""
    return [row for row in new.rows() if "#" not in row["id"]["S"]]


def whys(done: list[Moved | Skipped]) -> list[str]:
    """Say what became of each, in short."""
    return sorted(one.why if isinstance(one, Skipped) else "moved" for one in done)
