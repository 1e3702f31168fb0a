"""The examples of `observe()` run unchanged, and report what happened."""

from __future__ import annotations

import importlib.util
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from prometheus_client import generate_latest
from webtest import TestApp

import beaker_dynamodb
from beaker_dynamodb.dynamodb import embedded

ROOT = Path(__file__).parents[1]
#: Units of CloudWatch's metrics that an example may use (AWS: embedded metric format).
UNITS = {"Seconds", "Count", "None"}
#: Two requests of one visitor, and what OpenTelemetry has of them; the second is within a span.
PROCESS = """
import json
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from webtest import TestApp

reader, spans = InMemoryMetricReader(), InMemorySpanExporter()
metrics.set_meter_provider(MeterProvider([reader]))
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(spans))
from beaker_dynamodb import Saved
from beaker_dynamodb.dynamodb.metering import Call
from examples import observe_opentelemetry as example

browser = TestApp(example.app)
browser.get("/")
with trace.get_tracer("shop").start_as_current_span("request"):
    browser.get("/")
example.watch(Call("GetItem", 0.5, 0, 0, "throttled"))
(cookie,) = browser.cookiejar
print(json.dumps({
    "cookie": cookie.value.strip('"'),
    "metrics": json.loads(reader.get_metrics_data().to_json()),
    "spans": [json.loads(one.to_json()) for one in spans.get_finished_spans()],
}))
"""


@pytest.fixture
def example(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """Import an example, on an embedded server of its own; the parameter is its name."""
    embedded.stop()
    name = getattr(request, "param", "observability")
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
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


@pytest.mark.parametrize("example", ["observe_emf"], indirect=True)
def test_calls_and_saves_are_metrics_of_cloudwatch(
    example: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line of the embedded metric format each, whose metrics and dimensions are in the line."""
    browser = TestApp(example.app)
    for _ in range(2):
        browser.get("/")
    (cookie,) = browser.cookiejar
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]

    assert err == ""
    for line in lines:
        (described,) = line["_aws"]["CloudWatchMetrics"]
        assert isinstance(line["_aws"]["Timestamp"], int)
        assert described["Namespace"] == "shop/sessions"
        (dimensions,) = described["Dimensions"]
        assert all(isinstance(line[name], str) for name in dimensions)
        for metric in described["Metrics"]:
            assert isinstance(line[metric["Name"]], (int, float))
            assert metric["Unit"] in UNITS
    saves = [(line["plan"], line["outcome"], line["saves"]) for line in lines if "saves" in line]
    assert saves == [("create", "stored", 1), ("leave", "left", 1)]
    calls = [line for line in lines if line.get("operation") == "PutItem"]
    assert [(line["outcome"], line["write_units"] > 0) for line in calls] == [("ok", True)]
    assert cookie.value is not None
    assert cookie.value.strip('"')[40:] not in out


@pytest.fixture(scope="module")
def exported() -> Any:
    """Run the example of OpenTelemetry in a process, whose providers are the process's own."""
    done = subprocess.run(
        [sys.executable, "-c", PROCESS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def list_points(exported: Any) -> dict[str, list[Any]]:
    """Return the points of each metric, by its name."""
    return {
        metric["name"]: metric["data"]["data_points"]
        for resource in exported["metrics"]["resource_metrics"]
        for scope in resource["scope_metrics"]
        for metric in scope["metrics"]
    }


def test_calls_and_saves_are_metrics_of_opentelemetry(exported: Any) -> None:
    """Durations in buckets of milliseconds, units and saves, by operation and outcome."""
    points = list_points(exported)

    saves = {tuple(one["attributes"].values()): one["value"] for one in points["session.saves"]}
    assert saves == {("create", "stored"): 1, ("leave", "left"): 1}
    durations = {
        (one["attributes"]["db.operation.name"], one["attributes"]["outcome"]): one
        for one in points["db.client.operation.duration"]
    }
    assert durations["PutItem", "ok"]["count"] == 1
    assert durations["GetItem", "throttled"]["sum"] == 0.5
    assert durations["PutItem", "ok"]["explicit_bounds"][0] == 0.001
    assert sum(one["value"] for one in points["dynamodb.units"]) > 1


def test_a_call_is_a_span_of_the_request_that_made_it(exported: Any) -> None:
    """It has the call's duration, and is an error only if the call has failed."""
    by_id = {one["context"]["span_id"]: one for one in exported["spans"]}
    *_, last, request, throttled = exported["spans"]

    assert (last["name"], last["kind"]) == ("GetItem", "SpanKind.CLIENT")
    assert by_id[last["parent_id"]]["name"] == request["name"] == "request"
    assert request["start_time"] <= last["start_time"] <= last["end_time"] <= request["end_time"]
    assert last["status"]["status_code"] == "OK"
    assert throttled["status"]["status_code"] == "ERROR"
    assert throttled["attributes"]["outcome"] == "throttled"


def test_opentelemetry_gets_no_session_id(exported: Any) -> None:
    """Neither its metrics nor its spans contain the id."""
    ident = exported["cookie"][40:]

    assert len(ident) >= 32
    assert ident not in json.dumps([exported["metrics"], exported["spans"]])
