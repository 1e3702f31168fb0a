"""What each opcode of a pickle does, where only plain values are wanted.

Nothing is imported or called, nothing is hashed or compared but short texts, nothing nests, and no
length is believed beyond the bytes that remain. `safe_load.py` runs the opcodes.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

#: A longer key of the dict is not kept. DynamoDB takes no longer name of an index's key.
_MAX_KEY: Final = 255
#: A longer integer is not kept: the cost of reading digits grows with their square.
_MAX_INTEGER_BYTES: Final = 255
_MAX_DIGITS: Final = 640  # 255 bytes are 615 digits
_HIGHEST_PROTOCOL: Final = 5
_FLOAT: Final = struct.Struct(">d")


class _Stub:
    """The one value that stands for everything that is not plain: objects, lists, inner dicts.

    It also stands for every key that is not a short text. Nothing can be read from it.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "<stub>"


STUB: Final = _Stub()


class GarbageError(ValueError):
    """The bytes are not a pickle; it holds nothing of them."""


class Machine:
    """What a pickle's opcodes work on.

    `stack` holds what was pushed since the last MARK, `below` the stacks under the marks. Only
    the dict at the very bottom is a dict; each value in it is a scalar or the stub.
    """

    __slots__ = ("at", "below", "memo", "raw", "stack")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: list[Any] = []

    def take(self, count: int) -> bytes:
        """Read the next *count* bytes. Raises: GarbageError, where there are not so many."""
        begin, self.at = self.at, self.at + count
        if self.at > len(self.raw):
            raise GarbageError
        return self.raw[begin : self.at]

    def number(self, width: int) -> int:
        """Read an unsigned integer of *width* bytes."""
        return int.from_bytes(self.take(width), "little")

    def line(self) -> bytes:
        """Read up to the next newline. Raises: ValueError, where there is none."""
        begin, end = self.at, self.raw.index(b"\n", self.at)
        self.at = end + 1
        return self.raw[begin:end]

    def pop_mark(self) -> list[Any]:
        """Return what was pushed since the last mark, and go on with the stack below it."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def push_dict(self) -> None:
        """Push a dict at the bottom, a stub elsewhere: the values of inner dicts serve nobody."""
        is_bottom = not self.stack and not self.below
        self.stack.append({} if is_bottom else STUB)

    def set_items(self, items: list[Any]) -> None:
        """Put keys and values, one after the other, into the dict on top of the stack."""
        target = self.stack[-1]
        if len(items) % 2:
            raise GarbageError
        if type(target) is not dict:
            return
        for key, value in zip(items[::2], items[1::2], strict=True):
            is_short_text = type(key) is str and len(key) <= _MAX_KEY
            target[key if is_short_text else STUB] = STUB if type(value) is dict else value

    def put(self, index: int) -> None:
        """Remember the top of the stack. Python 3 counts from 0, cPickle of Python 2 from 1."""
        value, size = self.stack[-1], len(self.memo)
        if not 0 <= index <= size + 1:  # never what a pickler writes, and it would take memory
            raise GarbageError
        self.memo += [STUB] * (index + 1 - size)
        self.memo[index] = value

    def get(self, index: int) -> None:
        """Push what was remembered."""
        if index < 0:
            raise GarbageError
        self.stack.append(self.memo[index])


Action: TypeAlias = Callable[[Machine], object]


def _push(value: object) -> Action:
    """Push a constant."""
    return lambda machine: machine.stack.append(value)


def _push_integer(width: int, *, signed: bool = False) -> Action:
    def action(machine: Machine) -> None:
        number = int.from_bytes(machine.take(width), "little", signed=signed)
        machine.stack.append(number)

    return action


def _push_long(width: int) -> Action:
    """Push an integer whose length in bytes stands before it, in *width* bytes."""

    def action(machine: Machine) -> None:
        digits = machine.take(machine.number(width))
        is_short = len(digits) <= _MAX_INTEGER_BYTES
        number = int.from_bytes(digits, "little", signed=True) if is_short else STUB
        machine.stack.append(number)

    return action


def _push_integer_line(machine: Machine) -> None:
    """Push the integer of protocol 0; it writes True as `01` and False as `00`."""
    line = machine.line()
    if line in {b"00", b"01"}:
        machine.stack.append(line == b"01")
    else:
        machine.stack.append(_integer(line.removesuffix(b"L")))


def _integer(line: bytes) -> Any:
    return int(line) if len(line) <= _MAX_DIGITS else STUB


def _index(machine: Machine) -> int:
    """Read an index of the memo as protocol 0 writes it."""
    line = machine.line()
    if len(line) > _MAX_DIGITS:
        raise GarbageError
    return int(line)


def _push_float_line(machine: Machine) -> None:
    line = machine.line()
    machine.stack.append(float(line) if len(line) <= _MAX_DIGITS else STUB)


def _push_float(machine: Machine) -> None:
    (number,) = _FLOAT.unpack(machine.take(_FLOAT.size))
    machine.stack.append(number)


def _push_counted(width: int, read: Callable[[bytes], object]) -> Action:
    """Push what *read* makes of bytes whose length stands before them, in *width* bytes."""
    return lambda machine: machine.stack.append(read(machine.take(machine.number(width))))


def _push_line(read: Callable[[bytes], object]) -> Action:
    return lambda machine: machine.stack.append(read(machine.line()))


def _utf8(raw: bytes) -> object:
    """Decode a text; one with a lone surrogate can be no key of an index, and is a stub."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return STUB


