"""Whoever listens to boto3's calls, or answers in AWS's place, is never passed by under `auto`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from moto import mock_aws

from tests.dynamodb.wire_clients import a_client, get, put
from tests.sessions import apps

ROOT = Path(__file__).parents[2]

#: A process of its own: here moto is imported, and its handler would hide all others.
PROCESS: Final = """
import json, sys
from tests.dynamodb.wire_clients import a_client, get, put
url, table = sys.argv[1:]
told = []

def tell(client):
    put(client, table, "alice")
    found = client.get_transport()
    told.append([found.name, found.reason])

%s
print(json.dumps(told))
"""


def in_a_process(body: str, url: str, table: str, **environment: str) -> Any:
    """Run a body there, and return what it told."""
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


#: What is done in the process, and what `auto` then says; each tells twice: before and after.
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
def test_whoever_begins_to_listen_is_minded_from_the_next_call_on(
    case: tuple[str, str], dynamodb_local: str, table: str
) -> None:
    """The wire carries calls until then; the client is the same one all along."""
    act, why = case
    body = (
        "client = a_client(url, 'auto')\ntell(client)\n"
        f"boto3_client = client._get_clients().boto3\n{act}\ntell(client)"
    )

    before, after = in_a_process(body, dynamodb_local, table)

    assert before[0] == "wire"
    assert after[0] == "boto3"
    assert why in after[1]


#: What is done before the client is made.
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
def test_whoever_listens_from_the_start_is_minded(
    case: tuple[str, str], dynamodb_local: str, table: str
) -> None:
    """`auto` says boto3 and why; the same process without it says wire, above."""
    act, why = case
    where = "None" if "ENDPOINT" in act else "url"
    look = f"{act}\nclient = a_client({where}, 'auto')\n"
    look += "found = client.get_transport()\ntold.append([found.name, found.reason])"

    ((name, told),) = in_a_process(look, dynamodb_local, table)

    assert name == "boto3"
    assert why in told


MOCKED: Final = """
client = a_client(None, "auto")
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
    put(client, table, "alice", mark={"S": "hers"})
    told.append([client.wire_was, get(client, table, "alice")["mark"]["S"]])
"""


def test_under_mock_aws_no_byte_leaves_the_process(
    table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a name is looked up: moto answers. The wire would have looked it up."""
    tried = list[object]()

    def refuse(*where: object, **_: object) -> None:
        tried.append(where)
        raise OSError

    with mock_aws():
        apps.make_table("https://dynamodb.us-east-1.amazonaws.com", table_name)
        monkeypatch.setattr("socket.getaddrinfo", refuse)
        monkeypatch.setattr("socket.socket.connect", refuse)
        client = a_client(None, "auto")
        put(client, table_name, "alice", mark={"S": "hers"})
        found = get(client, table_name, "alice")
        quiet = not tried
        get(a_client(None, "wire"), table_name, "alice")

    assert found["mark"] == {"S": "hers"}
    assert (quiet, len(tried)) == (True, 1)


def test_a_client_that_is_patched_late_for_mock_aws_is_minded(
    dynamodb_local: str, table: str
) -> None:
    """The wire was chosen; from `patch_client` on moto answers, and no connection is tried."""
    assert in_a_process(MOCKED, dynamodb_local, table) == [["wire", "hers"]]
