"""The opcodes of a pickle, as functions on a stack machine that keeps plain values only.

`safe_load.py` explains the approach and runs the opcodes; Lib/pickletools.py in Python's source
describes them all. The rules that every function here must keep:

* Nothing is imported or called. GLOBAL, REDUCE, NEWOBJ and the like push or leave a stub.
* Nothing is hashed or compared except texts of up to 255 characters: integers with one hash in a
  dict, or long equal keys, would make time quadratic.
* Nothing nests: the one dict is at the bottom of the stack, and what is put into any other
  container is dropped. So no recursion is needed to read, to compare or to free a value.
* No length or index in the pickle is trusted: bytes are sliced from what remains, and the memo
  grows by one element more than a pickler could need.
* A stack effect must be exact, even of objects that are dropped. If REDUCE took one value too few,
  each value after it would end under the key of its neighbor.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

#: A longer key of the dict becomes a stub. DynamoDB accepts no longer name of an index's key.
_MAX_KEY: Final = 255
#: A longer integer becomes a stub: the cost of parsing digits grows with their square.
_MAX_INTEGER_BYTES: Final = 255
_MAX_DIGITS: Final = 640  # 255 bytes are 615 digits
_HIGHEST_PROTOCOL: Final = 5
_FLOAT: Final = struct.Struct(">d")


class _Stub:
    """The value in place of everything that is not plain: objects, lists, inner dicts.

    It is also the one key for all keys that are no short texts. If these were dropped, a session
    with no other keys would look empty, and an empty session counts as logged out.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "<stub>"


STUB: Final = _Stub()


class GarbageError(ValueError):
    """The bytes are not a pickle. The error holds none of them."""


class Machine:
    """The state that the opcodes work on: the bytes, the position in them, a stack and a memo.

    The opcode MARK begins a group of values, such as the members of a list, and a later opcode
    takes the whole group. So there is a stack of stacks, as in Python's own unpickler: `stack`
    holds what was pushed since the last MARK, and `outer` the stacks before each MARK.

    The memo holds values that the pickle refers to again, by their index. Only the dict at the very
    bottom of the stacks is a dict; each value in it is a scalar or the stub.
    """

    __slots__ = ("memo", "outer", "position", "raw", "stack")

    def __init__(self, raw: bytes) -> None:
        self.raw: bytes = raw
        self.position: int = 0
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []
        self.memo: list[Any] = []

    def read(self, count: int) -> bytes:
        """Return the next *count* bytes. Raises: GarbageError, if fewer remain."""
        begin, self.position = self.position, self.position + count
        if self.position > len(self.raw):
            raise GarbageError
        return self.raw[begin : self.position]

    def read_number(self, width: int) -> int:
        """Return an unsigned integer of *width* bytes."""
        return int.from_bytes(self.read(width), "little")

    def read_line(self) -> bytes:
        """Return the bytes up to the next newline. Raises: ValueError, if there is none."""
        begin, end = self.position, self.raw.index(b"\n", self.position)
        self.position = end + 1
        return self.raw[begin:end]

    def pop_mark(self) -> list[Any]:
        """Return what was pushed since the last MARK, and go back to the stack before it."""
        items, self.stack = self.stack, self.outer.pop()
        return items

    def push_dict(self) -> None:
        """Push a dict if the stacks are empty, else a stub: no value of an inner dict is needed."""
        is_bottom = not self.stack and not self.outer
        self.stack.append({} if is_bottom else STUB)

    def set_items(self, items: list[Any]) -> None:
        """Put alternating keys and values into the dict on top of the stack, if it is one."""
        target = self.stack[-1]
        if len(items) % 2:
            raise GarbageError
        if type(target) is not dict:
            return
        for key, value in zip(items[::2], items[1::2], strict=True):
            is_short_text = type(key) is str and len(key) <= _MAX_KEY
            target[key if is_short_text else STUB] = STUB if type(value) is dict else value

    def put(self, index: int) -> None:
        """Copy the top of the stack to the memo.

        Python 3 numbers from 0, cPickle of Python 2 from 1; both count up one by one. So an index
        may skip one element, and no more: a pickle of ten bytes could else ask for gigabytes.
        """
        value, size = self.stack[-1], len(self.memo)
        if not 0 <= index <= size + 1:
            raise GarbageError
        self.memo += [STUB] * (index + 1 - size)
        self.memo[index] = value

    def get(self, index: int) -> None:
        """Push a value of the memo."""
        if index < 0:
            raise GarbageError
        self.stack.append(self.memo[index])


