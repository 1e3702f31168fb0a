"""Decide whether a session of the source backend may be imported, and when its row expires. Pure.

Requests under `migrate_from` and the command `import` call the same function, so a session is
treated alike whichever of them meets it first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from beaker_dynamodb.item.envelope import ACCESSED, COOKIE_KEYS, CREATED, LIFETIME, read_time
from beaker_dynamodb.item.record import Attribute, Schema, promote
from beaker_dynamodb.item.safe_load import load_session

#: The seconds that Beaker adds to a session's timeout for its backend (beaker/session.py:187).
BEAKER_TIMEOUT_PADDING: Final = 120
#: Why a session is not imported.
EXPIRED: Final = "expired"
LOGGED_OUT: Final = "logged out"


@dataclass(frozen=True, slots=True)
class ImportPolicy:
    """The application's settings that a decision depends on.

    Args:
        timeout: `session.timeout` in seconds, without Beaker's padding; None if there is none.
        lifetime: of a row from its last save on, in seconds; None for ever.
        max_size: the maximum size of a value in bytes, inflated.
        schema: names the session keys that are promoted to attributes.
        envelope: the option.
    """

    timeout: float | None
    lifetime: float | None
    max_size: int
    schema: Schema
    envelope: str = "auto"


@dataclass(frozen=True, slots=True)
class Importable:
    """A session that may be imported. Times are in epoch seconds.

    `expires` is that of its row, None for never; `created` is None if it cannot be read.
    """

    expires: int | None
    created: float | None = None
    promoted: dict[str, Attribute] = field(default_factory=dict, repr=False)


def decide_import(
    text: str,
    policy: ImportPolicy,
    now: float,
    *,
    source_expires: float | None = None,
    written: float | None = None,
) -> Importable | str:
    """Return what the row needs, or the reason why the session is not imported.

    The row expires when the last save of the text would have made it expire. If the source backend
    has an expiry of its own, the earlier of the two holds: a row that lived longer than `timeout`
    after its last access would not be touched in time.

    Args: *source_expires* and *written* are what the backend says about the session, in epoch
    seconds; None if it says nothing. *written* counts if no access time can be read in the text.
    """
    values = load_session(text, policy.envelope, policy.max_size)
    if values is not None and values.keys() <= COOKIE_KEYS:  # what Beaker's delete() leaves behind
        return LOGGED_OUT
    values = values or {}
    accessed, created = read_time(values, ACCESSED), read_time(values, CREATED)
    since = written if accessed is None else accessed
    is_expired = source_expires is not None and source_expires <= now
    if is_expired or _has_ended(created, policy.schema, now):
        return EXPIRED
    timeout, lifetime = policy.timeout, policy.lifetime
    if (own := read_time(values, LIFETIME)) is not None:
        timeout, lifetime = own, own + BEAKER_TIMEOUT_PADDING
    if timeout is not None and since is not None and now - since > timeout:  # beaker/session.py:447
        return EXPIRED
    # Without a timeout no age ends a session: its row lives as long as if it were saved now.
    saved = now if timeout is None or since is None else min(since, now)
    limits = [] if lifetime is None else [saved + lifetime]
    if source_expires is not None:
        limits = [source_expires] if timeout is None else [*limits, source_expires]
    if policy.schema.max_age is not None:
        limits.append((now if created is None else created) + policy.schema.max_age)
    expires = math.ceil(min(limits)) if limits else None
    return Importable(expires, created, promote(values, policy.schema)[0])


def _has_ended(created: float | None, schema: Schema, now: float) -> bool:
    """Tell whether options `max_age` and `created_after` have ended a session.

    A session whose start cannot be read begins for `max_age` when it is imported.
    """
    if schema.created_after is not None and (created is None or created < schema.created_after):
        return True
    if created is None or schema.max_age is None:
        return False
    return created + schema.max_age <= now
