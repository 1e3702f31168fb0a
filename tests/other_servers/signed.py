"""A TLS endpoint before DynamoDB Local that takes true signatures only, as AWS does.

botocore signs each request again, and the two signatures must be equal. So it notices a wrong
secret, region, host or body, and a header that was left out.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.tls import Authority, pem

KEY_ID, SECRET = "AKIDEXAMPLE00000", "a secret that only both sides know"


class _Handler(BaseHTTPRequestHandler):
    """Verifies a request, and forwards it with its signature."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:  # http.server's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if _is_signed(self.headers, body, self.server.region):
            self.server.accepted += 1
            self._forward(body)
            return
        self.server.refused += 1
        code = "com.amazon.coral.service#InvalidSignatureException"
        error = {"__type": code, "message": "the signature does not match"}
        self._answer(400, {"x-amzn-RequestId": "A"}, json.dumps(error).encode())

    def _forward(self, body: bytes) -> None:
        upstream = http.client.HTTPConnection(*self.server.upstream, timeout=60)
        try:
            upstream.request("POST", "/", body, dict(self.headers.items()))
            reply = upstream.getresponse()
            content = reply.read()
        finally:
            upstream.close()
        kept = {"x-amzn-RequestId": reply.headers.get("x-amzn-RequestId", "A")}
        self._answer(reply.status, {**kept, "x-amz-crc32": str(crc32(content))}, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None: ...


class _Server(ThreadingHTTPServer):
    """Counts what it has accepted and refused."""

    daemon_threads = True

    def __init__(self, upstream: tuple[str, int], region: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.region = upstream, region
        self.accepted = self.refused = 0


def _is_signed(headers: Any, body: bytes, region: str) -> bool:
    """Return whether botocore makes the same signature of this request."""
    given = str(headers.get("Authorization", ""))
    fields = dict(
        part.strip().partition("=")[::2] for part in given.partition(" ")[2].split(",") if part
    )
    names = fields.get("SignedHeaders", "").split(";")
    if not {"host", "x-amz-date", "x-amz-target"} <= set(names) or not headers.get("X-Amz-Date"):
        return False
    sent = {name: headers.get(name, "") for name in names}
    url = f"https://{headers['Host']}/"
    request = AWSRequest(method="POST", url=url, headers=sent, data=body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    auth = SigV4Auth(Credentials(KEY_ID, SECRET), "dynamodb", region)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    expected = f"{KEY_ID}/{auth.credential_scope(request)}"
    return (
        fields.get("Signature") == auth.signature(text, request)
        and fields.get("Credential") == expected
    )


@contextlib.contextmanager
def serve(upstream: str, region: str, folder: Path) -> Iterator[tuple[_Server, dict[str, str]]]:
    """Give the endpoint, and the environment of a process that is to take it for AWS's."""
    authority = Authority.create()
    bundle, own = folder / "authority.pem", folder / "server.pem"
    bundle.write_bytes(pem(authority.certificate))
    own.write_bytes(authority.issue("127.0.0.1", (-1, 1)))
    parts = urlsplit(upstream)
    server = _Server((parts.hostname or "", parts.port or 80), region)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield (
            server,
            {
                "DYNAMODB_URLS": f"aws={region}",
                "AWS_ENDPOINT_URL_DYNAMODB": f"https://127.0.0.1:{server.server_port}",
                "AWS_CA_BUNDLE": str(bundle),
                "AWS_ACCESS_KEY_ID": KEY_ID,
                "AWS_SECRET_ACCESS_KEY": SECRET,
            },
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
