"""The observability example runs unchanged, and reports what happened."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from prometheus_client import generate_latest
from webtest import TestApp

import beaker_dynamodb
from beaker_dynamodb.dynamodb import embedded

EXAMPLE = Path(__file__).parents[1] / "examples" / "observability.py"


@pytest.fixture
def example() -> Iterator[ModuleType]:
    """Import the example, on an embedded server of its own."""
    embedded.stop()
    spec = importlib.util.spec_from_file_location("observability", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    beaker_dynamodb.reset()
    embedded.stop()


def test_calls_and_saves_are_metrics_and_log_lines(
    example: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    """Two requests of one visitor are counted for Prometheus, and logged."""
    caplog.set_level(logging.INFO, "shop.dynamodb")
    browser = TestApp(example.app)
    browser.get("/")
    caplog.clear()
    browser.get("/")

    lines = [r.getMessage() for r in caplog.records if r.name == "shop.dynamodb"]
    events = [json.loads(line) for line in lines]
    loads = [one for one in events if one.get("operation") == "GetItem"]
    assert [(one["event"], one["outcome"]) for one in loads] == [("Call", "ok")]
    assert [one["plan"] for one in events if one["event"] == "Saved"] == ["leave"]

    figures = generate_latest(example.figures).decode()
    assert 'session_saves_total{outcome="stored",plan="create"} 1.0\n' in figures
    assert 'session_saves_total{outcome="left",plan="leave"} 1.0\n' in figures
    assert 'dynamodb_call_seconds_count{operation="PutItem",outcome="ok"} 1.0\n' in figures
    units = f'dynamodb_units_total{{operation="GetItem"}} {loads[0]["read_units"]}'
    assert units in figures.splitlines()


def test_no_session_id_is_reported(example: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the log nor the metrics contain the id."""
    caplog.set_level(logging.INFO, "shop.dynamodb")
    browser = TestApp(example.app)
    browser.get("/")
    (cookie,) = browser.cookiejar
    assert cookie.value is not None
    ident = cookie.value.strip('"')[40:]

    assert len(ident) >= 32
    assert ident not in caplog.text
    assert ident not in generate_latest(example.figures).decode()
