"""Serve the demo and the examples, each in a process of its own on loopback.

Each is started as an operator would start it, and is stopped by its own process id.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers import KEY, REGION, free_port

ROOT = Path(__file__).parents[2]
#: One attempt, so that an outage causes an error page at once.
ONE_ATTEMPT = {"max_attempts": "1", "connect_timeout": "1s", "read_timeout": "10s"}


def make_options(url: str, table: str) -> dict[str, str]:
    """Return the package's options for a DynamoDB endpoint and a table."""
    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": KEY, "region": REGION}
    return {"endpoint_url": url, "table": table, **keys, **ONE_ATTEMPT}


@contextlib.contextmanager
def serve_demo(folder: Path, options: Mapping[str, str], outage_seconds: int = 20) -> Iterator[str]:
    """Serve the demo by README's command; yield its address."""
    given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    port = free_port()
    given += ["--outage", str(outage_seconds)]
    command = [sys.executable, "-m", "examples.demo", "--port", str(port), *given]
    with run_server(
        command, folder / "demo.log", f"http://127.0.0.1:{port}", "/page.css"
    ) as address:
        yield address


@contextlib.contextmanager
def serve_example(
    folder: Path, server: str, example: str, settings: Mapping[str, str], tls: Path | None = None
) -> Iterator[str]:
    """Serve an example under `gunicorn` or `waitress`; yield its address.

    Args: *tls* is a folder for a certificate; None for plain HTTP.
    """
    port = free_port()
    what = "tests.browser.application:application"
    log = folder / f"{server}-{port}.log"
    if server == "gunicorn":
        words = ["gunicorn", what, "--bind", f"127.0.0.1:{port}", "--workers", "2"]
        words += ["--no-control-socket"] if _has_control_socket() else []
        words += create_certificate(tls) if tls else []
    else:
        words = ["waitress", f"--listen=127.0.0.1:{port}", what]
    orders = json.dumps({"example": example, "settings": dict(settings)})
    address = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    command = [sys.executable, "-m", *words]
    with run_server(command, log, address, "/nowhere", {"BROWSER": orders}) as served_at:
        yield served_at


def _has_control_socket() -> bool:
    from gunicorn.config import KNOWN_SETTINGS

    return any(setting.name == "control_socket_disable" for setting in KNOWN_SETTINGS)


@contextlib.contextmanager
def run_server(
    command: Sequence[str],
    log: Path,
    address: str,
    path: str,
    environ: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Run a server until the end of the block; yield *address* once *path* answers there."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(environ or {})}, stdout=out, stderr=out
        )
    try:
        deadline = time.monotonic() + 60
        while not _answers(address + path):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{command[2]} did not start: {log.read_text()[-3000:]}")
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=10, context=unverified):  # noqa: S310  # loopback only
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False


def create_certificate(folder: Path) -> list[str]:
    """Create a certificate for this machine; return gunicorn's arguments for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(private)
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    return ["--certfile", str(folder / "cert.pem"), "--keyfile", str(folder / "key.pem")]
