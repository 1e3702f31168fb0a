"""Primary keys: where the row of a namespace and a key is stored.

The map is total and injective: each namespace and key has its own row, and no namespace, whatever
a cookie says, reaches a row of another kind. So the separators are not in the alphabet of
namespaces, and what is not in its alphabet becomes `~` and a SHA-256. A prefix has at most 64
bytes, a namespace and a key 512 each, because DynamoDB accepts 2,048 bytes in a hash key and 1,024
in a range key.

Without a range key the row's key is one text: the prefix, the namespace, and what is in the range
key otherwise, with a colon before a cache entry's key.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

_PLAIN_NAMESPACE = re.compile(r"[A-Za-z0-9._|/+=@,()-]{1,512}", re.ASCII)
_PLAIN_KEY = re.compile(r"[ -\"$-}][ -~]{0,511}", re.ASCII)
SESSION, LOCK, CHUNK, IMPORTED = "#session", "#lock:", "#chunk:", "#imported"
#: What a row's key says that it is. other: of another prefix, or of none of our forms.
RowKind = Literal["session", "value", "lock", "chunk", "marker", "other"]


class Key(NamedTuple):
    """A primary key: the values of the hash key and, if the table has one, of the range key."""

    hash: str
    range: str | None = None

    def __repr__(self) -> str:
        """Hide the id: a key may be in a traceback."""
        return "Key(...)"


def to_text(value: object) -> str | None:
    """Decode bytes, so that `b"k"` and `"k"` are one key; None for any type but str and bytes."""
    if isinstance(value, str):
        return value
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else None


def _hash(kind: bytes, text: str) -> str:
    return "~" + hashlib.sha256(kind + text.encode("utf-8", "surrogatepass")).hexdigest()


def _encode(value: object, alphabet: re.Pattern[str]) -> str:
    """Return a namespace or key as it is if it is in the alphabet, else its hash."""
    text = to_text(value)
    if text is None:
        return _hash(b"object\0", f"{type(value).__module__}.{type(value).__qualname__}:{value!r}")
    return text if alphabet.fullmatch(text) else _hash(b"text\0", text)


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

    def encode_namespace(self, namespace: object) -> str:
        """Return a namespace as it is in a key, without the prefix."""
        if self.hash_ids:
            text = to_text(namespace)
            return _encode(namespace, _PLAIN_NAMESPACE) if text is None else _hash(b"text\0", text)
        if isinstance(namespace, str) and _PLAIN_NAMESPACE.fullmatch(namespace):
            return namespace  # the usual case: an id that Beaker has drawn
        return _encode(namespace, _PLAIN_NAMESPACE)

    def make_session_key(self, namespace: object) -> Key:
        """Return the key of a session's only row."""
        return self._make_key(namespace, "", SESSION)

    def make_import_marker_key(self, namespace: object) -> Key:
        """Return the key of the marker that a session was imported."""
        return self._make_key(namespace, IMPORTED, IMPORTED)

    def make_value_key(self, namespace: object, key: object) -> Key:
        """Return the key of a cache entry's row."""
        encoded = _encode(key, _PLAIN_KEY)
        return self._make_key(namespace, ":" + encoded, encoded)

    def make_lock_key(self, namespace: object, key: object) -> Key:
        """Return the key of a cache entry's creation lock."""
        lock = LOCK + _encode(key, _PLAIN_KEY)
        return self._make_key(namespace, lock, lock)

    def make_chunk_key(self, manifest: Key, rev: bytes, number: int) -> Key:
        """Return the key of one chunk of the value whose *manifest* is at that revision."""
        if manifest.range is not None:
            key = "" if manifest.range == SESSION else manifest.range
            return Key(manifest.hash, f"{CHUNK}{key}#{rev.hex()}.{number}")
        namespace, _, key = manifest.hash.removeprefix(self.prefix).partition(":")
        return Key(f"{self.prefix}{namespace}{CHUNK}{key}#{rev.hex()}.{number}")

    def is_hashed(self, key: object) -> bool:
        """Return whether a cache entry's row needs its key in clear beside it, for `keys()`."""
        return _encode(key, _PLAIN_KEY) != to_text(key)

    def make_hash_key(self, namespace: object) -> str:
        """Return the hash key of all rows of a namespace, if the table has a range key."""
        return self.prefix + self.encode_namespace(namespace)

    def get_value_prefixes(self, namespace: object) -> tuple[str, str]:
        """Return how a namespace's hash keys of values and of chunks begin, without a range key."""
        start = self.make_hash_key(namespace)
        return start + ":", start + CHUNK

    def parse_cache_key(self, key: Key) -> str | None:
        """Return the key of the cache entry whose row this is; None for a row of another kind."""
        if key.range is not None:
            return None if key.range.startswith("#") else key.range
        namespace, colon, encoded = key.hash.removeprefix(self.prefix).partition(":")
        return encoded if colon and "#" not in namespace else None

    def classify(self, key: Key) -> RowKind:
        """Tell what the row at *key* is; without a range key, by the first `:` or `#` in it."""
        if not key.hash.startswith(self.prefix):
            return "other"
        tail = key.range
        if tail is None:
            match = re.search(r"[:#].*", key.hash[len(self.prefix) :], re.DOTALL)
            tail = match[0] if match else SESSION
        elif not tail.startswith("#"):
            return "value"
        if tail == SESSION:
            return "session" if key.range or "#" not in key.hash else "other"
        if tail == IMPORTED:
            return "marker"
        if tail.startswith(":"):
            return "value"
        return "lock" if tail.startswith(LOCK) else "chunk" if tail.startswith(CHUNK) else "other"

    def _make_key(self, namespace: object, tail: str, range_: str) -> Key:
        hash_ = self.prefix + self.encode_namespace(namespace)
        return Key(hash_, range_) if self.range_key else Key(hash_ + tail)
