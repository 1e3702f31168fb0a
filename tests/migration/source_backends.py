"""The backends that sessions come from, each real: files, dbm, a database, and a redis-server."""

from __future__ import annotations

import contextlib
import dbm
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import redis

from tests.servers import free_port, missing

KINDS = ("file", "dbm", "ext:redis", "ext:database")


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """Start a redis-server that keeps nothing on disk, and end it by its own id."""
    if shutil.which("redis-server") is None:
        missing("redis-server is not installed")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen([*command, "--appendonly", "no"], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    try:
        deadline = time.monotonic() + 20
        while not _answers(client):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        client.close()
        process.terminate()
        process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def create_backend(kind: str, folder: Path, redis_url: str) -> Mapping[str, str]:
    """Return the options of a backend of that kind, with nothing in it."""
    if kind == "ext:redis":
        client = redis.Redis.from_url(redis_url)
        client.flushall()
        client.close()
        return {"url": redis_url}
    if kind == "ext:database":
        return {"url": f"sqlite:///{folder / 'sessions.db'}", "lock_dir": str(folder)}
    return {"data_dir": str(folder)}


def plant(kind: str, options: Mapping[str, str], ident: str, pickled: bytes) -> Path:
    """Replace a session in Beaker's file by a pickle; return the file."""
    end = "cache" if kind == "file" else kind
    folder = Path(options.get("data_dir", ""), f"container_{kind}", ident[0], ident[:2])
    path = folder / f"{ident}.{end}"
    if kind == "ext:redis":
        client = redis.Redis.from_url(options["url"])
        client.set(f"beaker_cache:{ident}:session", pickled)
        client.close()
    elif kind == "ext:database":
        with contextlib.closing(sqlite3.connect(options["url"].partition(":///")[2])) as database:
            written = "UPDATE beaker_cache SET data = ? WHERE namespace = ?"
            assert database.execute(written, (pickled, ident)).rowcount == 1
            database.commit()
    else:
        folder.mkdir(parents=True, exist_ok=True)
        if kind == "file":
            path.write_bytes(pickled)
        else:
            with dbm.open(str(path), "c") as entries:
                entries["session"] = pickled
    return path
