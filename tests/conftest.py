"""The fixtures that all tests share: servers, names, a clock, a recorder, and a clean process.

No test sees this machine's AWS configuration, and none reaches further than loopback. What makes
that so runs around every test, and therefore costs next to nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
import socket
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import botocore.loaders
import hypothesis
import pytest
from moto.server import ThreadedMotoServer

import beaker_dynamodb
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb import client as clients
from beaker_dynamodb.dynamodb.connection import Connection
from tests.instruments import Clock, Recorder
from tests.other_servers.account import Account
from tests.other_servers.gaps import skip_gaps
from tests.proxy import FaultProxy
from tests.servers import (
    AWS_REGION,
    CREDENTIALS,
    REGION,
    DynamoDBLocal,
    Flavor,
    Server,
    answers,
    read_servers,
)

# Hypothesis's own deadline of 200 ms would assert a time: a busy machine is no fault.
hypothesis.settings.register_profile("without a deadline", deadline=None)
hypothesis.settings.load_profile("without a deadline")

CONFIGURED = read_servers()
#: The one host that is not this machine, if the tests run on AWS itself.
AWS_HOST = urlsplit(CONFIGURED["aws"].url).hostname if "aws" in CONFIGURED else "localhost"


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach what the tests start.

    A shell has what runs in its background ignore it, and children inherit that.
    """
    if config.getoption("--server") == "aws":
        config.pluginmanager.register(Account(CONFIGURED["aws"]), "account")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long`, for the tests that are run by hand, and `--transport`, for all of them."""
    parser.addoption("--long", action="store_true", help="run the tests marked long, too")
    parser.addoption(
        "--transport",
        choices=("auto", "wire"),
        default="auto",
        help="what carries the calls of every test that does not say so itself",
    )
    parser.addoption(
        "--server",
        choices=sorted(CONFIGURED),
        help="the one server, of those that DYNAMODB_URLS names, for all tests that need any",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests marked `long`; if they are asked for, they may take their time.

    With `--server`, skip what that server cannot do.
    """
    if name := config.getoption("--server"):
        skip_gaps(items, CONFIGURED[name].flavor)
    long = [item for item in items if item.get_closest_marker("long")]
    if config.getoption("--long"):
        for item in long:
            item.add_marker(pytest.mark.timeout(0))
    elif long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how much the tests of `tests/model` have explored."""
    reports = [one for group in ("passed", "failed") for one in terminalreporter.getreports(group)]
    found = [value for one in reports for name, value in one.user_properties if name == "explored"]
    if found:
        histories, states = (sum(counts) for counts in zip(*found, strict=True))
        terminalreporter.write_line(f"explored {histories:,} histories, {states:,} states")


@pytest.fixture(autouse=True)
def botocore_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load AWS's model of DynamoDB once, not for every client: 0.1 s each."""
    monkeypatch.setattr("botocore.session.create_loader", _loader)


_loader = functools.cache(botocore.loaders.create_loader)


@pytest.fixture(autouse=True)
def botocore_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore retry at once: it makes as many attempts, and no test waits for them."""
    backoff = "botocore.retries.standard.ExponentialBackoff.delay_amount"
    monkeypatch.setattr(backoff, lambda _self, _context: 0)


@pytest.fixture(autouse=True)
def not_measured(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no branches in the processes that a test starts: for all tests that takes minutes.

    Those of `tests/item` count, because every branch of `item/` has to be taken.
    """
    if request.path.parent.name != "item":
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test dummy keys and one region, and no way to a host that is not this one."""
    for name in os.environ:
        is_ours = name.startswith(("AWS_", "BEAKER_DYNAMODB_", "REQUESTS_CA_BUNDLE"))
        is_ours = is_ours and not name.endswith("_TEST_CACHE")
        is_ours = is_ours and not (AWS_REGION and name == "AWS_CA_BUNDLE")
        if is_ours or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG"):
        monkeypatch.setenv(name, os.devnull)
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    for name, value in zip(names, CREDENTIALS, strict=True):
        if value is not None:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "*")
    resolve = socket.getaddrinfo

    def stay_here(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name in {None, "", "localhost", "::1", AWS_HOST} or name.startswith("127."):
            return resolve(host, *args, **kwargs)
        raise socket.gaierror(socket.EAI_NONAME, f"no test may leave this machine for {name}")

    # urllib3 asks for numeric addresses here, too.
    monkeypatch.setattr(socket, "getaddrinfo", stay_here)


@pytest.fixture(autouse=True)
def carried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Under `--transport=wire` use the wire wherever it can work and no test chose a transport."""
    transport: str = request.config.getoption("--transport")
    read = clients.read_connection

    def read_wired(options: Options) -> Connection:
        made = read(options)
        able = made.client is None and made.max_attempts > 1 and made.transport == "auto"
        return dataclasses.replace(made, transport="wire") if able else made

    if transport == "wire":
        monkeypatch.setattr(clients, "read_connection", read_wired)
    return transport


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Have the package forget its clients and defaults after every test."""
    yield
    beaker_dynamodb.reset()


@pytest.fixture(scope="session")
def moto_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Serve moto on a free loopback port, for what is single-threaded."""
    if name := request.config.getoption("--server"):
        yield _answering(CONFIGURED[name]).url
        return
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def dynamodb_local(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of a real DynamoDB Local: the one that DYNAMODB_URLS names, or our own."""
    running = [server for server in CONFIGURED.values() if server.flavor is Flavor.LOCAL]
    if name := request.config.getoption("--server"):
        running = [CONFIGURED[name]]
    if running:
        yield _answering(running[0]).url
        return
    with DynamoDBLocal() as started:
        yield started.url
        if not request.session.testsfailed:
            # Each table that a test leaves behind takes a thread (Server.drop).
            assert started.server.tables() == []


@pytest.fixture
def proxy(dynamodb_local: str) -> Iterator[FaultProxy]:
    """Give a way to DynamoDB Local of the test's own, which it may break."""
    with FaultProxy(dynamodb_local) as way:
        yield way


@pytest.fixture(scope="session", params=["moto", *(CONFIGURED or ["local"])])
def server(request: pytest.FixtureRequest) -> Server:
    """Give one DynamoDB after the other: moto, and DynamoDB Local or all that are configured."""
    if chosen := request.config.getoption("--server"):
        if request.param != chosen:
            pytest.skip(f"--server={chosen}")
        return _answering(CONFIGURED[chosen])
    if request.param in CONFIGURED:
        return _answering(CONFIGURED[request.param])
    if request.param == "moto":
        return Server(request.getfixturevalue("moto_url"), Flavor.MOTO)
    return Server(request.getfixturevalue("dynamodb_local"), Flavor.LOCAL)


def _answering(server: Server) -> Server:
    """Insist on an answer: a server that was configured and keeps silent is no reason to skip."""
    if not answers(server.url):
        pytest.fail(f"DYNAMODB_URLS names {server.url}, but nothing answers there")
    return server


@pytest.fixture
def table_name(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give a name that no table has; whatever server the test uses, the table is deleted there."""
    servers = []
    if "server" in request.fixturenames:
        servers.append(request.getfixturevalue("server"))
    for fixture, flavor in (("dynamodb_local", Flavor.LOCAL), ("moto_url", Flavor.MOTO)):
        if fixture in request.fixturenames:
            servers.append(Server(request.getfixturevalue(fixture), flavor))
    name = f"test-{uuid.uuid4().hex}"
    yield name
    for one in servers:
        one.drop(name)


@pytest.fixture
def clock() -> Clock:
    """Give a clock that only the test winds."""
    return Clock()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Record every call that this process makes from here on, by boto3 or over the wire."""
    recorder = Recorder()
    recorder.install(monkeypatch)
    return recorder
