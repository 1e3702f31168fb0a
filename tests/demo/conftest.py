"""A demo on a table of its own, and a browser that visits it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from webtest import TestApp

from examples.demo.app import open_app
from tests.demo.pages import OpenDemo


@pytest.fixture
def table() -> str:
    """Return a table name that the embedded server does not have yet."""
    return f"demo-{uuid.uuid4().hex}"


@pytest.fixture
def open_demo() -> Iterator[OpenDemo]:
    """Return a function that opens a demo with some options, for a browser with some cookies."""
    with contextlib.ExitStack() as stack:

        def open_with(
            options: Mapping[str, object], outage_seconds: int = 20, **browser: Any
        ) -> TestApp:
            return TestApp(stack.enter_context(open_app(options, outage_seconds)), **browser)

        yield open_with


@pytest.fixture
def app(table: str, open_demo: OpenDemo) -> Any:
    """Return a browser that visits the demo, on a table of its own."""
    return open_demo({"table": table})