def _ascii(raw: bytes) -> object:
    """Decode a `str` of Python 2; Beaker's texts and keys are ASCII."""
    return raw.decode() if raw.isascii() else STUB


def _quoted(line: bytes) -> object:
    """Decode a `str` that Python 2 wrote as a literal; Beaker's texts need no backslash."""
    quote = line[:1]
    if len(line) < 2 or quote not in {b"'", b'"'} or not line.endswith(quote):  # noqa: PLR2004
        raise GarbageError
    return STUB if b"\\" in line else _ascii(line[1:-1])


def _escaped(line: bytes) -> object:
    return line.decode("raw-unicode-escape")


def _stub(_: bytes) -> object:
    return STUB


def _replace(count: int) -> Action:
    """Pop *count* values and push one stub."""

    def action(machine: Machine) -> None:
        if len(machine.stack) < count:
            raise GarbageError
        machine.stack[-count:] = [STUB]

    return action


def _drop(count: int) -> Action:
    """Pop *count* values, which go into the object below them; that stays as it is."""

    def action(machine: Machine) -> None:
        if len(machine.stack) <= count:
            raise GarbageError
        del machine.stack[len(machine.stack) - count :]

    return action


def _skip(width: int) -> Action:
    """Read *width* bytes that say nothing."""
    return lambda machine: machine.take(width)


def _push_extension(width: int) -> Action:
    """Read the code of a class of the extension registry, in *width* bytes, and push a stub."""
    return lambda machine: machine.stack.append(_stub(machine.take(width)))


def _mark(machine: Machine) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


def _push_of_mark(machine: Machine) -> None:
    """Push a list, tuple or object that is made of what was pushed since the mark."""
    machine.pop_mark()
    machine.stack.append(STUB)


def _extend(machine: Machine) -> None:
    """Put what was pushed since the mark into the object below it."""
    machine.pop_mark()
    if not machine.stack:
        raise GarbageError


