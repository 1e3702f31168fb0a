"""A move of many sessions takes as much memory as one of few."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from threading import Barrier
from typing import Any

import boto3
import pytest

from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.migration.bulk import Imported, _Importer, import_sessions
from beaker_dynamodb.migration.readers.reader import Clock, SourceSession
from tests.servers import REGION
from tests.sessions.overlap import Site

WORKERS = 4

#: Written and moved by a Python of their own, so that its memory is that of the move alone.
MOVE = """
import pathlib, pickle, resource, sys, time
from beaker_dynamodb.migration.readers import create_reader
from beaker_dynamodb.migration.bulk import Imported, import_sessions
from beaker_dynamodb.config.sources import parse
import base64
folder, url, table, number = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
for n in range(number):
    name = f"{n * 2654435761 % 2**32:08x}" * 4
    where = pathlib.Path(folder, "container_file", name[0], name[:2])
    where.mkdir(parents=True, exist_ok=True)
    values = {"_accessed_time": time.time(), "_creation_time": 0.0, "user": n, "more": "x" * 500}
    text = base64.b64encode(pickle.dumps(values, 2)).decode()
    (where / f"{name}.cache").write_bytes(pickle.dumps({"session": text}))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
options = parse({"endpoint_url": url, "region": "us-east-1", "table": table}, "session")
done = import_sessions(create_reader("file", {"data_dir": folder}), options, timeout=86400)
moved = sum(isinstance(one, Imported) for one in done)
print(moved, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


class Endless:
    """A reader without an end, which counts the sessions that were read."""

    drawn = 0

    def sessions(self, _: Clock) -> Iterator[SourceSession]:
        """Yield sessions for ever."""
        while True:
            self.drawn += 1
            assert self.drawn < 10_000
            yield SourceSession(f"id{self.drawn}", "opaque")

    def count(self) -> int | None:
        """Return None: it is endless."""
        return None


class Few(Endless):
    """A reader with one session a writer."""

    def sessions(self, clock: Clock) -> Iterator[SourceSession]:
        """Yield the first ones."""
        yield from islice(super().sessions(clock), WORKERS)


def test_no_more_is_read_ahead_than_the_writers_need(new: Site) -> None:
    """Of an endless backend a run takes four sessions a writer, and no more."""
    endless = Endless()
    options = parse({"client": new.options["client"], "table": new.table}, "session")
    run = import_sessions(endless, options, workers=WORKERS)

    for count, one in enumerate(run, 1):
        assert isinstance(one, Imported)
        assert endless.drawn <= count + 4 * WORKERS
        if count == 100:
            break
    run.close()  # type: ignore[attr-defined]  # a generator's

    assert len(new.rows()) >= 100


def test_all_writers_share_one_client(new: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One a thread would take a second and 80 MB before the first session is moved."""
    options = parse({"endpoint_url": new.url, "region": REGION, "table": new.table}, "session")
    made, begun = [], Barrier(WORKERS)
    original, write = boto3.session.Session.client, _Importer.import_one

    def count_call(session: Any, *args: Any, **kwargs: Any) -> Any:
        made.append(args)
        return original(session, *args, **kwargs)

    def at_once(mover: _Importer, found: SourceSession) -> Any:
        begun.wait(10)
        return write(mover, found)

    monkeypatch.setattr(boto3.session.Session, "client", count_call)
    monkeypatch.setattr(_Importer, "import_one", at_once)
    run = import_sessions(Few(), options, workers=WORKERS)

    assert [type(one) for one in run] == [Imported] * WORKERS
    assert len(made) == 1


@pytest.mark.long
def test_a_hundred_thousand_files_take_no_more_memory_than_ten_thousand(
    new: Site, tmp_path: Path
) -> None:
    """Ten times the sessions, the same memory, give or take 16 MB."""
    grown = {}
    for number in (10_000, 100_000):
        given = (str(tmp_path / str(number)), new.url, new.table, str(number))
        command = [sys.executable, "-c", MOVE, *given]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1800)
        moved, kilobytes = map(int, done.stdout.split())
        assert moved in {number, number - 10_000}  # the first ten thousand are there already
        grown[number] = kilobytes

    assert grown[100_000] < grown[10_000] + 16 * 1024
