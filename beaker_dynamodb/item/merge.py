"""Which keys of a session have changed, and the three-way merge over these keys.

A change is what `is_same` does not find to be the same value. It is never a bare `==`, which

* is False for two loads of an object without `__eq__`, and for NaN: each page that only reads
  would write, and overwrite what another request has changed;
* is True for 1 and True, for 1 and 1.0, and for two dicts in a different order: a change that was
  acknowledged would be lost.
"""

from __future__ import annotations

import copyreg
import pickle
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any, Final

from beaker_dynamodb.item.envelope import TIME_KEYS, Values

_SCALARS: Final = (str, bytes, int, bool, type(None))
_INEXACT: Final = (float, complex)
_NOTHING: Final = object()
#: How much is pickled for the objects in sets, at most: so many times the pickles of both values,
#: and so many bytes more for each object, because each of these pickles names its classes again.
_MAX_FACTOR: Final = 4
_CLASS_NAMES: Final = 256


def is_same(one: object, other: object) -> bool:
    """Return whether two values that came out of the same envelope are the same value.

    Both must be of the same type exactly. Then:

    * Scalars are compared by value; NaN is equal to NaN, and 0.0 differs from -0.0.
    * Dicts, lists and tuples are compared item by item. The order of a dict counts: an application
      that moves a key to the end has changed it.
    * Sets are compared as sets, whose order changes from one process to the next.
    * Any other object is compared by what its pickle is made of.

    False also if a value cannot be pickled, and if sets of objects refer to so much in common that
    they cannot be compared in linear time. Then a session is saved that need not be.
    """
    try:
        # Equal pickles are equal values. Most of a session was not changed, and is found to be the
        # same in a tenth of the time that its parts take. Only the whole is pickled: of objects
        # that refer to one another, as a cart and its lines do, each would be pickled with all.
        if type(one) is not type(other):
            return False
        if type(one) in _SCALARS:
            return one == other  # without a copy of a large text
        pickled, others = pickle.dumps(one, 2), pickle.dumps(other, 2)
        return pickled == others or _compare(one, other, _Memo(len(pickled) + len(others)))
    except Exception:  # noqa: BLE001  # pickling runs the code of any class
        return False


class _Memo:
    """What one comparison remembers: the pairs compared so far, and numbers for members of sets.

    A set has no order in which its members could be compared in pairs. So each member gets a
    number, the same one for equal members on both sides, and sets are compared as multisets of
    numbers. A tuple or frozenset in a set is identified by its members' numbers, not by nested
    tuples of them: those would be as large as the number of paths through the value, which doubles
    with each level if two members share everything below.
    """

    def __init__(self, size: int) -> None:
        self.pairs: dict[tuple[int, int], tuple[object, object]] = {}
        self._numbers: dict[Hashable, int] = {}
        #: By id. The object is kept with its number: ids of freed objects are used again.
        self._numbered: dict[int, tuple[int, object]] = {}
        self._budget = _MAX_FACTOR * size

    def count_members(self, members: Iterable[object]) -> Counter[int]:
        """Count the members of a set by their numbers."""
        return Counter(map(self._number, members))

    def _number(self, member: object) -> int:
        """Return the number of a member, by its type and value, so that 1 and True differ."""
        kind = type(member)
        if kind in _SCALARS:
            return self._numbers.setdefault((kind, member), len(self._numbers))
        if kind in _INEXACT:
            return self._numbers.setdefault((kind, repr(member)), len(self._numbers))
        if id(member) not in self._numbered:
            if isinstance(member, tuple) and kind is tuple:
                value: Hashable = tuple(map(self._number, member))
            elif isinstance(member, frozenset) and kind is frozenset:
                value = frozenset(self.count_members(member).items())
            else:
                value = self._pickle(member)
            number = self._numbers.setdefault((kind, value), len(self._numbers))
            self._numbered[id(member)] = number, member
        return self._numbered[id(member)][0]

    def _pickle(self, member: object) -> bytes:
        """Pickle one member, with all that it refers to.

        Raises: ValueError, if members refer to so much in common that this takes quadratic time.
        """
        pickled = pickle.dumps(member, 2)
        self._budget += _CLASS_NAMES - len(pickled)
        if self._budget < 0:
            raise ValueError("the members of a set refer to too much in common")
        return pickled


