"""A server that answers calls about items from memory, in a process of its own, on loopback.

It looks at neither conditions nor signatures, and its responses have the headers that DynamoDB
sends. So a client's CPU time can be measured without the noise of a real DynamoDB beside it.

    python -m benchmarks.canned [MILLISECONDS]

It prints its port, waits so long before each response, and serves until its input is closed.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
_CONSUMED: Final = {"ConsumedCapacity": {"CapacityUnits": 1.0, "TableName": "sessions"}}
#: Seconds before each response.
_DELAY: Final = int(sys.argv[1]) / 1000 if __name__ == "__main__" and sys.argv[1:] else 0.0
_HEAD: Final = (
    "HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Sun, 29 Nov 2026 12:00:00 GMT\r\n"
    "Content-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\nConnection: keep-alive\r\n"
    "x-amzn-RequestId: {}\r\nx-amz-crc32: {}\r\n\r\n"
)


@contextmanager
def serve_canned(delay: int = 0) -> Iterator[str]:
    """Run the server in a process of its own, and yield its URL; *delay* is in milliseconds."""
    words = [sys.executable, "-m", "benchmarks.canned", str(delay)]
    with subprocess.Popen(  # noqa: S603  # a list of words
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def _respond(items: dict[str, bytes], operation: str, request: dict[str, Any]) -> bytes:
    """Return the body of a response; a stored item is its JSON."""
    if operation == "PutItem":
        items[request["Item"]["id"]["S"]] = json.dumps(
            {**_CONSUMED, "Item": request["Item"]}, separators=(",", ":")
        ).encode()
    elif operation == "BatchWriteItem":
        for write in request["RequestItems"]["sessions"]:
            items.pop(write["DeleteRequest"]["Key"]["id"]["S"], None)
    elif request["Key"]["id"]["S"] in items:
        return items[request["Key"]["id"]["S"]]
    return json.dumps(_CONSUMED).encode()


def _serve_connection(connection: socket.socket, items: dict[str, bytes]) -> None:
    with connection, connection.makefile("rb") as stream:
        while stream.readline().strip():
            headers = {}
            while line := stream.readline().strip():
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            request = json.loads(stream.read(int(headers["content-length"])))
            if _DELAY:
                time.sleep(_DELAY)
            body = _respond(items, headers["x-amz-target"].rpartition(".")[2], request)
            head = _HEAD.format(len(body), "A" * 52, zlib.crc32(body))
            connection.sendall(head.encode() + body)


def main() -> None:
    """Serve each connection in a thread, until the standard input is closed."""
    items: dict[str, bytes] = {}
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(
                target=_serve_connection, args=(connection, items), daemon=True
            ).start()

    threading.Thread(target=accept, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
