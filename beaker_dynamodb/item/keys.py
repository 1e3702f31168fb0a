"""(namespace, key, kind of row) to a primary key: total and injective, in two layouts.

Whatever a cookie says, its namespace reaches no other kind of row: what is not in the plain
alphabet becomes `~` and a SHA-256, and the plain alphabets leave out what separates the parts.
A prefix has at most 64 bytes, a namespace and a key 512 each, so that no primary key is longer than
DynamoDB takes: 2,048 bytes in a hash key, 1,024 in a range key.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

_PLAIN_NAMESPACE = re.compile(r"[A-Za-z0-9._|/+=@,()-]{1,512}", re.ASCII)
_PLAIN_KEY = re.compile(r"[ -\"$-}][ -~]{0,511}", re.ASCII)
SESSION, LOCK, PIECE, MOVED = "#session", "#lock:", "#piece:", "#moved"
#: What a row is, as its key alone says it. other: another prefix, or none of our forms.
Sort = Literal["session", "value", "lock", "piece", "moved", "other"]


@dataclass(frozen=True, slots=True)
class Key:
    """A primary key: the hash key's value, and the range key's where the table has one."""

    hash: str
    range: str | None = None

    def __repr__(self) -> str:
        """Hide the id: a key may stand in a traceback."""
        return "Key(...)"


def as_text(value: object) -> str | None:
    """Read str or bytes as text, so that `b"k"` and `"k"` are one key; None for other types."""
    if isinstance(value, str):
        return value
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else None


def _hashed(kind: bytes, text: str) -> str:
    return "~" + hashlib.sha256(kind + text.encode("utf-8", "surrogatepass")).hexdigest()


def _word(value: object, plain: re.Pattern[str]) -> str:
    text = as_text(value)
    if text is None:
        return _hashed(
            b"object\0", f"{type(value).__module__}.{type(value).__qualname__}:{value!r}"
        )
    return text if plain.fullmatch(text) else _hashed(b"text\0", text)


@dataclass(frozen=True, slots=True)
class Layout:
    """How rows are keyed: the attributes' names, the prefix, and whether ids are hashed."""

    prefix: str
    hash_key: str = "id"
    range_key: str | None = None
    hash_ids: bool = False

    def describe(self) -> str:
        """Return the key schema in words, for an error."""
        ranged = f" and range key {self.range_key!r}" if self.range_key else ""
        return f"hash key {self.hash_key!r}{ranged} (String)"

    def namespace(self, namespace: object) -> str:
        """Write a namespace as it stands in a key, without the prefix."""
        if (
            not self.hash_ids
            and isinstance(namespace, str)
            and _PLAIN_NAMESPACE.fullmatch(namespace)
        ):
            return namespace  # the usual case: an id that Beaker has drawn
        text = as_text(namespace)
        if self.hash_ids and text is not None:
            return _hashed(b"text\0", text)
        return _word(namespace, _PLAIN_NAMESPACE)

    def session(self, namespace: object) -> Key:
        """Key the only row of a session."""
        return self._key(namespace, "", SESSION)

    def moved(self, namespace: object) -> Key:
        """Key the marker of a session that was imported: it stands beside the session's row."""
        return self._key(namespace, MOVED, MOVED)

    def value(self, namespace: object, key: object) -> Key:
        """Key the row of one cache entry."""
        word = _word(key, _PLAIN_KEY)
        return self._key(namespace, ":" + word, word)

    def lock(self, namespace: object, key: object) -> Key:
        """Key the creation lock of one cache entry."""
        word = LOCK + _word(key, _PLAIN_KEY)
        return self._key(namespace, word, word)

    def piece(self, head: Key, rev: str, number: int) -> Key:
        """Key piece *number* of the revision *rev* of the value whose head is *head*."""
        if head.range is not None:
            word = "" if head.range == SESSION else head.range
            return Key(head.hash, f"{PIECE}{word}#{rev}.{number}")
        name, _, word = head.hash.removeprefix(self.prefix).partition(":")
        return Key(f"{self.prefix}{name}{PIECE}{word}#{rev}.{number}")

    def is_hashed(self, key: object) -> bool:
        """Tell whether a cache key's row needs the key in clear beside it, for `keys()`."""
        return _word(key, _PLAIN_KEY) != as_text(key)

    def hash_of(self, namespace: object) -> str:
        """Write the hash key that all rows of a namespace share, where there is a range key."""
        return self.prefix + self.namespace(namespace)

    def values_begin(self, namespace: object) -> tuple[str, str]:
        """Say how the hash keys of a namespace's values and pieces begin, without a range key."""
        head = self.hash_of(namespace)
        return head + ":", head + PIECE

    def word_of(self, key: Key) -> str | None:
        """Read a cache entry's key back out of its row's; None for any other kind of row."""
        if key.range is not None:
            return None if key.range.startswith("#") else key.range
        name, colon, word = key.hash.removeprefix(self.prefix).partition(":")
        return word if colon and "#" not in name else None

    def sort(self, key: Key) -> Sort:
        """Tell what the row at *key* is; without a range key, by the first `:` or `#` in it."""
        if not key.hash.startswith(self.prefix):
            return "other"
        tail = key.range
        if tail is None:
            found = re.search(r"[:#].*", key.hash[len(self.prefix) :], re.DOTALL)
            tail = found[0] if found else SESSION
        elif not tail.startswith("#"):
            return "value"
        if tail == SESSION:
            return "session" if key.range or "#" not in key.hash else "other"
        if tail == MOVED:
            return "moved"
        if tail.startswith(":"):
            return "value"
        return "lock" if tail.startswith(LOCK) else "piece" if tail.startswith(PIECE) else "other"

    def _key(self, namespace: object, tail: str, sort: str) -> Key:
        head = self.hash_of(namespace)
        return Key(head, sort) if self.range_key else Key(head + tail)
