"""The revision of a row: which session it is of, and which write was its last.

    start u40 | birth (6 bytes) | token (8 bytes)

A creation draws birth and token; each later write of data draws a token and keeps the rest. The
start is when the session began, in epoch seconds, and 0 if the row is none of a session, or does
not say it. It is in the revision because every write keeps that, and no part of a birth, because a
session may begin anew (`StrictSession.restart_lifetime`).

A row also keeps the first 5 bytes of its last four tokens (`prev`), so that a write whose reply was
lost is recognized. These are compared only if a write was refused. So the chance that another
writer's token is taken for one's own is 4 in 2^40 for each refused write: at one a second, once in
8,700 years. Two births are compared only if they had one primary key, one after the other; they
are equal in one of 2^48 cases.
"""

from __future__ import annotations

from typing import Final

#: The bytes of each part, of all that a write keeps, and of a revision.
START_SIZE, BIRTH_SIZE, TOKEN_SIZE = 5, 6, 8
BORN_SIZE: Final = START_SIZE + BIRTH_SIZE
REV_SIZE: Final = BORN_SIZE + TOKEN_SIZE
#: The bytes of a token that `prev` keeps, and how many tokens a row remembers.
SHORT_TOKEN: Final = 5
MAX_PREVIOUS_TOKENS: Final = 4
PREV_SIZE: Final = MAX_PREVIOUS_TOKENS * SHORT_TOKEN
#: The start of a revision that has none.
NO_START: Final = bytes(START_SIZE)
_MAX_START: Final = (1 << 8 * START_SIZE) - 1


def make_rev(birth: bytes, token: bytes, start: float | None = None) -> bytes:
    """Return a revision.

    Args:
        birth: random bytes; the first 6 count.
        token: what the last write of data has drawn, 8 bytes.
        start: when the session began, in epoch seconds; None if that is unknown, or no session.
    """
    seconds = 0 if start is None else min(max(int(start), 1), _MAX_START)
    return seconds.to_bytes(START_SIZE, "big") + birth[:BIRTH_SIZE] + token


def get_start(rev: bytes) -> int | None:
    """Return the start in a revision, in epoch seconds; None if there is none."""
    return int.from_bytes(rev[:START_SIZE], "big") or None


def get_birth(rev: bytes) -> bytes:
    """Return the birth in a revision, without the start."""
    return rev[START_SIZE:BORN_SIZE]


def get_token(rev: bytes) -> bytes:
    """Return the token in a revision."""
    return rev[BORN_SIZE:]


def shorten(token: bytes) -> bytes:
    """Return the part of a token by which a row remembers it."""
    return token[:SHORT_TOKEN]
