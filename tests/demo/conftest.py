"""A demo on a table of its own, and a browser that visits it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from webtest import TestApp

from examples.demo.app import make_app


@pytest.fixture
def table() -> str:
    """Return a table name that the embedded server does not have yet."""
    return f"demo-{uuid.uuid4().hex}"


@pytest.fixture
def app(table: str) -> Any:
    """Return a browser that visits the demo, on a table of its own."""
    return TestApp(make_app({"table": table}))
