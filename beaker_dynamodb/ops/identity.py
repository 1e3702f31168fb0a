"""What an operator gives for a session: a cookie's value, its id, or its row's hash key.

Pure: a word in, the keys where its row may stand out, the likeliest first. A cookie that Beaker
signed is 40 hex digits of HMAC-SHA1 and the id (beaker/session.py:49-72, SignedCookie).
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
    """Name the rows that *word* may mean, the likeliest first.

    Args: *secret*: the application's `session.secret`; without it a signature is only cut off.
    Raises: OptionError, if nothing is given, it is no key that a row can have, or a signature is
    not of the secret.
    """
    word = word.strip()
    if named := _NAMED.match(word):  # at the beginning only: a search would take the square of it
        word = word[named.end() :]
    word = word.strip('"')
    if not word:
        raise OptionError("no session is named: give a cookie's value, an id or a row's key")
    if word.startswith(layout.prefix):
        row = _row(word, layout)
        if layout.sort(row) != "session":
            raise OptionError("this is the key of another kind of row, not of a session's")
        return (row,)
    if _HASHED.fullmatch(word):  # as `sessions list` prints it
        return _row(layout.prefix + word, layout), layout.session(word)
    if not _SIGNED.fullmatch(word):
        return (layout.session(word),)
    ident = word[_SIGNATURE:]
    if secret is None:
        return layout.session(word), layout.session(ident)
    if not hmac.compare_digest(sign(ident, secret), word[:_SIGNATURE]):
        raise OptionError(
            "the signature is not of this secret: the cookie is forged, or of another"
            " application or secret; what follows its first 40 characters is the id"
        )
    return (layout.session(ident),)


def sign(ident: str, secret: str) -> str:
    """Sign an id as Beaker does."""
    signed = ident.encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode("utf-8", "surrogateescape"), signed, hashlib.sha1).hexdigest()


def format_id(key: Key, layout: Layout) -> str:
    """Write a session's id as its row has it: under `hash_ids`, or a hostile id, its hash."""
    return key.hash.removeprefix(layout.prefix)


def _row(text: str, layout: Layout) -> Key:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_KEY:
        raise OptionError("this is longer than the key of any row")
    return Key(text, SESSION if layout.range_key else None)
