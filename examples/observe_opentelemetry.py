# What your sessions do to DynamoDB, as metrics and spans of OpenTelemetry: see README.md here.
import time
from wsgiref.simple_server import make_server

from beaker.middleware import SessionMiddleware
from opentelemetry import metrics, trace

import beaker_dynamodb

meter, tracer = metrics.get_meter("shop.sessions"), trace.get_tracer("shop.sessions")
BOUNDS = {"explicit_bucket_boundaries_advisory": [0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5]}
CALLS = meter.create_histogram("db.client.operation.duration", "s", "Calls", **BOUNDS)
UNITS = meter.create_counter("dynamodb.units", "{unit}", "Capacity units")
SAVES = meter.create_counter("session.saves", "{save}", "Saves of sessions")


def watch(event):  # no event holds an id, a key, or anything of a session
    if isinstance(event, beaker_dynamodb.Saved):
        SAVES.add(1, {"plan": event.plan, "outcome": event.outcome})
        return
    about = {"db.system.name": "aws.dynamodb", "db.operation.name": event.operation}
    about["outcome"] = event.outcome  # ok; refused by a condition; throttled, unavailable, error
    UNITS.add(event.read_units + event.write_units, about)
    CALLS.record(event.seconds, about)
    begin, kind = time.time_ns() - int(event.seconds * 1e9), trace.SpanKind.CLIENT
    with tracer.start_as_current_span(event.operation, None, kind, about, None, begin) as span:
        span.set_status(trace.StatusCode["OK" if event.outcome in {"ok", "refused"} else "ERROR"])


def pages(environ, start_response):
    environ["beaker.session"]["visited"] = True
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"See what is exported."]


beaker_dynamodb.observe(watch)
OPTIONS = {"type": "ext:dynamodb", "endpoint_url": "embedded", "secret": "change", "auto": True}
app = SessionMiddleware(pages, {f"session.{key}": OPTIONS[key] for key in OPTIONS}, httponly=True)
if __name__ == "__main__":
    make_server("127.0.0.1", 8080, app).serve_forever()
