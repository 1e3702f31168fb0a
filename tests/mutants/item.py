"""Mutants of `item/` and of the creation lock: where they are made, and which survive, and why."""

from __future__ import annotations

from typing import Final

from tests.mutants.group import SHORTCUT, SPELLING, Group

COUNTED: Final = "the lengths have been compared before"
BOTH: Final = "both sides are pickled by the same protocol, whichever it is"
CHECKER: Final = "`cast` is for the type checker alone"
MEMORY: Final = "the result is the same; tests of memory notice it, and take minutes"
TRADE: Final = "other bytes of the same content: less time for more bytes, or more"
ONE_MORE: Final = "one byte more is inflated before it is refused"
BIG_ENDIAN: Final = "Python's own default"
IMPORTED: Final = (
    "it runs once, when the module is imported, which is before a mutant is chosen;"
    " changed by hand, each of these mutants fails a test"
)

_SURVIVORS: Final = {
    # item/codec.py
    'def deflate(data: bytes, dictionary: bytes = b"", *, fast: bool = False) -> bytes:': (
        1,
        "tests that leave the dictionary out call it while pytest collects them",
    ),
    'data: bytes, max_size: int, window: int = _ZLIB, dictionary: bytes = b""': (
        1,
        "zlib reads a dictionary only if the stream asks for it",
    ),
    "zlibs = zlib.compressobj(LEVEL, wbits=-bits, memLevel=bits - 7, zdict=dictionary)": (2, TRADE),
    "deflater = isal_zlib.compressobj(FAST_LEVEL, wbits=_RAW, zdict=dictionary)": (1, TRADE),
    "value = inflater.decompress(data, max_size + 1)": (1, ONE_MORE),
    "value = bytes(inflater.decompress(data, max_size + 1))": (1, ONE_MORE),
    'return b""': (3, "XXXX is no pickle, no JSON and no zlib stream either"),
    "other_bytes: int = 0,": (1, "only a tombstone leaves it out, which has nothing to compress"),
    "if self.compress and units > 1 and not (flags and is_zlib(payload)):": (1, SHORTCUT),
    "self._check_size(payload, context, is_raw=flags & BASE64 > 0)": (1, "the flag is 4"),
    "if self.fast and (value := inflate_fast(payload, self.max_size, dictionary)) is not None:": (
        2,
        SHORTCUT,
    ),
    'return hmac.digest(key, _LABEL + get_birth(self.rev) + place + b"\\x01", "sha256")': (
        1,
        SPELLING,
    ),
    'parts = [word.encode("utf-8", "surrogatepass") for word in words]': (1, SPELLING),
    'return struct.pack(">III", *map(len, parts)) + b"".join(parts)': (1, "no part has 2 GB"),
    "if not is_zlib(raw) or len(raw) * _MAX_INFLATION <= max_size:": (2, SHORTCUT),
    "if inflater.eof or count > max_size:": (1, "what follows the stream is not inflated either"),
    "return len(raw) > 1 and raw[0] & 0x0F == 8 and (raw[0] << 8 | raw[1]) % 31 == 0"
    "  # noqa: PLR2004": (1, "no stream has two bytes"),
    # item/decide.py
    "state.ours.raw = comparison.raw": (1, SHORTCUT),
    "ends_by_max_age = expires < state.now + lifetime": (
        1,
        "if both are equal, Beaker's time-out is earlier, by its padding",
    ),
    # item/dictionary.py
    'keys = (b"X" + struct.pack("<I", len(word)) + word.encode() + b"q" for word in _WORDS)': (
        14,
        f"{IMPORTED}, but for a signed length: no word has 2 GB",
    ),
    'return b"".join(keys) + _VALUES + _BEGINNING': (4, IMPORTED),
    # item/envelope.py
    'at, is_key, name = len(_PICKLED_DICT) + 1, True, b""': (1, "a name is read before it counts"),
    "created: bytes | None = usual[2]": (1, SHORTCUT),
    "return usual.end(), _read_creation_time(head) if created is None else created": (1, SHORTCUT),
    'return inflate(_decode_base64(text), self.max_size) or b""': (1, "XXXX is no JSON either"),
    'return base64.b64encode(zlib.compress(json.dumps(values).encode())).decode("ascii")': (
        1,
        SPELLING,
    ),
    'return base64.b64encode(pickle.dumps(values, 2)).decode("ascii")': (1, SPELLING),
    'raw = undo_base64(ours.encode("utf-8", "surrogatepass"))': (1, SPELLING),
    "is_doubtful = _names_a_class(_decode_base64(ours) if raw is None else raw)": (1, SHORTCUT),
    # item/keys.py
    'return "~" + hashlib.sha256(kind + text.encode("utf-8", "surrogatepass")).hexdigest()': (
        1,
        SPELLING,
    ),
    'return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else None': (
        1,
        SPELLING,
    ),
    'return _encode(namespace, _PLAIN_NAMESPACE) if text is None else _hash(b"text\\0", text)': (
        1,
        "an object is hashed, whatever the alphabet",
    ),
    # item/merge.py
    "if parts is None or others is None:": (1, "two of one type are both named, or neither is"),
    "plainly_same = type(old) is type(new) and type(new) in _SCALARS and old == new": (3, SHORTCUT),
    "for (a, x), (b, y) in zip(one.items(), other.items(), strict=True)": (3, COUNTED),
    "_compare(a, b, memo) for a, b in zip(one, other, strict=True)": (3, COUNTED),
    "reduced = value.__reduce_ex__(2) if reduce is None else reduce(value)": (1, BOTH),
    "pickled = pickle.dumps(member, 2)": (3, BOTH),
    "if id(member) not in self._numbered:": (1, "a member is numbered again, with the same number"),
    "if self._budget < 0:": (2, "pickles may be one byte shorter or longer, together"),
    'raise ValueError("the members of a set refer to too much in common")': (
        1,
        "`is_same` catches it, as it catches all that a pickle raises",
    ),
    # item/opcodes.py
    "return lambda machine: machine.stack.append(value)": (2, IMPORTED),
    "return lambda machine: machine.stack.append(convert(machine.read(width)))": (4, IMPORTED),
    "return lambda machine: machine.stack.append("
    "convert(machine.read(machine.read_number(width))))": (5, IMPORTED),
    "return lambda machine: machine.stack.append(convert(machine.read_line()))": (3, IMPORTED),
    "return lambda machine: machine.read(width)": (2, IMPORTED),
    "if len(machine.stack) < count:": (1, IMPORTED),
    "machine.stack[-count:] = [STUB]": (2, IMPORTED),
    "if len(machine.stack) <= count:": (1, IMPORTED),
    "del machine.stack[len(machine.stack) - count :]": (1, IMPORTED),
    "is_bottom = not self.stack and not self.outer": (1, MEMORY),
    "self.stack.append({} if is_bottom else STUB)": (1, MEMORY),
    "for key, value in zip(items[::2], items[1::2], strict=True):": (3, COUNTED),
    'return line.decode("raw-unicode-escape")': (1, SPELLING),
    # item/record.py
    "return len(str(value)) // 2 + 2": (2, "a number may be counted a byte too large"),
    "if len(number.as_tuple().digits) <= _MAX_DIGITS:": (1, SHORTCUT),
    'return str.__str__(cast("str", value))': (3, CHECKER),
    'return bytes.__getitem__(cast("bytes", value), slice(None))': (3, CHECKER),
    'return int.__int__(cast("int", value))': (3, CHECKER),
    'return float.__float__(cast("float", value))': (3, CHECKER),
    'return Decimal(cast("Decimal", value)) if issubclass(kind, Decimal) else None': (4, CHECKER),
    "promoted = read_promoted(item, schema) if schema.special else {}": (1, SHORTCUT),
    "chunks = count_chunks(data, schema.max_chunks) if data[2:3] == _MANIFEST_FLAGS else 0": (
        1,
        SHORTCUT,
    ),
    'pending = item.get("pending", "")': (2, "what is no text counts as none"),
    # item/revision.py
    'return int.from_bytes(rev[:START_SIZE], "big") or None': (1, BIG_ENDIAN),
    'return seconds.to_bytes(START_SIZE, "big") + birth[:BIRTH_SIZE] + token': (1, BIG_ENDIAN),
    # caches/creation_lock.py
    "local.holder = None": (1, "no thread has the id that replaces it"),
    "if len(_first_seen) >= MAX_FIRST_SEEN:": (1, "one key more is remembered"),
    "return now - first.since > self._lifetime + CLOCK_TOLERANCE": (
        1,
        "a lifetime ends one tick of a clock later",
    ),
}

GROUP: Final = Group(
    files=("beaker_dynamodb/item/*.py", "beaker_dynamodb/caches/creation_lock.py"),
    tests=(
        "tests/item",
        "tests/caches/test_creation_lock.py",
        "tests/caches/test_creation_lock_faults.py",
    ),
    left_out=(  # they measure time or memory for minutes
        "tests/item/test_safe_load_hostile.py",
        "tests/item/test_growth.py",
        "tests/item/test_same.py::test_ten_thousand_loads_are_no_write",
    ),
    survivors=_SURVIVORS,
)
