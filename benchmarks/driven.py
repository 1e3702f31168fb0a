"""Start the contenders, each in a process of its own, and the servers.

If a contender cannot take part, the reason is printed and the run continues without it. Only
processes that were started here are stopped, by their own id.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3

from benchmarks import fetched
from tests.servers import free_port

ROOT: Final = Path(__file__).resolve().parents[1]
Answer = dict[str, Any]


class UnavailableError(Exception):
    """A contender cannot take part; the text says why."""


class Contender:
    """A contender in a process of its own, and the pipe to it."""

    def __init__(self, name: str, order: dict[str, Any], endpoint: str) -> None:
        self.name = name
        self.table = f"benchmark-{secrets.token_hex(6)}"
        node = order["store"] == "node"
        peers = fetched.install_node() if node else fetched.install_python()
        if peers is None:
            raise UnavailableError("its packages are not installed")
        arguments = {**order, "endpoint": endpoint, "table": self.table, "peers": str(peers)}
        script = str(ROOT / "benchmarks" / "contender.js")
        words = ["node", script] if node else [sys.executable, "-m", "benchmarks.contender"]
        self._process = subprocess.Popen(  # noqa: S603  # a list of words
            [*words, json.dumps(arguments)],
            cwd=ROOT,
            env={**os.environ, **make_environment()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, do: str, **more: object) -> Answer:
        """Send one command, and return the response.

        Raises: LeftOutError.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        found: Answer = json.loads(line) if line else {"error": "its process ended"}
        if "error" in found:
            raise UnavailableError(found["error"])
        return found

    def end(self) -> None:
        """Close the pipe, and wait until the process has ended."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=30)
        if self._process.stdout is not None:
            self._process.stdout.close()


def make_environment() -> dict[str, str]:
    """Return environment variables with keys and a region for DynamoDB Local, none of them real."""
    return {
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def count_item_bytes(endpoint: str, table: str) -> int:
    """Count the bytes of the one item of a table: its attributes' names and values."""
    client = boto3.client("dynamodb", endpoint_url=endpoint)
    items = client.scan(TableName=table, ConsistentRead=True)["Items"]
    assert len(items) == 1, f"{len(items)} items, although one session was stored"
    return sum(len(name) + _count_value_bytes(value) for name, value in items[0].items())


def _count_value_bytes(value: Any) -> int:
    """Count a value's bytes; a number takes a byte for two digits, and one more (AWS's rule)."""
    ((kind, content),) = value.items()
    if kind == "N":
        digits = content.replace(".", "").replace("-", "").strip("0")
        return (len(digits) + 1) // 2 + 1
    return len(content if kind == "B" else content.encode())


@contextmanager
def server(program: str, *words: str, port: int) -> Iterator[int | None]:
    """Run a server on a loopback port; print a line and yield None if it is not installed."""
    path = shutil.which(program)
    if path is None:
        print(f"left out: {program} is not installed")
        yield None
        return
    process = subprocess.Popen(  # noqa: S603  # a list of words
        [path, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def memcached() -> Iterator[int | None]:
    """Run a memcached."""
    port = free_port()
    words = ["-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", "nobody"]
    with server("memcached", *words, port=port) as found:
        yield found


@contextmanager
def redis_server(
    certificate: Path | None = None, authority: Path | None = None
) -> Iterator[int | None]:
    """Run a redis-server that keeps nothing on disk.

    Args: a file with *certificate* and key, if it has to speak TLS, and one of their *authority*.
    """
    port = free_port()
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]
    if certificate is not None:
        files = {"cert": certificate, "key": certificate, "ca-cert": authority}
        words[:2] = ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
        words += [word for name in files for word in (f"--tls-{name}-file", str(files[name]))]
    with server("redis-server", *words, port=port) as found:
        yield found


def wait_for(port: int) -> None:
    """Wait until a server listens on the port.

    Raises: SystemExit, after 10 seconds.
    """
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"no server listens on port {port}")
