"""Web servers under which the application counts: how each is started, in how many processes.

uWSGI and the bridge from ASGI are installed into a venv of their own, and so is mod_wsgi, where
Apache is installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.downloads import install_python_packages
from tests.servers import answers, free_port

_HERE = Path(__file__).parent
ROOT = _HERE.parents[1]
APPLICATION = "tests.prefork.app:application"
WORKERS, THREADS = 4, 8


@dataclass(frozen=True)
class WebServer:
    """Returns the command for a port and a folder; serves with so many processes."""

    make_command: Callable[[int, Path], list[str]]
    processes: int = WORKERS


def _gunicorn(*words: str) -> Callable[[int, Path], list[str]]:
    def make_command(port: int, _: Path) -> list[str]:
        command = [sys.executable, "-m", "gunicorn", APPLICATION, "--bind", f"127.0.0.1:{port}"]
        return [*command, "--workers", str(WORKERS), "--timeout", "60", *words]

    return make_command


def _uwsgi(port: int, _: Path) -> list[str]:
    venv = _install()
    options = {
        "http-socket": f"127.0.0.1:{port}",
        "virtualenv": str(venv),
        "pythonpath": str(ROOT),
        "module": APPLICATION,
        "processes": str(WORKERS),
        "threads": str(THREADS),
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    flags = ["--master", "--need-app", "--die-on-term", "--disable-logging"]
    return [str(venv / "bin" / "uwsgi"), *words, *flags]


def _uvicorn(port: int, _: Path) -> list[str]:
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS)]
    application = "tests.prefork.asgi:application"
    return [str(_install() / "bin" / "python"), "-m", "uvicorn", application, *where]


def _mod_wsgi(port: int, folder: Path) -> list[str]:
    if shutil.which("apxs") is None:
        pytest.skip("Apache's apxs is not installed: it builds mod_wsgi")
    venv = install_python_packages(_HERE / "requirements_apache.txt", "web-servers-apache")
    options = {
        "host": "127.0.0.1",
        "port": str(port),
        "processes": str(WORKERS),
        "threads": str(THREADS),
        "python-path": str(ROOT),
        "server-root": str(folder / "apache"),
        "application-type": "module",
    }
    if os.getuid() == 0:  # Apache's children do not run as root, to whom pytest's folders belong
        options |= {"user": "www-data", "group": "www-data"}
        for each in (folder, folder.parent, folder.parents[1]):
            each.chmod(0o755)
    words = [f"--{name}={value}" for name, value in options.items()]
    command = [str(venv / "bin" / "mod_wsgi-express"), "start-server", *words, "--log-to-terminal"]
    return [*command, APPLICATION.removesuffix(":application")]


def _waitress(port: int, _: Path) -> list[str]:
    where = [f"--listen=127.0.0.1:{port}", f"--threads={THREADS}"]
    return [sys.executable, "-m", "waitress", *where, APPLICATION]


def _wsgiref(port: int, _: Path) -> list[str]:
    return [sys.executable, "-m", "tests.prefork.validated", str(port)]


def _install() -> Path:
    return install_python_packages(_HERE / "requirements.txt", "web-servers")


#: Those that the suite's own venv has, and those of the long run.
QUICK = {
    "waitress": WebServer(_waitress, 1),
    "wsgiref, validated on both sides": WebServer(_wsgiref, 1),
}
ALL = {
    **QUICK,
    "gunicorn sync": WebServer(_gunicorn("--preload", "--worker-class", "sync")),
    "gunicorn gthread": WebServer(_gunicorn("--preload", "-k", "gthread", "--threads", "8")),
    "gunicorn gevent": WebServer(_gunicorn("-k", "gevent")),
    "uWSGI": WebServer(_uwsgi),
    "uvicorn and a2wsgi": WebServer(_uvicorn),
    "mod_wsgi": WebServer(_mod_wsgi),
}


@contextlib.contextmanager
def serve(server: WebServer, folder: Path, orders: dict[str, Any]) -> Iterator[int]:
    """Serve the application on a free port of loopback; only that process is ended."""
    port, log = free_port(), folder / "server.log"
    environ = {**os.environ, "PREFORK": json.dumps(orders), "PYTHONPATH": str(ROOT)}
    with log.open("wb") as out:
        command = server.make_command(port, folder)
        master = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 60
        while not answers(f"http://127.0.0.1:{port}", timeout=10):
            if master.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{command[:3]} did not start: {log.read_text()[-3000:]}")
            time.sleep(0.05)
        yield port
    finally:
        master.terminate()
        try:
            master.wait(timeout=30)
        except subprocess.TimeoutExpired:
            master.kill()
            master.wait()
