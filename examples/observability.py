# What your sessions do to DynamoDB: figures for Prometheus on port 9100, and a JSON line an event.
import dataclasses
import json
import logging
from wsgiref.simple_server import make_server

from beaker.middleware import SessionMiddleware
from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

import beaker_dynamodb

figures = CollectorRegistry()  # several worker processes: see prometheus_client's multiprocess mode
CALLS = Histogram("dynamodb_call_seconds", "Calls", ["operation", "outcome"], registry=figures)
UNITS = Counter("dynamodb_units", "Capacity units", ["operation"], registry=figures)
SAVES = Counter("session_saves", "Saves of sessions", ["plan", "outcome"], registry=figures)


def watch(event):  # no event holds an id, a key, or anything of a session
    fields = {"event": type(event).__name__, **dataclasses.asdict(event)}
    logging.getLogger("shop.dynamodb").info(json.dumps(fields))
    if isinstance(event, beaker_dynamodb.Saved):
        SAVES.labels(event.plan, event.outcome).inc()
    else:
        CALLS.labels(event.operation, event.outcome).observe(event.seconds)
        UNITS.labels(event.operation).inc(event.read_units + event.write_units)


def pages(environ, start_response):
    environ["beaker.session"]["visited"] = True
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"See port 9100, and the log."]


beaker_dynamodb.observe(watch)
OPTIONS = {"type": "ext:dynamodb", "endpoint_url": "embedded", "secret": "change", "auto": True}
app = SessionMiddleware(pages, {f"session.{key}": OPTIONS[key] for key in OPTIONS}, httponly=True)
if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    start_http_server(9100, addr="127.0.0.1", registry=figures)
    make_server("127.0.0.1", 8080, app).serve_forever()
