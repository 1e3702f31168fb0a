"""Sessions out of Beaker's `file` and `dbm`: one file each, in two levels of folders.

Folders are walked as streams. A session's file is replaced at once when Beaker writes it, so no
lock is needed; a dbm is read under Beaker's own lock. The name of the file is the session's id.
"""

from __future__ import annotations

import dbm
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from beaker_dynamodb.errors import OptionError, Unavailable, shown
from beaker_dynamodb.item.safe_load import safe_load
from beaker_dynamodb.migration.readers.origin import (
    NO_SESSION,
    Clock,
    Found,
    Origin,
    checked,
    of_pickle,
    of_value,
    unreadable,
)
from beaker_dynamodb.migration.readers.timestamps import bound
from beaker_dynamodb.migration.source import has_plain_files, read_file

_LEVELS: Final = 2  # beaker/util.py:219, encoded_path(depth=3)
#: What the kinds of dbm put behind Beaker's name; of several files of one session, the first.
_DBM_ENDS: Final = (".dbm", ".dbm.db", ".dbm.dat", ".dbm.pag")


@dataclass(frozen=True, slots=True)
class Files:
    """A folder of sessions; `read` opens the one of an id and file."""

    folder: Path
    ends: tuple[str, ...]
    read: Callable[[str, Path], Found]

    def sessions(self, _clock: Clock) -> Iterator[Found]:
        """Yield the session of each file."""
        for path in self._paths():
            session = self._id(path.name)
            found = self._found(session, path)
            if found is not None:
                yield found

    def _found(self, session: str, path: Path) -> Found | None:
        try:
            return self.read(session, path)
        except FileNotFoundError:
            return None  # it ended just now
        except Exception as error:  # noqa: BLE001  # each kind of dbm fails in its own ways
            told = error.strerror if isinstance(error, OSError) else None
            return unreadable(session, f"its file: {told or type(error).__name__}")

    def count(self) -> int | None:
        """Count the files; their names alone are looked at."""
        return sum(1 for _ in self._paths())

    def _id(self, name: str) -> str:
        return name.partition(".")[0]

    def _paths(self) -> Iterator[Path]:
        try:
            yield from self._below(self.folder, _LEVELS)
        except OSError as error:
            wrong = error.strerror or type(error).__name__
        else:
            return
        raise Unavailable(f"the folder {shown(str(self.folder))} cannot be read: {wrong}")

    def _below(self, folder: Path, levels: int) -> Iterator[Path]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if levels and entry.is_dir():
                    yield from self._below(Path(entry.path), levels - 1)
                elif not levels and f".{entry.name.partition('.')[2]}" in self.ends:
                    yield Path(entry.path)


def origin(kind: str, given: Mapping[str, str], _timeout: float | None) -> Origin:
    """Make the origin of `data_dir`, or of `file_dir` or `dbm_dir`, as Beaker's options say."""
    own = "file_dir" if kind == "file" else "dbm_dir"
    options = checked(kind, given, {"data_dir", "lock_dir", own})
    data = options.get("data_dir")
    if data is None and own not in options:
        raise OptionError(f"{kind} needs data_dir, or {own}")
    folder = Path(options.get(own) or f"{data}/container_{kind}")
    if kind == "file":
        return Files(folder, (".cache",), _file)
    locks = options.get("lock_dir") or (f"{data}/container_dbm_lock" if data else None)
    return Files(folder, _DBM_ENDS, lambda session, path: _dbm(session, path, locks))


def _file(session: str, path: Path) -> Found:
    content, written = read_file(path)
    return of_pickle(session, content, written=bound(written))


def _dbm(session: str, path: Path, locks: str | None) -> Found:
    name = f"{path.parent / session}.dbm"
    if not has_plain_files(Path(name)):
        return unreadable(session, "it is not a regular file")
    written = bound(path.stat().st_mtime)
    with _locked(session, locks), dbm.open(name, "r") as entries:
        pickled = entries.get(b"session")
    if pickled is None:
        return Found(session, wrong=NO_SESSION)
    return of_value(session, safe_load(pickled), written=written)


def _locked(session: str, folder: str | None) -> AbstractContextManager[None]:
    """Hold Beaker's own lock of a session, so that a writer and we do not meet in its dbm."""
    return nullcontext() if folder is None else _held(session, folder)


@contextmanager
def _held(session: str, folder: str) -> Iterator[None]:
    from beaker.synchronization import file_synchronizer

    lock = file_synchronizer(identifier=session, lock_dir=folder)
    lock.acquire_read_lock()
    try:
        yield
    finally:
        lock.release_read_lock()
