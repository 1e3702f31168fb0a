"""Realistic sessions, generated with a seed: the same for every store, on every machine.

A session holds what applications store in one: a user's id, a CSRF token, a flash message, a
shopping cart. It has plain JSON types only, so that every serializer can write it.
"""

from __future__ import annotations

import json
import random
from typing import Any, Final

Values = dict[str, Any]

#: Bytes of the session as compact JSON.
SIZES: Final = (300, 1_500, 6_000, 40_000)

COLORS: Final = "amber black blue copper cream gray green ivory olive red silver teal white".split()
STUFFS: Final = "canvas ceramic cotton enamel glass leather linen oak paper steel wool".split()
THINGS: Final = (
    "apron basket blanket bowl candle carafe cushion jug kettle lamp ladle mat mug notebook pan"
    " plate pot satchel scarf shelf spoon stool teapot towel tray vase"
).split()


def measure_size(values: Values) -> int:
    """Return the bytes of a session as compact JSON."""
    return len(json.dumps(values, separators=(",", ":")))


def make_session(size: int, seed: int = 1) -> Values:
    """Create a random session of *size* bytes as compact JSON; *size* is at least 250."""
    draw = random.Random(seed * 1_000_003 + size)  # noqa: S311  # not used for secrets
    values: Values = {
        "user_id": f"u{draw.randrange(10**11, 10**12)}",
        "csrf_token": f"{draw.getrandbits(128):032x}",
        "language": "de-DE",
        "visits": 100_000,  # counted up by every save, and always of six digits
        "flash": ["Your address was saved."],
        "cart": [],
        "note": "",
    }
    while measure_size(values) < size:
        values["cart"].append(_goods(draw))
    if measure_size(values) > size:
        values["cart"].pop()
    values["note"] = _prose(draw, size - measure_size(values))
    return values


def _goods(draw: random.Random) -> Values:
    """Create one line of a shopping cart."""
    return {
        "sku": f"{draw.choice('ABCDEFGHKLMNPRSTUVWX')}{draw.randrange(10_000, 100_000)}",
        "title": " ".join((draw.choice(COLORS), draw.choice(STUFFS), draw.choice(THINGS))),
        "quantity": draw.randrange(1, 6),
        "price": draw.randrange(95, 9_995, 5) / 100,
        "added": 1_790_000_000 + draw.randrange(10**6),
    }


def _prose(draw: random.Random, length: int) -> str:
    """Create words of *length* characters in all."""
    words = ""
    while len(words) < length:
        words += f"{draw.choice(STUFFS)} {draw.choice(THINGS)} "
    return words[:length]
