"""How the table that is differs from the one that ought to be.

Pure. What a difference means for the operator is decided here, once; what to do about it is for
whoever asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from beaker_dynamodb.provisioning.description import (
    SERVING,
    Description,
    Expiry,
    encrypted_by,
    in_a_word,
    limited_to,
    paid_for,
)
from beaker_dynamodb.provisioning.features import Features
from beaker_dynamodb.provisioning.spec import Attribute, TableSpec

#: error: loads or saves fail. warning: they work, but expiring or searching does not.
#: note: all works, perhaps at another price.
Severity = Literal["error", "warning", "note"]
_WORST_FIRST: Final = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as the options ask: what, how it is, how it should be, how bad."""

    setting: str
    actual: str
    expected: str
    severity: Severity

    def __str__(self) -> str:
        """Write it as one line."""
        return f"{self.severity}: {self.setting} is {self.actual}, expected {self.expected}"


def differences(is_: Description, ought: TableSpec) -> tuple[Difference, ...]:
    """Compare the table that is with the one that ought to be; the worst comes first."""
    found = [
        *_of_status(is_),
        *_of_keys(is_, ought),
        *_of_expiry(is_, ought),
        *_of_indexes(is_, ought),
        *_of_capacity(is_, ought),
        *_of_features(is_, ought.features),
    ]
    return tuple(sorted(found, key=lambda one: _WORST_FIRST.index(one.severity)))


def _of_status(is_: Description) -> Iterator[Difference]:
    if is_.status not in SERVING:
        yield Difference("status", is_.status, "active", "error")


def _of_keys(is_: Description, ought: TableSpec) -> Iterator[Difference]:
    if is_.schema() != ought.ought():
        yield Difference("key schema", is_.schema(), ought.ought(), "error")


def _of_expiry(is_: Description, ought: TableSpec) -> Iterator[Difference]:
    if not (is_.expiry.works and is_.expiry.attribute == ought.ttl_attribute):
        severity: Severity = "note" if is_.expiry.status == "unknown" else "warning"
        wanted = Expiry(ought.ttl_attribute, "enabled")
        yield Difference("TTL", str(is_.expiry), str(wanted), severity)


def _of_indexes(is_: Description, ought: TableSpec) -> Iterator[Difference]:
    """Compare by attribute: an index of another name serves as well."""
    for wanted in ought.indexes:
        matter, key = f"index of {wanted.attribute!r}", Attribute(wanted.attribute, wanted.kind)
        having = [index for index in is_.indexes if index.attribute == wanted.attribute]
        other = [index for index in having if index.kind != wanted.kind]
        if not having:
            yield Difference(matter, "missing", f"{wanted.name!r} on {key}", "warning")
        elif other:
            # DynamoDB refuses a whole row if an attribute is not of the type of its index.
            yield Difference(matter, Attribute("", other[0].kind).type, key.type, "error")
        elif all(index.projection != wanted.projection for index in having):
            yield Difference(matter, having[0].projection, wanted.projection, "note")


def _of_capacity(is_: Description, ought: TableSpec) -> Iterator[Difference]:
    if is_.capacity != ought.capacity:
        yield Difference("capacity", paid_for(is_.capacity), paid_for(ought.capacity), "note")


def _of_features(is_: Description, asked: Features) -> Iterator[Difference]:
    """Compare what was asked for; a server that ignores it on creation does not know it."""
    for matter, found, wanted in (
        ("deletion protection", is_.protection, asked.protection),
        ("point-in-time recovery", is_.recovery, asked.recovery),
    ):
        if wanted is not None and found is not wanted:
            bad: Severity = "note" if found is None else "warning"
            yield Difference(matter, in_a_word(found), in_a_word(wanted), bad)
    severity: Severity = "note" if is_.created else "warning"
    if asked.key and not _same_key(is_.key, asked.key):
        yield Difference("encryption", encrypted_by(is_.key), f"by {asked.key}", severity)
    if asked.ceilings and is_.ceilings != asked.ceilings:
        wanted_, found_ = limited_to(asked.ceilings), limited_to(is_.ceilings)
        yield Difference("limit of units", found_, wanted_, severity)
    missing = [f"{n}={v}" for n, v in asked.tags if (n, v) not in (is_.tags or ())]
    if missing:
        known = "unknown" if is_.tags is None else "missing"
        bad = "note" if is_.tags is None else "warning"
        yield Difference("tags", known, ", ".join(missing), bad)


def _same_key(found: str | None, asked: str) -> bool:
    """Compare a key's ARN with what it was asked for by; an alias stands for any key."""
    return found is not None and (
        asked.startswith("alias/") or asked in found or ":alias/" in asked
    )