def _dict_of_mark(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.push_dict()
    machine.set_items(items)


def _set_item(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _push_global(machine: Machine) -> None:
    machine.line()
    machine.line()
    machine.stack.append(STUB)


def _push_instance(machine: Machine) -> None:
    machine.line()
    machine.line()
    _push_of_mark(machine)


def _protocol(machine: Machine) -> None:
    if machine.number(1) > _HIGHEST_PROTOCOL:
        raise GarbageError


#: What each opcode does (Lib/pickletools.py describes them). STOP is not among them.
ACTIONS: Final[Mapping[bytes, Action]] = {
    pickle.PROTO: _protocol,
    pickle.FRAME: _skip(8),
    # Scalars
    pickle.NONE: _push(None),
    pickle.NEWTRUE: _push(value=True),
    pickle.NEWFALSE: _push(value=False),
    pickle.BININT: _push_integer(4, signed=True),
    pickle.BININT1: _push_integer(1),
    pickle.BININT2: _push_integer(2),
    pickle.LONG1: _push_long(1),
    pickle.LONG4: _push_long(4),
    pickle.INT: _push_integer_line,
    pickle.LONG: _push_integer_line,
    pickle.FLOAT: _push_float_line,
    pickle.BINFLOAT: _push_float,
    pickle.BINUNICODE: _push_counted(4, _utf8),
    pickle.SHORT_BINUNICODE: _push_counted(1, _utf8),
    pickle.BINUNICODE8: _push_counted(8, _utf8),
    pickle.UNICODE: _push_line(_escaped),
    pickle.BINSTRING: _push_counted(4, _ascii),
    pickle.SHORT_BINSTRING: _push_counted(1, _ascii),
    pickle.STRING: _push_line(_quoted),
    pickle.BINBYTES: _push_counted(4, bytes),
    pickle.SHORT_BINBYTES: _push_counted(1, bytes),
    pickle.BINBYTES8: _push_counted(8, bytes),
    # The dict
    pickle.EMPTY_DICT: Machine.push_dict,
    pickle.DICT: _dict_of_mark,
    pickle.SETITEM: _set_item,
    pickle.SETITEMS: lambda machine: machine.set_items(machine.pop_mark()),
    # Other containers
    pickle.EMPTY_LIST: _push(STUB),
    pickle.EMPTY_TUPLE: _push(STUB),
    pickle.EMPTY_SET: _push(STUB),
    pickle.BYTEARRAY8: _push_counted(8, _stub),
    pickle.LIST: _push_of_mark,
    pickle.TUPLE: _push_of_mark,
    pickle.FROZENSET: _push_of_mark,
    pickle.TUPLE1: _replace(1),
    pickle.TUPLE2: _replace(2),
    pickle.TUPLE3: _replace(3),
    pickle.APPEND: _drop(1),
    pickle.APPENDS: _extend,
    pickle.ADDITEMS: _extend,
    # Objects
    pickle.GLOBAL: _push_global,
    pickle.STACK_GLOBAL: _replace(2),
    pickle.REDUCE: _replace(2),
    pickle.NEWOBJ: _replace(2),
    pickle.NEWOBJ_EX: _replace(3),
    pickle.BUILD: _drop(1),
    pickle.OBJ: _push_of_mark,
    pickle.INST: _push_instance,
    pickle.EXT1: _push_extension(1),
    pickle.EXT2: _push_extension(2),
    pickle.EXT4: _push_extension(4),
    pickle.PERSID: _push_line(_stub),
    pickle.BINPERSID: _replace(1),
    pickle.NEXT_BUFFER: _push(STUB),
    pickle.READONLY_BUFFER: _drop(0),
    # The stack and the memo
    pickle.MARK: _mark,
    pickle.POP: _pop,
    pickle.POP_MARK: Machine.pop_mark,
    pickle.DUP: lambda machine: machine.stack.append(machine.stack[-1]),
    pickle.MEMOIZE: lambda machine: machine.put(len(machine.memo)),
    pickle.PUT: lambda machine: machine.put(_index(machine)),
    pickle.BINPUT: lambda machine: machine.put(machine.number(1)),
    pickle.LONG_BINPUT: lambda machine: machine.put(machine.number(4)),
    pickle.GET: lambda machine: machine.get(_index(machine)),
    pickle.BINGET: lambda machine: machine.get(machine.number(1)),
    pickle.LONG_BINGET: lambda machine: machine.get(machine.number(4)),
}
