"""Special keys become attributes, except values that an index cannot hold."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from beaker_dynamodb.item.record import Schema, promote


class Sub(str):
    """A text of a class of its own, as template engines make them."""

    __slots__ = ()


class Refusing:
    """Raises on every access, with a secret in the message."""

    def _refuse(self, *_: object, **__: object) -> Any:
        raise LookupError("hunter2")

    encode = __len__ = __bool__ = __str__ = __repr__ = __eq__ = _refuse
    __float__ = __int__ = __format__ = __buffer__ = __bytes__ = __lt__ = as_tuple = _refuse
    is_finite = adjusted = is_zero = normalize = __add__ = __iter__ = __getitem__ = _refuse
    __hash__ = None  # type: ignore[assignment]


class RefusingText(Refusing, str):  # type: ignore[misc]  # noqa: SLOT000  # Refusing has a dict
    """A text that cannot be asked for anything."""


class RefusingBytes(Refusing, bytes):  # type: ignore[misc]
    """The same, of bytes."""


class RefusingInt(Refusing, int):  # type: ignore[misc]
    """The same, of an integer."""


class RefusingFloat(Refusing, float):  # type: ignore[misc]
    """The same, of a float."""


class RefusingDecimal(Refusing, Decimal):  # type: ignore[misc]
    """The same, of a decimal number."""


class Proxy:
    """A proxy of an object that is not available, as web frameworks have."""

    @property  # type: ignore[misc]  # as they do
    def __class__(self) -> Any:
        raise RuntimeError("working outside of a request")


class Lying(str):
    """A text that lies about its length."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"a"

    def __len__(self) -> int:
        return 1


PROMOTED = [
    ("S", "joe", "joe"),
    ("S", "a" * 1024, "a" * 1024),
    ("S", "\xe9" * 512, "\xe9" * 512),
    ("S", Sub("joe"), "joe"),
    ("S", 42, "42"),
    ("S", -1, "-1"),
    ("S", 0, "0"),
    ("N", 0, Decimal(0)),
    ("N", 42, Decimal(42)),
    ("N", -1.5, Decimal("-1.5")),
    ("N", 0.1, Decimal("0.1")),
    ("N", 0.0, Decimal(0)),
    ("N", Decimal("1.50"), Decimal("1.5")),
    ("N", int("9" * 38), Decimal("9" * 38)),
    ("N", 1e125, Decimal("1e125")),
    ("N", 1e-130, Decimal("1e-130")),
    ("N", int("9" * 38), Decimal("9" * 38)),
    ("N", int("9" * 38 + "000"), Decimal("9" * 38 + "000")),
    ("B", b"\0\xff", b"\0\xff"),
    ("B", b"a" * 1024, b"a" * 1024),
]
NO_KEYS: tuple[object, ...] = (None, True, False, [], {}, ["a"], ("a",), dt.date(2026, 1, 1))
LEFT_OUT: list[tuple[str, object]] = [
    *((kind, value) for kind in "SNB" for value in NO_KEYS),
    ("S", ""),
    ("S", "a" * 1025),
    ("S", "\xe9" * 513),
    ("S", "\ud800"),
    ("S", "joe\udfff"),
    ("S", b"joe"),
    ("S", 1.5),
    ("S", Decimal(1)),
    ("S", math.nan),
    ("N", "42"),
    ("N", b"42"),
    ("N", math.nan),
    ("N", math.inf),
    ("N", -math.inf),
    ("N", Decimal("sNaN")),
    ("N", int("9" * 39)),
    ("N", 1e126),
    ("N", 9.9e-131),
    ("N", 1j),
    ("B", b""),
    ("B", b"a" * 1025),
    ("B", "text"),
    ("B", 5),
    ("B", bytearray(b"a")),
]


@pytest.mark.parametrize(("kind", "value", "expected"), PROMOTED)
def test_an_index_finds_the_session_by_its_special_key(
    kind: str, value: object, expected: object
) -> None:
    """A value of the attribute's type is copied out as it is; an int under S as text."""
    found, missing = promote({"key": value, "other": "x"}, Schema(special=(("key", kind),)))

    assert found == {"key": expected}
    assert missing == ()


@pytest.mark.parametrize(("kind", "value"), LEFT_OUT)
def test_a_value_that_no_index_takes_never_fails_a_save(kind: str, value: object) -> None:
    """It is left out and named; nothing is raised, and the others are promoted."""
    schema = Schema(special=(("key", kind), ("userId", "S"), ("absent", "S")))

    found, missing = promote({"key": value, "userId": "joe"}, schema)

    assert found == {"userId": "joe"}
    assert missing == ("key", "absent")


@pytest.mark.parametrize("kind", "SNB")
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: RefusingText("joe"), {"S": "joe"}),
        (lambda: RefusingBytes(b"joe"), {"B": b"joe"}),
        (lambda: RefusingInt(1), {"S": "1", "N": Decimal(1)}),
        (lambda: RefusingFloat(1.5), {"N": Decimal("1.5")}),
        (lambda: RefusingDecimal("1.5"), {"N": Decimal("1.5")}),
        (Refusing, {}),
        (Proxy, {}),
        (lambda: Lying("a" * 3000), {}),
    ],
    ids=["text", "bytes", "int", "float", "Decimal", "another", "a proxy", "a lie"],
)
def test_a_value_whose_own_code_raises_stops_no_save(
    kind: str, make: Callable[[], object], expected: dict[str, object]
) -> None:
    """None of it runs: the value is promoted as the plain one that it is, or left out."""
    found, missing = promote({"key": make()}, Schema(special=(("key", kind),)))

    assert found == ({"key": expected[kind]} if kind in expected else {})
    assert all(type(one) in (str, bytes, Decimal) for one in found.values())
    assert missing == (() if kind in expected else ("key",))


@pytest.mark.parametrize("word", ["1E+9999999", "-1E+9999999", "1E-9999999", "0E+9999999", "sNaN"])
def test_a_number_beyond_all_measure_stops_no_save(word: str) -> None:
    """It is no key of an index, and no error either; a zero is one, whatever its exponent."""
    schema = Schema(special=(("visits", "N"),))

    kept, left = promote({"visits": Decimal(word)}, schema)

    assert kept == ({"visits": Decimal(0)} if word[0] == "0" else {})
    assert all(str(value) == "0" for value in kept.values())
    assert left == (() if kept else ("visits",))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("zeros", [100, 6_000, 1_000_000])
def test_a_number_of_many_digits_does_not_break_a_save(zeros: int, sign: int) -> None:
    """Zeros at its end are dropped; a number with too many other digits is left out.

    DynamoDB refuses more than 38 digits, and DynamoDB Local reads 200,000 zeros for minutes.
    """
    schema, word = Schema(special=(("price", "N"),)), "1." + "0" * zeros

    kept, _ = promote({"price": Decimal(word).copy_sign(Decimal(sign))}, schema)
    assert [str(value) for value in kept.values()] == [str(sign)]

    for more in ("1", "0001", "1" + "0" * 50):
        price = Decimal(word + more).copy_sign(Decimal(sign))
        assert promote({"price": price}, schema) == ({}, ("price",))
