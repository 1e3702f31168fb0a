"""What an origin is, and the values that it yields.

Ids and texts stand in no repr: what is told of a session is a digest of its id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from beaker_dynamodb.errors import OptionError, shown
from beaker_dynamodb.item.safe_load import safe_load

#: Why an entry is no session that can be moved.
NO_SESSION: Final = "no session"
UNREADABLE: Final = "unreadable"
OURS: Final = "rows of beaker_dynamodb"
_SESSION: Final = "session"
#: Epoch seconds, asked at every entry: a long run goes on while sessions end.
Clock: TypeAlias = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of the old backend: a session's text as Beaker stored it, or why there is none.

    `expires` is when the backend itself would drop it, `written` when it was last written, both
    in epoch seconds, None where the backend does not say; both are finite. `wrong`, if any, is
    the reason that it cannot be moved, one of those above, and `detail` says more about it.
    """

    id: str = field(repr=False)
    text: str = field(default="", repr=False)
    expires: float | None = None
    written: float | None = None
    wrong: str = ""
    detail: str = ""


class Origin(Protocol):
    """An old backend, as a stream of its sessions."""

    def sessions(self, clock: Clock) -> Iterator[Found]:
        """Yield every session once, or a few times where the backend cannot help it.

        Raises: Unavailable, where the backend cannot be read.
        """

    def count(self) -> int | None:
        """Say how many entries there are, for a progress bar; None where that would cost."""


def checked(kind: str, given: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """Return the options that were given; Beaker takes its two folders with every backend.

    Raises: OptionError, where one is unknown.
    """
    for name in given:
        if name not in {*known, "data_dir", "lock_dir"}:
            raise OptionError(
                f"{kind} has no option {shown(name)}; it has {', '.join(sorted(known))}"
            )
    return dict(given)


def unreadable(session: str, detail: str) -> Found:
    """Say that an entry cannot be read; *detail* finishes the sentence, and holds no data."""
    return Found(session, wrong=UNREADABLE, detail=detail)


def of_pickle(session: str, pickled: object, written: float | None) -> Found:
    """Read the pickled dict in which Beaker's files and databases keep a session's text."""
    entry = safe_load(pickled)
    if not isinstance(entry, dict):
        return unreadable(session, "it is not a pickled dict")
    if not entry:  # the session was deleted by its key
        return Found(session, wrong=NO_SESSION)
    return of_value(session, entry.get(_SESSION), written=written)


def of_value(
    session: str, value: object, *, expires: float | None = None, written: float | None = None
) -> Found:
    """Take what stood under the key `session`; a cache's entry is none."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if not isinstance(value, str) or not value:
        return Found(session, wrong=NO_SESSION)
    return Found(session, value, expires, written)
