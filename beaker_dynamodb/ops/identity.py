"""Find the keys of a session's row by its cookie, its id or its hash key. Pure.

A text may mean more than one row, so there may be several keys, the likeliest first. A cookie
that Beaker signed is 40 hex digits of HMAC-SHA1 and the id (beaker/session.py:49-72,
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


def list_keys(text: str, layout: Layout, secret: str | None = None) -> tuple[Key, ...]:
    """Return the keys of the rows that *text* may mean, the likeliest first.

    Args: *secret* is the application's `session.secret`; without it a signature is not checked.
    Raises: OptionError, if the text is empty, no row can have such a key, or the signature was
    not made with the secret.
    """
    text = text.strip()
    if named := _NAMED.match(text):  # at the beginning only: a search would take quadratic time
        text = text[named.end() :]
    text = text.strip('"')
    if not text:
        raise OptionError(
            "the session id is empty: give a cookie's value, an id or a row's hash key"
        )
    if text.startswith(layout.prefix):
        row = _make_key(text, layout)
        if layout.classify(row) != "session":
            raise OptionError("this is the key of another kind of row, not of a session")
        return (row,)
    if _HASHED.fullmatch(text):  # as `sessions list` prints it
        return _make_key(layout.prefix + text, layout), layout.make_session_key(text)
    if not _SIGNED.fullmatch(text):
        return (layout.make_session_key(text),)
    ident = text[_SIGNATURE:]
    if secret is None:
        return layout.make_session_key(text), layout.make_session_key(ident)
    if not hmac.compare_digest(sign(ident, secret), text[:_SIGNATURE]):
        raise OptionError(
            "the signature does not match the secret: the cookie is forged, or belongs to another"
            " application or secret; what follows its first 40 characters is the id"
        )
    return (layout.make_session_key(ident),)


def sign(ident: str, secret: str) -> str:
    """Return the signature that Beaker makes of an id."""
    signed = ident.encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode("utf-8", "surrogateescape"), signed, hashlib.sha1).hexdigest()


def format_id(key: Key, layout: Layout) -> str:
    """Return a session's id as it is stored: its hash, with `hash_ids` or if it is hostile."""
    return key.hash.removeprefix(layout.prefix)


def _make_key(text: str, layout: Layout) -> Key:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_KEY:
        raise OptionError("this is longer than any hash key can be")
    return Key(text, SESSION if layout.range_key else None)
