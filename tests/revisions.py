"""Revisions that a test can name: `make_rev("birth.token")`."""

from __future__ import annotations

from beaker_dynamodb.item import revision
from beaker_dynamodb.item.revision import BIRTH_SIZE, SHORT_TOKEN, TOKEN_SIZE


def make_rev(names: str, start: float | None = None) -> bytes:
    """Return the revision of a birth and a token, such as "birth.token"."""
    birth, _, token = names.partition(".")
    assert len(birth) <= BIRTH_SIZE
    return revision.make_rev(birth.encode().ljust(BIRTH_SIZE, b"\0"), make_token(token), start)


def make_token(name: str) -> bytes:
    """Return a token. Two names must differ in their first five letters."""
    assert len(name) <= TOKEN_SIZE
    return name.encode().ljust(TOKEN_SIZE, b"\0")


def make_prev(names: str) -> bytes:
    """Return what a row keeps of its previous tokens, such as "last older"."""
    return b"".join(make_token(name)[:SHORT_TOKEN] for name in names.split())


def replace_token(rev: bytes, name: str) -> bytes:
    """Return a revision of the same birth with another token."""
    return rev[: revision.BORN_SIZE] + make_token(name)
