"""boto3 is imported when it is needed, and not before; what listens to its calls is not missed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from beaker_dynamodb.dynamodb import clients as clients_module
from tests.dynamodb.wire_clients import create_client, get_item
from tests.faults.fault_kinds import aws_error
from tests.proxy import FaultProxy
from tests.servers import KEY, REGION

ROOT = Path(__file__).parents[2]

PROCESS: Final = """
import json, sys
from beaker_dynamodb import DynamoDBNamespaceManager as Manager, configure
from beaker_dynamodb.dynamodb import client as module
url, table, transport = sys.argv[1:]
configure(endpoint_url=url, table=table, transport=transport, create_table=False)
results = []

def visit(name="zoe"):
    Manager(name, digest_filenames=False)["session"] = "text"
    assert Manager(name, digest_filenames=False)["session"] == "text"

def record():
    (client,) = module._clients.values()
    results.append(["botocore.client" in sys.modules, client.get_transport().name])

%s
print(json.dumps(results))
"""


def run_in_process(body: str, url: str, table: str, transport: str = "auto") -> Any:
    """Run *body* in a new process with the environment of AWS Lambda; return its results."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROCESS % body, url, table, transport],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=clean
        | {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": KEY, "AWS_DEFAULT_REGION": REGION}
        | {"HOME": "/nonexistent", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("transport", ["auto", "wire"])
def test_boto3_is_imported_with_the_first_call_that_it_must_make(
    transport: str, proxy: FaultProxy, table: str
) -> None:
    """A call that DynamoDB refuses. After it the wire goes on."""
    proxy.next(aws_error("InternalServerError", status=500), where=lambda body: "bob" in str(body))
    body = "visit()\nrecord()\nvisit('bob')\nrecord()"

    assert run_in_process(body, proxy.url, table, transport) == [[False, "wire"], [True, "wire"]]


WATCHING: Final = """
class Watcher:
    def find_spec(self, name, path=None, target=None):
        return None
Watcher.__module__ = "tracer.imports"
"""
WRAPPING: Final = """
import importlib.abc, importlib.machinery
class Loader(importlib.abc.Loader):
    def __init__(self, loader): self.loader = loader
    def create_module(self, spec): return self.loader.create_module(spec)
    def exec_module(self, module):
        self.loader.exec_module(module)
        call = module.BaseClient._make_api_call
        module.BaseClient._make_api_call = lambda *args: call(*args)
class Watcher:
    def find_spec(self, name, path=None, target=None):
        if name != "botocore.client":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        spec.loader = Loader(spec.loader)
        return spec
Watcher.__module__ = "tracer.imports"
"""
PATCHING: Final = """
import botocore.client as c
call = c.BaseClient._make_api_call
c.BaseClient._make_api_call = lambda *args: call(*args)
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"{WATCHING}\nsys.meta_path.insert(0, Watcher())\nvisit()\nrecord()", [[True, "wire"]]),
        (f"{WRAPPING}\nsys.meta_path.insert(0, Watcher())\nvisit()\nrecord()", [[True, "boto3"]]),
        (
            f"{WRAPPING}\nvisit()\nrecord()\nsys.meta_path.insert(0, Watcher())\nvisit()\nrecord()",
            [[False, "wire"], [True, "boto3"]],
        ),
        (f"visit()\nrecord()\n{PATCHING}\nvisit()\nrecord()", [[False, "wire"], [True, "boto3"]]),
        ("import boto3\nvisit()\nrecord()", [[True, "wire"]]),
        ("visit()\nimport boto3\nvisit()\nrecord()", [[True, "wire"]]),
    ],
    ids="a watcher|a tracer|a late tracer|a late wrapper|boto3|boto3, late".split("|"),
)
def test_auto_looks_for_listeners_as_soon_as_there_can_be_one(
    body: str, expected: list[Any], dynamodb_local: str, table: str
) -> None:
    """Somebody has imported botocore, or waits for its import in order to change it."""
    assert run_in_process(body, dynamodb_local, table) == expected


def test_threads_that_need_boto3_at_once_share_one_client(
    proxy: FaultProxy, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an outage every thread does; each client takes 10 MB. So do calls that were sent."""
    created = list[int]()
    make = clients_module.make_factory

    def make_factory(connection: Any) -> Any:
        create = make(connection)

        def record(fewer: int) -> Any:
            created.append(fewer)
            return create(fewer)

        return record

    monkeypatch.setattr(clients_module, "make_factory", make_factory)
    client = create_client(proxy.url)
    get_item(client, table, "alice")
    assert created == []
    proxy.next(aws_error("InternalServerError", status=500), times=8)
    barrier = threading.Barrier(8)

    def call() -> Any:
        barrier.wait(10)
        return get_item(client, table, "alice")["mark"]

    with ThreadPoolExecutor(8) as pool:
        found = [one.result() for one in [pool.submit(call) for _ in range(8)]]

    assert found == [{"S": "hers"}] * 8
    assert sorted(created) in ([1], [0, 1])
