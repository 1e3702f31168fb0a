"""Under `auto`, the wire never bypasses what listens to boto3's calls or answers them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from moto import mock_aws

from tests.dynamodb.wire_clients import create_client, get_item, put_item
from tests.sessions import apps

ROOT = Path(__file__).parents[2]

#: A new process: in that of the tests moto is imported, and its handler hides all others.
PROCESS: Final = """
import json, sys
from tests.dynamodb.wire_clients import create_client, get_item, put_item
url, table = sys.argv[1:]
results = []

def record(client):
    put_item(client, table, "alice")
    found = client.get_transport()
    results.append([found.name, found.reason])

%s
print(json.dumps(results))
"""


def run_in_process(body: str, url: str, table: str, **environment: str) -> Any:
    """Run *body* in a new process, and return the results that it recorded."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROCESS % body, url, table],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def table(dynamodb_local: str, table_name: str) -> str:
    """Create a table."""
    apps.make_table(dynamodb_local, table_name)
    return table_name


#: A change while the client is in use, and the reason that `auto` then gives.
LATE: Final[dict[str, tuple[str, str]]] = {
    "a handler": (
        """boto3_client.meta.events.register("before-send", lambda **_: None)""",
        "listens to before-send",
    ),
    "a handler of one operation": (
        """boto3_client.meta.events.register("after-call.dynamodb.PutItem", lambda **_: None)""",
        "listens to after-call",
    ),
    "a wrapped method": (
        """
import botocore.client as c, functools
f = c.BaseClient._make_api_call
c.BaseClient._make_api_call = functools.wraps(f)(lambda *a, **k: f(*a, **k))
""",
        "_make_api_call of botocore is instrumented",
    ),
    "a wrapped endpoint": (
        """
import botocore.endpoint as e
f = e.Endpoint.make_request
e.Endpoint.make_request = lambda *a, **k: f(*a, **k)
""",
        "of botocore is instrumented",
    ),
    "OpenTelemetry": (
        """
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
BotocoreInstrumentor().instrument()
""",
        "_make_api_call of botocore is instrumented",
    ),
    "AWS X-Ray": (
        """
from aws_xray_sdk.core import patch, xray_recorder
xray_recorder.configure(context_missing="IGNORE_ERROR")
patch(["botocore"])
""",
        "_make_api_call of botocore is instrumented",
    ),
}


@pytest.mark.parametrize("case", LATE.values(), ids=[*LATE])
def test_auto_uses_boto3_from_the_next_call_after_something_begins_to_listen(
    case: tuple[str, str], dynamodb_local: str, table: str
) -> None:
    """The wire makes the calls until then. The client stays the same."""
    act, why = case
    body = (
        "client = create_client(url, 'auto')\nrecord(client)\n"
        f"boto3_client = client._get_clients().boto3\n{act}\nrecord(client)"
    )

    before, after = run_in_process(body, dynamodb_local, table)

    assert before[0] == "wire"
    assert after[0] == "boto3"
    assert why in after[1]


#: What is done before the client is created.
EARLY: Final[dict[str, tuple[str, str]]] = {
    "Sentry": (
        """
import sentry_sdk
from sentry_sdk.integrations.boto3 import Boto3Integration
sentry_sdk.init(integrations=[Boto3Integration()], default_integrations=False)
""",
        "_make_api_call of botocore is instrumented",
    ),
    "moto": ("import moto", "a handler of moto"),
    "OpenTelemetry": LATE["OpenTelemetry"],
    "AWS X-Ray": LATE["AWS X-Ray"],
    "FIPS": ("import os; os.environ['AWS_USE_FIPS_ENDPOINT'] = 'true'", "FIPS"),
    "dual-stack": ("import os; os.environ['AWS_USE_DUALSTACK_ENDPOINT'] = 'true'", "dual-stack"),
}


@pytest.mark.parametrize("case", EARLY.values(), ids=[*EARLY])
def test_auto_uses_boto3_if_something_listens_from_the_start(
    case: tuple[str, str], dynamodb_local: str, table: str
) -> None:
    """It gives the reason. Without it the same process uses the wire, as above."""
    act, why = case
    where = "None" if "ENDPOINT" in act else "url"
    look = f"{act}\nclient = create_client({where}, 'auto')\n"
    look += "found = client.get_transport()\nresults.append([found.name, found.reason])"

    ((name, told),) = run_in_process(look, dynamodb_local, table)

    assert name == "boto3"
    assert why in told


MOCKED: Final = """
client = create_client(None, "auto")
client.wire_was = client.get_transport().name
import moto, socket
from moto.core import patch_client
with moto.mock_aws():
    patch_client(client._get_clients().boto3)
    client._get_clients().boto3.create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    def refuse(*_):
        raise AssertionError("a byte would have left")
    socket.socket.connect = refuse
    put_item(client, table, "alice", mark={"S": "hers"})
    results.append([client.wire_was, get_item(client, table, "alice")["mark"]["S"]])
"""


def test_under_mock_aws_no_byte_leaves_the_process(
    table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No name is even resolved: moto answers. The wire would have resolved one."""
    tried = list[object]()

    def refuse(*where: object, **_: object) -> None:
        tried.append(where)
        raise OSError

    with mock_aws():
        apps.make_table("https://dynamodb.us-east-1.amazonaws.com", table_name)
        monkeypatch.setattr("socket.getaddrinfo", refuse)
        monkeypatch.setattr("socket.socket.connect", refuse)
        client = create_client(None, "auto")
        put_item(client, table_name, "alice", mark={"S": "hers"})
        found = get_item(client, table_name, "alice")
        nothing_tried = not tried
        get_item(create_client(None, "wire"), table_name, "alice")

    assert found["mark"] == {"S": "hers"}
    assert (nothing_tried, len(tried)) == (True, 1)


def test_auto_uses_boto3_for_a_client_that_is_patched_late_for_mock_aws(
    dynamodb_local: str, table: str
) -> None:
    """The wire was selected before. After `patch_client` moto answers, and nothing connects."""
    assert run_in_process(MOCKED, dynamodb_local, table) == [["wire", "hers"]]
