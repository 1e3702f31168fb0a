"""A demo on a table of its own, and a browser at it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from webtest import TestApp

from examples.demo.app import make_app


@pytest.fixture
def table() -> str:
    """Give a name that no table of the embedded server has."""
    return f"demo-{uuid.uuid4().hex}"


@pytest.fixture
def app(table: str) -> Any:
    """Give a browser at the demo, on a table of its own."""
    return TestApp(make_app({"table": table}))
