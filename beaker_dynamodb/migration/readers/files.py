"""Read sessions from Beaker's `file` and `dbm`: one file each, in two levels of folders.

Folders are walked as streams. Beaker replaces a session's file atomically, so reading it takes no
lock; a dbm is read under Beaker's own lock. The name of the file is the session's id.
"""

from __future__ import annotations

import dbm
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from beaker_dynamodb.errors import OptionError, Unavailable, mask_repr, raise_clean
from beaker_dynamodb.item.safe_load import safe_load
from beaker_dynamodb.migration.readers.reader import (
    NO_SESSION,
    Clock,
    SessionReader,
    SourceSession,
    check_options,
    clamp_time,
    read_pickle,
    read_value,
    reject,
)
from beaker_dynamodb.migration.source import has_plain_files, hold_lock, read_file
from beaker_dynamodb.migration.source_options import get_data_path

_LEVELS: Final = 2  # beaker/util.py:219, encoded_path(depth=3)
#: What the kinds of dbm append to Beaker's name; of several files of one session, the first.
_DBM_SUFFIXES: Final = (".dbm", ".dbm.db", ".dbm.dat", ".dbm.pag")


@dataclass(frozen=True, slots=True)
class FileReader:
    """A folder of sessions, which `option` named; `read` takes a session's id and its file."""

    option: str
    folder: Path
    suffixes: tuple[str, ...]
    read: Callable[[str, Path], SourceSession]

    def sessions(self, _clock: Clock) -> Iterator[SourceSession]:
        """Yield the session of each file."""
        for path in self._paths():
            session = path.name.partition(".")[0]
            try:
                yield self.read(session, path)
            except FileNotFoundError:
                continue  # the session was deleted since the folder was listed
            except Exception as error:  # noqa: BLE001  # each kind of dbm raises errors of its own
                reason = error.strerror if isinstance(error, OSError) else None
                yield reject(session, f"its file: {reason or type(error).__name__}")

    def count(self) -> int | None:
        """Count the files by their names, without opening any."""
        return sum(1 for _ in self._paths())

    def _paths(self) -> Iterator[Path]:
        try:
            yield from self._walk(self.folder, _LEVELS)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            folder = mask_repr(str(self.folder))
            raise_clean(
                Unavailable(
                    f"the folder {folder} cannot be read: {reason}; is {self.option} correct?"
                )
            )

    def _walk(self, folder: Path, levels: int) -> Iterator[Path]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if levels and entry.is_dir():
                    yield from self._walk(Path(entry.path), levels - 1)
                elif not levels and f".{entry.name.partition('.')[2]}" in self.suffixes:
                    yield Path(entry.path)


def create_reader(
    kind: str, source_options: Mapping[str, str], _timeout: float | None
) -> SessionReader:
    """Create the reader of `data_dir`, or of `file_dir` or `dbm_dir`: Beaker's own options."""
    own = "file_dir" if kind == "file" else "dbm_dir"
    options = check_options(kind, source_options, {"data_dir", "lock_dir", own})
    data, folder = options.get("data_dir"), get_data_path(kind, options)
    if folder is None:
        raise OptionError(f"{kind} needs data_dir, or {own}")
    option = own if options.get(own) else "data_dir"
    if kind == "file":
        return FileReader(option, Path(folder).absolute(), (".cache",), _read_file)
    locks = options.get("lock_dir") or (f"{data}/container_dbm_lock" if data else None)
    return FileReader(
        option,
        Path(folder).absolute(),
        _DBM_SUFFIXES,
        lambda session, path: _read_dbm(session, path, locks),
    )


def _read_file(session: str, path: Path) -> SourceSession:
    content, written = read_file(path)
    return read_pickle(session, content, written=clamp_time(written))


def _read_dbm(session: str, path: Path, locks: str | None) -> SourceSession:
    name = f"{path.parent / session}.dbm"
    if not has_plain_files(Path(name)):
        return reject(session, "it is not a regular file")
    written = clamp_time(path.stat().st_mtime)
    with _lock(session, locks), dbm.open(name, "r") as entries:
        pickled = entries.get(b"session")
    if pickled is None:
        return SourceSession(session, error=NO_SESSION)
    return read_value(session, safe_load(pickled), written=written)


def _lock(session: str, folder: str | None) -> AbstractContextManager[None]:
    """Hold Beaker's own lock of a session, so that nobody writes its dbm while it is read.

    Without a folder there is none to hold.
    """
    if folder is None:
        return nullcontext()
    from beaker.synchronization import file_synchronizer

    return hold_lock(file_synchronizer(identifier=session, lock_dir=folder), "read")