Action: TypeAlias = Callable[[Machine], object]
#: Returns the value of an opcode's bytes, without those of its length.
Convert: TypeAlias = Callable[[bytes], object]


def _push(value: object) -> Action:
    """Push a constant."""
    return lambda machine: machine.stack.append(value)


def _push_fixed(width: int, convert: Convert) -> Action:
    """Push what *convert* returns for the next *width* bytes."""
    return lambda machine: machine.stack.append(convert(machine.read(width)))


def _push_counted(width: int, convert: Convert) -> Action:
    """Push what *convert* returns for bytes after their own length, which has *width* bytes."""
    return lambda machine: machine.stack.append(convert(machine.read(machine.read_number(width))))


def _push_line(convert: Convert) -> Action:
    """Push what *convert* returns for the bytes up to the next newline."""
    return lambda machine: machine.stack.append(convert(machine.read_line()))


def _to_unsigned(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


def _to_signed(raw: bytes) -> Any:
    return int.from_bytes(raw, "little", signed=True) if len(raw) <= _MAX_INTEGER_BYTES else STUB


def _line_to_integer(line: bytes) -> Any:
    """Parse the integer of protocol 0; it writes True as `01` and False as `00`."""
    if line in {b"00", b"01"}:
        return line == b"01"
    digits = line.removesuffix(b"L")
    return int(digits) if len(digits) <= _MAX_DIGITS else STUB


def _line_to_float(line: bytes) -> Any:
    return float(line) if len(line) <= _MAX_DIGITS else STUB


def _to_float(raw: bytes) -> Any:
    return _FLOAT.unpack(raw)[0]


def _decode_utf8(raw: bytes) -> object:
    """Decode a text; one with a lone surrogate becomes a stub, as it can be no index's key."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return STUB


def _decode_ascii(raw: bytes) -> object:
    """Decode a `str` of Python 2, which is bytes; Beaker's own texts and keys are ASCII."""
    return raw.decode() if raw.isascii() else STUB


def _decode_literal(line: bytes) -> object:
    """Decode a `str` that Python 2 wrote as a literal; one with a backslash becomes a stub."""
    quote = line[:1]
    if len(line) < 2 or quote not in {b"'", b'"'} or not line.endswith(quote):  # noqa: PLR2004
        raise GarbageError
    return STUB if b"\\" in line else _decode_ascii(line[1:-1])


def _decode_escapes(line: bytes) -> object:
    return line.decode("raw-unicode-escape")


def _to_stub(_: bytes) -> object:
    return STUB


def _parse_index(machine: Machine) -> int:
    """Return an index of the memo, as protocol 0 writes it."""
    line = machine.read_line()
    if len(line) > _MAX_DIGITS:
        raise GarbageError
    return int(line)


def _replace(count: int) -> Action:
    """Pop *count* values, such as a class and its arguments, and push one stub for the object."""

    def action(machine: Machine) -> None:
        if len(machine.stack) < count:
            raise GarbageError
        machine.stack[-count:] = [STUB]

    return action


def _drop(count: int) -> Action:
    """Pop *count* values, such as a list's new member; the object below them stays as it is."""

    def action(machine: Machine) -> None:
        if len(machine.stack) <= count:
            raise GarbageError
        del machine.stack[len(machine.stack) - count :]

    return action


def _skip(width: int) -> Action:
    """Skip *width* bytes, such as the length of a frame, which is not needed."""
    return lambda machine: machine.read(width)


def _mark(machine: Machine) -> None:
    machine.outer.append(machine.stack)
    machine.stack = []


def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


def _replace_mark(machine: Machine) -> None:
    """Replace what was pushed since the last MARK by one stub, for a list, tuple or object."""
    machine.pop_mark()
    machine.stack.append(STUB)


def _drop_marked(machine: Machine) -> None:
    """Drop what was pushed since the last MARK: the members of the object before it."""
    machine.pop_mark()
    if not machine.stack:
        raise GarbageError


def _push_marked_dict(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.push_dict()
    machine.set_items(items)


def _set_item(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _push_global(machine: Machine) -> None:
    machine.read_line()
    machine.read_line()
    machine.stack.append(STUB)


def _push_instance(machine: Machine) -> None:
    machine.read_line()
    machine.read_line()
    _replace_mark(machine)


def _protocol(machine: Machine) -> None:
    if machine.read_number(1) > _HIGHEST_PROTOCOL:
        raise GarbageError


#: The function of each opcode. STOP is not among them: `safe_load` ends there.
ACTIONS: Final[Mapping[bytes, Action]] = {
    pickle.PROTO: _protocol,
    pickle.FRAME: _skip(8),
    # Scalars
    pickle.NONE: _push(None),
    pickle.NEWTRUE: _push(value=True),
    pickle.NEWFALSE: _push(value=False),
    pickle.BININT: _push_fixed(4, _to_signed),
    pickle.BININT1: _push_fixed(1, _to_unsigned),
    pickle.BININT2: _push_fixed(2, _to_unsigned),
    pickle.LONG1: _push_counted(1, _to_signed),
    pickle.LONG4: _push_counted(4, _to_signed),
    pickle.INT: _push_line(_line_to_integer),
    pickle.LONG: _push_line(_line_to_integer),
    pickle.FLOAT: _push_line(_line_to_float),
    pickle.BINFLOAT: _push_fixed(8, _to_float),
    pickle.BINUNICODE: _push_counted(4, _decode_utf8),
    pickle.SHORT_BINUNICODE: _push_counted(1, _decode_utf8),
    pickle.BINUNICODE8: _push_counted(8, _decode_utf8),
    pickle.UNICODE: _push_line(_decode_escapes),
    pickle.BINSTRING: _push_counted(4, _decode_ascii),
    pickle.SHORT_BINSTRING: _push_counted(1, _decode_ascii),
    pickle.STRING: _push_line(_decode_literal),
    pickle.BINBYTES: _push_counted(4, bytes),
    pickle.SHORT_BINBYTES: _push_counted(1, bytes),
    pickle.BINBYTES8: _push_counted(8, bytes),
    # The dict
    pickle.EMPTY_DICT: Machine.push_dict,
    pickle.DICT: _push_marked_dict,
    pickle.SETITEM: _set_item,
    pickle.SETITEMS: lambda machine: machine.set_items(machine.pop_mark()),
    # Other containers
    pickle.EMPTY_LIST: _push(STUB),
    pickle.EMPTY_TUPLE: _push(STUB),
    pickle.EMPTY_SET: _push(STUB),
    pickle.BYTEARRAY8: _push_counted(8, _to_stub),
    pickle.LIST: _replace_mark,
    pickle.TUPLE: _replace_mark,
    pickle.FROZENSET: _replace_mark,
    pickle.TUPLE1: _replace(1),
    pickle.TUPLE2: _replace(2),
    pickle.TUPLE3: _replace(3),
    pickle.APPEND: _drop(1),
    pickle.APPENDS: _drop_marked,
    pickle.ADDITEMS: _drop_marked,
    # Objects
    pickle.GLOBAL: _push_global,
    pickle.STACK_GLOBAL: _replace(2),
    pickle.REDUCE: _replace(2),
    pickle.NEWOBJ: _replace(2),
    pickle.NEWOBJ_EX: _replace(3),
    pickle.BUILD: _drop(1),
    pickle.OBJ: _replace_mark,
    pickle.INST: _push_instance,
    pickle.EXT1: _push_fixed(1, _to_stub),
    pickle.EXT2: _push_fixed(2, _to_stub),
    pickle.EXT4: _push_fixed(4, _to_stub),
    pickle.PERSID: _push_line(_to_stub),
    pickle.BINPERSID: _replace(1),
    pickle.NEXT_BUFFER: _push(STUB),
    pickle.READONLY_BUFFER: _drop(0),
    # The stack and the memo
    pickle.MARK: _mark,
    pickle.POP: _pop,
    pickle.POP_MARK: Machine.pop_mark,
    pickle.DUP: lambda machine: machine.stack.append(machine.stack[-1]),
    pickle.MEMOIZE: lambda machine: machine.put(len(machine.memo)),
    pickle.PUT: lambda machine: machine.put(_parse_index(machine)),
    pickle.BINPUT: lambda machine: machine.put(machine.read_number(1)),
    pickle.LONG_BINPUT: lambda machine: machine.put(machine.read_number(4)),
    pickle.GET: lambda machine: machine.get(_parse_index(machine)),
    pickle.BINGET: lambda machine: machine.get(machine.read_number(1)),
    pickle.LONG_BINGET: lambda machine: machine.get(machine.read_number(4)),
}
