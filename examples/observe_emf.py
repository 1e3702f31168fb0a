# What your sessions do to DynamoDB, as metrics of CloudWatch: a line of JSON an event, and no call.
# AWS Lambda passes on what is printed; elsewhere CloudWatch's agent reads it from a log file.
import dataclasses
import json
import sys
import time
from wsgiref.simple_server import make_server

from beaker.middleware import SessionMiddleware

import beaker_dynamodb

# AWS charges for each combination of the dimensions' values: keep them few.
CALL = ["operation", "outcome"], {"seconds": "Seconds", "read_units": "None", "write_units": "None"}
SAVED = ["plan", "outcome"], {"saves": "Count"}


def watch(event):  # no event holds an id, a key, or anything of a session
    fields, (dimensions, units) = dataclasses.asdict(event), CALL
    if isinstance(event, beaker_dynamodb.Saved):
        (dimensions, units), fields["saves"] = SAVED, 1
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    embedded = {"Namespace": "shop/sessions", "Dimensions": [dimensions], "Metrics": metrics}
    fields["_aws"] = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [embedded]}
    sys.stdout.write(json.dumps(fields) + "\n")


def pages(environ, start_response):
    environ["beaker.session"]["visited"] = True
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"See the terminal."]


beaker_dynamodb.observe(watch)
OPTIONS = {"type": "ext:dynamodb", "endpoint_url": "embedded", "secret": "change", "auto": True}
app = SessionMiddleware(pages, {f"session.{key}": OPTIONS[key] for key in OPTIONS}, httponly=True)
if __name__ == "__main__":
    make_server("127.0.0.1", 8080, app).serve_forever()
