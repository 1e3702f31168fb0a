"""What "changed" means, and the three-way merge over a session's top-level keys.

`same` is never a bare `==`: that lies for objects without `__eq__`, for NaN, and for 1 and
True; it would lose acknowledged changes and turn reads into writes.
"""

from __future__ import annotations

import copyreg
import pickle
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any, Final

from beaker_dynamodb.item.envelope import TIMES, Values

_SCALARS: Final = (str, bytes, int, bool, type(None))
_INEXACT: Final = (float, complex)
_NOTHING: Final = object()
#: The pickles of the objects in sets may be so many times as long, together, as those of the two
#: values; and so many bytes longer for each, as every one of them names its classes again.
_TIMES: Final = 4
_CLASS_NAMES: Final = 256


def same(one: object, other: object) -> bool:
    """Tell whether two values that came out of the same envelope are the same value.

    Same exact type, and: containers item by item (dicts in order too: an application that moves
    a key to the end has changed it), sets as sets, scalars by value with NaN equal to NaN, any
    other object by its pickle. Values that no pickle takes are never the same, and neither are
    unequal pickles with sets of objects that share too much to be told apart in linear time.
    """
    try:
        # One pickle is one value. What nobody touched, most of a session, mostly has the same: told
        # in a tenth of the time that its parts take. Only the whole is pickled: objects that hold
        # one another, as a cart and its lines do, would each be pickled with all the others.
        if type(one) is not type(other):
            return False
        pickled, others = pickle.dumps(one, 2), pickle.dumps(other, 2)
        return pickled == others or _same(one, other, _Seen(len(pickled) + len(others)))
    except Exception:  # noqa: BLE001  # pickling runs the code of any class
        return False


class _Seen:
    """What one comparison has met: pairs that were compared, and names for the members of sets.

    Equal members of both sides have the same name, a small number: names that held one another
    would be compared along every way through them.
    """

    def __init__(self, size: int) -> None:
        self.pairs: dict[tuple[int, int], tuple[object, object]] = {}
        self._names: dict[Hashable, int] = {}
        self._named: dict[int, tuple[int, object]] = {}  # by id; kept alive, as in `pairs`
        self._budget = _TIMES * size

    def count_members(self, members: Iterable[object]) -> Counter[int]:
        """Count the members of a set by their names."""
        return Counter(map(self._name, members))

    def _name(self, member: object) -> int:
        """Name a member of a set by type and value, so that 1 and True stay apart."""
        kind = type(member)
        if kind in _SCALARS:
            return self._names.setdefault((kind, member), len(self._names))
        if kind in _INEXACT:
            return self._names.setdefault((kind, repr(member)), len(self._names))
        if id(member) not in self._named:
            if isinstance(member, tuple) and kind is tuple:
                value: Hashable = tuple(map(self._name, member))
            elif isinstance(member, frozenset) and kind is frozenset:
                value = frozenset(self.count_members(member).items())
            else:
                value = self._pickle(member)
            name = self._names.setdefault((kind, value), len(self._names))
            self._named[id(member)] = name, member
        return self._named[id(member)][0]

    def _pickle(self, member: object) -> bytes:
        """Pickle one member, with all that it refers to.

        Raises: ValueError, where members refer to so much in common that this is quadratic.
        """
        pickled = pickle.dumps(member, 2)
        self._budget += _CLASS_NAMES - len(pickled)
        if self._budget < 0:
            raise ValueError("the members of a set refer to too much in common")
        return pickled


def _same(one: Any, other: Any, seen: _Seen) -> bool:  # noqa: PLR0911  # a kind each
    kind = type(one)
    if kind is not type(other):
        return False
    if kind in _SCALARS:
        return bool(one == other)
    if kind in _INEXACT:  # repr is exact, equal for NaN, and tells 0.0 from -0.0
        return repr(one) == repr(other)
    if (id(one), id(other)) in seen.pairs:  # shared or cyclic: compared, or being compared
        return True
    seen.pairs[id(one), id(other)] = one, other  # kept alive: an id is only theirs for so long
    if kind is dict:
        return len(one) == len(other) and all(
            _same(a, b, seen) and _same(x, y, seen)
            for (a, x), (b, y) in zip(one.items(), other.items(), strict=True)
        )
    if kind in (list, tuple):
        return len(one) == len(other) and all(
            _same(a, b, seen) for a, b in zip(one, other, strict=True)
        )
    if kind in (set, frozenset):
        return seen.count_members(one) == seen.count_members(other)
    # A set within has no order of its own: compare what the pickle is made of, part by part.
    parts, others = _parts(one), _parts(other)
    if parts is None or others is None:
        return pickle.dumps(one, 2) == pickle.dumps(other, 2)
    return _same(parts, others, seen)


def _parts(value: object) -> list[object] | None:
    """Take an object apart as its pickle would: what makes it, its state, its items.

    None for a class, a function or another global, which a pickle only names.
    """
    if isinstance(value, (type, FunctionType)):
        return None
    reduce = copyreg.dispatch_table.get(type(value))
    made = value.__reduce_ex__(2) if reduce is None else reduce(value)
    if isinstance(made, str):
        return None
    return [list(part) if isinstance(part, Iterator) else part for part in made]


def changed_keys(known: Mapping[str, object], mine: Mapping[str, object]) -> tuple[str, ...]:
    """Name the keys of *mine* that were set or replaced since *known*, and those deleted."""
    changed = []
    for key, new in mine.items():
        old = known.get(key, _NOTHING)
        # Texts and numbers first, without a call: a session is mostly these, a save each.
        plainly_same = type(old) is type(new) and type(new) in _SCALARS and old == new
        if not plainly_same and (old is _NOTHING or not same(old, new)):
            changed.append(key)
    return (*changed, *(key for key in known if key not in mine))


def in_doubt(
    changed: Iterable[str], known: Mapping[str, object], mine: Mapping[str, object]
) -> bool:
    """Tell whether more than a text or a number stands under one of the keys that changed.

    Then *known* must go once more through its envelope before the difference counts: an object
    is told by its pickle, and that has to have the same history.
    """
    return any(
        type(side.get(key)) not in (*_SCALARS, *_INEXACT)
        for key in changed
        for side in (known, mine)
    )


def merge(known: Values, mine: Values, theirs: Values) -> Values:
    """Apply to *theirs* what changed from *known* to *mine*; times only grow.

    A key that both changed is mine: the later save wins.
    """
    merged = dict(theirs)
    for key in changed_keys(known, mine):
        if key in mine:
            merged[key] = mine[key]
        else:
            merged.pop(key, None)
    for key in TIMES:
        stamps = [side[key] for side in (mine, theirs) if isinstance(side.get(key), (int, float))]
        if key in merged and stamps:
            merged[key] = max(stamps)
    return merged
