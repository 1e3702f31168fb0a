"""Fixtures of the migration tests: a redis-server, and a source backend of each type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.migration.source_backends import KINDS, create_backend, redis_server
from tests.sessions.overlap import Site


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Serve a redis of our own."""
    with redis_server() as url:
        yield url


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Name one kind of backend after the other."""
    return str(request.param)


@pytest.fixture
def options(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """Give the options of an empty backend of that kind."""
    url = request.getfixturevalue("redis_url") if kind == "ext:redis" else ""
    return create_backend(kind, tmp_path, url)


@pytest.fixture
def new(dynamodb_local: str, table_name: str) -> Site:
    """Return the application as it is after the migration, without `migrate_from`."""
    return Site.create(dynamodb_local, table_name)


@pytest.fixture
def old(new: Site, kind: str, options: Mapping[str, str]) -> Site:
    """Give the application as it is before the move."""
    return new.with_(type=kind, **options)


@pytest.fixture
def moving(new: Site, kind: str, options: Mapping[str, str]) -> Site:
    """Give the application while it moves: a session is looked for in the old backend."""
    source_options = {f"migrate_from.{name}": value for name, value in options.items()}
    return new.with_(migrate_from=kind, **source_options)
