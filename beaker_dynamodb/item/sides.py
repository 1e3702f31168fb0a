"""The sides of a save, and how they come together: what the session held, holds, and what stands.

A merge is made of contents here; what it does to each key is in `merge.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from beaker_dynamodb.item.decide import Content
from beaker_dynamodb.item.envelope import Envelope, rewrite
from beaker_dynamodb.item.merge import merge
from beaker_dynamodb.item.record import Record


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in the table, as far as this request knows: the row, and what is in it."""

    record: Record
    content: Content


@dataclass(frozen=True, slots=True)
class Sides:
    """The sides of a save: what the session held, what it holds, and how both open."""

    known: Content | None
    mine: Content
    envelope: Envelope | None


def onto(standing: Standing | None, sides: Sides) -> Content:
    """Put mine onto what an earlier save of this request merged in; else it would be deleted."""
    if standing is None or sides.known is None or standing.content.text == sides.known.text:
        return sides.mine
    opaque = None in (standing.content.values, sides.known.values, sides.mine.values)
    cleared = standing.content.begun and not sides.mine.begun
    return sides.mine if opaque or cleared else merged_content(sides, standing.content)


def merged_content(sides: Sides, theirs: Content) -> Content:
    """Merge mine into theirs; mine alone, if one does not open or the merge cannot be written."""
    known = sides.known.values if sides.known and sides.known.values else {}
    if sides.envelope is None or sides.mine.values is None or theirs.values is None:
        return sides.mine
    values = merge(known, sides.mine.values, theirs.values)
    text = rewrite(sides.envelope, values)
    return sides.mine if text is None else Content(text, values)
