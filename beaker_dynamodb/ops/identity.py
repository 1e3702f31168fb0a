"""Turn what an operator types for a session (cookie, id or hash key) into keys of its row.

Pure. A text may mean more than one row, so there may be several keys, the likeliest first. A
cookie that Beaker signed is 40 hex digits of HMAC-SHA1 and the id (beaker/session.py:49-72,
SignedCookie).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.item.keys import SESSION, Key, Layout

_SIGNATURE: Final = 40
#: Bytes of a hash key (AWS: Constraints, "Partition key length").
MAX_KEY: Final = 2048
#: The name before a cookie's value, as a browser's tools copy it.
_NAMED: Final = re.compile(r"[\w.-]+=(?=[0-9a-f]{32,}\Z)", re.ASCII)
_SIGNED: Final = re.compile(r"[0-9a-f]{40}.+", re.DOTALL | re.ASCII)
_HASHED: Final = re.compile(r"~[0-9a-f]{64}", re.ASCII)


def list_keys(word: str, layout: Layout, secret: str | None = None) -> tuple[Key, ...]:
    """Return the keys of the rows that *word* may mean, the likeliest first.

    Args: *secret*: the application's `session.secret`; without it a signature is only cut off.
    Raises: OptionError, if nothing is given, no row can have such a key, or the signature was not
    made with the secret.
    """
    word = word.strip()
    if named := _NAMED.match(word):  # at the beginning only: a search would take the square of it
        word = word[named.end() :]
    word = word.strip('"')
    if not word:
        raise OptionError(
            "the session id is empty: give a cookie's value, an id or a row's hash key"
        )
    if word.startswith(layout.prefix):
        row = _row(word, layout)
        if layout.classify(row) != "session":
            raise OptionError("this is the key of another kind of row, not of a session")
        return (row,)
    if _HASHED.fullmatch(word):  # as `sessions list` prints it
        return _row(layout.prefix + word, layout), layout.make_session_key(word)
    if not _SIGNED.fullmatch(word):
        return (layout.make_session_key(word),)
    ident = word[_SIGNATURE:]
    if secret is None:
        return layout.make_session_key(word), layout.make_session_key(ident)
    if not hmac.compare_digest(sign(ident, secret), word[:_SIGNATURE]):
        raise OptionError(
            "the signature does not match the secret: the cookie is forged, or belongs to another"
            " application or secret; what follows its first 40 characters is the id"
        )
    return (layout.make_session_key(ident),)


def sign(ident: str, secret: str) -> str:
    """Sign an id as Beaker does."""
    signed = ident.encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode("utf-8", "surrogateescape"), signed, hashlib.sha1).hexdigest()


def format_id(key: Key, layout: Layout) -> str:
    """Return a session's id as its row has it: under `hash_ids`, or for a hostile id, its hash."""
    return key.hash.removeprefix(layout.prefix)


def _row(text: str, layout: Layout) -> Key:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_KEY:
        raise OptionError("this is longer than any hash key can be")
    return Key(text, SESSION if layout.range_key else None)
