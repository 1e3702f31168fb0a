"""Starts each server that answers as DynamoDB does, on loopback, and ends it by its process id."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.downloads import install_node_packages, install_python_packages
from tests.servers import DynamoDBLocal, Flavor, answers, free_port

HERE = Path(__file__).parent
#: Moto loads much, ministack more.
START_SECONDS = 120.0


@contextlib.contextmanager
def start(flavor: Flavor, folder: Path) -> Iterator[str]:
    """Start a server, and give its URL; its log is in the folder."""
    if flavor is Flavor.LOCAL:
        with DynamoDBLocal() as local:
            yield local.url
        return
    port = free_port()
    command, environ = _make_command(flavor, port)
    url, log = f"http://127.0.0.1:{port}", folder / f"{flavor.value}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environ}, stdout=file, stderr=file
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{flavor.value} did not start: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        process.kill()
        process.wait()


def _make_command(flavor: Flavor, port: int) -> tuple[list[str], Mapping[str, str]]:
    """Return how a server is started, and what it reads from the environment."""
    if flavor is Flavor.MOTO:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], {}
    if flavor is Flavor.DYNALITE:
        packages = install_node_packages(HERE / "node", "dynalite-4.0.0")
        words = ["--host", "127.0.0.1", "--port", str(port)]
        for verb in ("create", "delete", "update"):
            words += [f"--{verb}TableMs", "0"]
        return ["node", str(packages / "dynalite" / "cli.js"), *words], {}
    if flavor is Flavor.MINISTACK:
        environ = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "SERVICES": "dynamodb"}
        venv = install_python_packages(HERE / "requirements.txt", "ministack-1.5.33")
        return [str(venv / "bin" / "ministack")], environ
    raise ValueError(f"{flavor.value} cannot be started here")
