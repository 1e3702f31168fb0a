"""Beaker's verbs and nothing else: arguments in, text or KeyError out.

A manager serves a session if Beaker passed it `digest_filenames`, which only its session.py
does, and always; otherwise a cache. Everything else is handed on.
"""

from __future__ import annotations

import importlib.util
from typing import ClassVar

from beaker.container import NamespaceManager
from beaker.exceptions import InvalidCacheBackendError
from beaker.synchronization import null_synchronizer

from beaker_dynamodb import casts, sources
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.item.envelope import Envelope
from beaker_dynamodb.item.keys import as_text
from beaker_dynamodb.options import Options
from beaker_dynamodb.rows import Rows, rows
from beaker_dynamodb.saving import Surroundings
from beaker_dynamodb.sessions import Keeper

_SESSION = "session"
_built: dict[tuple[Options, sources.Kind], Rows] = {}


class DynamoDBNamespaceManager(NamespaceManager):  # type: ignore[misc]  # Beaker ships no types
    """What `type = ext:dynamodb` stands for. Takes the options of the table in README.

    Raises: OptionError, if one of them is unknown, malformed or contradicts another.
    """

    #: Time and luck; tests hand in their own.
    surroundings: ClassVar[Surroundings] = Surroundings()

    @classmethod
    def _init_dependencies(cls) -> None:
        # Never at import: Beaker swallows it there without a word (beaker/cache.py:101).
        if importlib.util.find_spec("boto3") is None:
            raise InvalidCacheBackendError("type ext:dynamodb needs boto3: pip install boto3")

    def __init__(self, namespace: object, timeout: object = None, **given: object) -> None:
        super().__init__(namespace)
        self.timeout = timeout
        kind: sources.Kind = "session" if "digest_filenames" in given else "cache"
        if kind == "cache":
            raise OptionError("this release keeps sessions only; caches come with the next one")
        found = _rows(sources.parse(given, kind), kind)
        self._keeper = Keeper(found, namespace, _seconds(timeout), self.surroundings)

    @property
    def envelope(self) -> Envelope | None:
        """How the session's text opens, where it is not one of Beaker's plain kinds."""
        return self._keeper.envelope

    @envelope.setter
    def envelope(self, envelope: Envelope | None) -> None:
        self._keeper.envelope = envelope

    def __getitem__(self, key: object) -> str:
        text = self._keeper.load() if _is_session(key) else None
        return _present(text)

    def __contains__(self, key: object) -> bool:
        return _is_session(key) and self._keeper.load() is not None

    def __setitem__(self, key: object, value: object) -> None:
        if not _is_session(key) or not isinstance(value, str):
            raise OptionError("a session's manager keeps one text, under the key 'session'")
        self._keeper.save(value)

    def __delitem__(self, key: object) -> None:
        if _is_session(key):
            self._keeper.remove()

    def remove_if_unchanged(self) -> None:
        """Delete the row of a session that timed out, unless somebody has written it since."""
        self._keeper.remove_if_unchanged()

    def take_over(self, former: DynamoDBNamespaceManager) -> bool:
        """Delete the row of this session's former id; False if it was logged out meanwhile."""
        return self._keeper.take_over(former._keeper)

    def keys(self) -> list[str]:
        """List the keys that stand there."""
        return [_SESSION] if _SESSION in self else []

    def do_remove(self) -> None:
        """Remove everything that stands there."""
        del self[_SESSION]

    def get_creation_lock(self, key: object) -> null_synchronizer:  # noqa: ARG002  # Beaker's verb
        """Return a lock that locks nothing: Beaker asks for one only to fill a cache."""
        return null_synchronizer()


def _is_session(key: object) -> bool:
    return as_text(key) == _SESSION


def _present(text: str | None) -> str:
    """Return what was found; the only place that says "no such session" in Beaker's way."""
    if text is None:
        raise KeyError(_SESSION)
    return text


def _seconds(timeout: object) -> float | None:
    """Read the timeout that Beaker hands over, in seconds."""
    try:
        return None if timeout is None or timeout == "" else casts.some_seconds(timeout)
    except casts.BadValue as error:
        message = f"Beaker's option 'timeout' is {timeout!r}; expected {error}"
    raise OptionError(message)


def _rows(options: Options, kind: sources.Kind) -> Rows:
    """Build the rows of these options, once a process."""
    found = _built.get((options, kind))
    if found is None:
        found = _built.setdefault((options, kind), rows(options, kind))
    return found


def forget() -> None:
    """Forget what was built."""
    _built.clear()
