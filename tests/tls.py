"""A TLS front before a server: nginx from Debian, with certificates of an authority made here.

Three doors: one whose certificate is good, one whose names another host, one whose has expired.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers import free_port, missing

DAY = dt.timedelta(days=1)
GOOD, WRONG_HOST, EXPIRED = "good", "wrong-host", "expired"

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_max_body_size 2m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {servers}
}}
"""
SERVER = """
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/{name}.pem;
    ssl_certificate_key {folder}/{name}.pem;
    location / {{
      proxy_pass {upstream};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
    }}
  }}
"""


@dataclass(frozen=True)
class Authority:
    """Whoever signs certificates, and its own."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls) -> Authority:
        """Make one that is known nowhere."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _make_name("a test's authority")
        return cls(key, _sign(key, name, key, name, (-1, 1), authority=True))

    def issue(self, address: str, days: tuple[int, int]) -> bytes:
        """Write key and certificate for an address, valid between two days from now, as PEM."""
        key, subject = ec.generate_private_key(ec.SECP256R1()), _make_name("a test's server")
        issuer = self.certificate.subject
        signed = _sign(key, subject, self.key, issuer, days, address=address)
        return pem(signed) + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def pem(certificate: x509.Certificate) -> bytes:
    """Write a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _make_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _sign(
    key: ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    days: tuple[int, int],
    *,
    authority: bool = False,
    address: str = "127.0.0.1",
) -> x509.Certificate:
    now = dt.datetime.now(dt.timezone.utc)
    usage = dict.fromkeys(
        "content_commitment key_encipherment data_encipherment key_agreement encipher_only"
        " decipher_only".split(),
        False,
    )
    builder = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + days[0] * DAY)
        .not_valid_after(now + days[1] * DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority,
                key_cert_sign=authority,
                crl_sign=authority,
                **usage,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if not authority:
        names = [x509.IPAddress(ipaddress.ip_address(address))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


@final
class TlsFront:
    """An nginx as a child process, used as a context manager."""

    def __init__(self, upstream: str, folder: Path) -> None:
        """Prepare one before the server at the URL `upstream`; its files are in `folder`."""
        # Debian keeps it where an ordinary user's PATH does not lead.
        self._program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""
        if not self._program:
            missing("nginx is not installed: it speaks TLS before DynamoDB Local")
        authority = Authority.create()
        self.bundle = folder / "authority.pem"
        self.bundle.write_bytes(pem(authority.certificate))
        self._ports = {name: free_port() for name in (GOOD, WRONG_HOST, EXPIRED)}
        (folder / "good.pem").write_bytes(authority.issue("127.0.0.1", (-1, 1)))
        (folder / "wrong-host.pem").write_bytes(authority.issue("127.0.0.2", (-1, 1)))
        (folder / "expired.pem").write_bytes(authority.issue("127.0.0.1", (-9, -2)))
        where = f"http://127.0.0.1:{urlsplit(upstream).port}"
        servers = "".join(
            SERVER.format(port=port, folder=folder, name=name, upstream=where)
            for name, port in self._ports.items()
        )
        self._folder = folder
        (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, servers=servers))

    def url(self, name: str = GOOD) -> str:
        """Tell where one of the three doors is."""
        return f"https://127.0.0.1:{self._ports[name]}"

    def __enter__(self) -> TlsFront:
        log = self._folder / "error.log"
        conf = self._folder / "nginx.conf"
        command = [self._program, "-p", str(self._folder), "-c", str(conf), "-e", str(log)]
        with (self._folder / "output.log").open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            if all(_listens(port) for port in self._ports.values()):
                return self
            time.sleep(0.02)
        self.__exit__()
        raise RuntimeError(f"nginx did not start: {log.read_text()[-2000:]}")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