def _compare(one: Any, other: Any, memo: _Memo) -> bool:  # noqa: PLR0911  # one return a type
    kind = type(one)
    if kind is not type(other):
        return False
    if kind in _SCALARS:
        return bool(one == other)
    if kind in _INEXACT:  # repr is exact, equal for NaN, and tells 0.0 from -0.0
        return repr(one) == repr(other)
    # A pair that is met again was compared, or is being compared further up, because the values
    # contain themselves. If it differs, that is found there. So each pair is compared once.
    if (id(one), id(other)) in memo.pairs:
        return True
    memo.pairs[id(one), id(other)] = one, other  # kept, because ids of freed objects are reused
    if kind is dict:
        return len(one) == len(other) and all(
            _compare(a, b, memo) and _compare(x, y, memo)
            for (a, x), (b, y) in zip(one.items(), other.items(), strict=True)
        )
    if kind in (list, tuple):
        return len(one) == len(other) and all(
            _compare(a, b, memo) for a, b in zip(one, other, strict=True)
        )
    if kind in (set, frozenset):
        return memo.count_members(one) == memo.count_members(other)
    # Two pickles of an object differ if a set inside it has another order. So the object is taken
    # apart, and its parts are compared.
    parts, others = _reduce(one), _reduce(other)
    if parts is None or others is None:
        return pickle.dumps(one, 2) == pickle.dumps(other, 2)
    return _compare(parts, others, memo)


def _reduce(value: object) -> list[object] | None:
    """Take an object apart as pickle does: the function that creates it, its state, its items.

    None for a class, a function or another global, of which a pickle holds only the name.
    """
    if isinstance(value, (type, FunctionType)):
        return None
    reduce = copyreg.dispatch_table.get(type(value))
    reduced = value.__reduce_ex__(2) if reduce is None else reduce(value)
    if isinstance(reduced, str):
        return None
    return [list(part) if isinstance(part, Iterator) else part for part in reduced]


def find_changed_keys(base: Mapping[str, object], ours: Mapping[str, object]) -> tuple[str, ...]:
    """Return the keys of *ours* that were set or replaced since *base*, and those deleted."""
    changed = []
    for key, new in ours.items():
        old = base.get(key, _NOTHING)
        # Most values are texts and numbers: each save compares these here, without a call.
        plainly_same = type(old) is type(new) and type(new) in _SCALARS and old == new
        if not plainly_same and (old is _NOTHING or not is_same(old, new)):
            changed.append(key)
    return (*changed, *(key for key in base if key not in ours))


def has_objects(
    changed: Iterable[str], base: Mapping[str, object], ours: Mapping[str, object]
) -> bool:
    """Return whether a key that changed holds anything but a text or a number, on either side.

    Then *base* has to go through its envelope once more before the change counts: an object is
    compared by its pickle, and both pickles need the same history.
    """
    return any(
        type(side.get(key)) not in (*_SCALARS, *_INEXACT)
        for key in changed
        for side in (base, ours)
    )


def merge(base: Values, ours: Values, theirs: Values) -> Values:
    """Return *theirs* with all changes from *base* to *ours*.

    | key     | in ours, compared with base | result                                        |
    |---------|-----------------------------|-----------------------------------------------|
    | any     | set or replaced             | ours; the later save wins over a change there |
    | any     | deleted                     | deleted                                       |
    | any     | the same, or never there    | theirs, or missing if it is missing there     |
    | a time  | whichever of these          | the later one of ours and theirs              |

    Only whole top-level keys are merged: of two requests that append to one list, the later wins.
    """
    merged = dict(theirs)
    for key in find_changed_keys(base, ours):
        if key in ours:
            merged[key] = ours[key]
        else:
            merged.pop(key, None)
    for key in TIME_KEYS:
        stamps = [side[key] for side in (ours, theirs) if isinstance(side.get(key), (int, float))]
        if key in merged and stamps:
            merged[key] = max(stamps)
    return merged
