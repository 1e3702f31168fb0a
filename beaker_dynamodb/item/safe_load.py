"""Read the plain values of a session out of its text, without running any class's code.

`pickle.loads` runs code that the pickle names: its opcodes GLOBAL and REDUCE import any callable
and call it. So a pickle that somebody else may have written, such as one in the source backend,
must never be unpickled here. `pickle.Unpickler` with `find_class` overridden, which the Python
documentation recommends, would still build nested objects, hash keys, and allocate what the pickle
claims to need: it can be crashed, hung and made to exhaust memory.

What is needed of a session are two times and a few keys with short plain values. This module
reads these by hand:

* A pickle is a program for a stack machine. Each opcode is one byte, some are followed by an
  argument of a known length. `opcodes.py` holds one small function for each opcode.
* `safe_load` goes over the bytes once, from the first to STOP, and calls these functions. Numbers,
  texts, bytes, True, False and None are pushed as they are. Every list, tuple, set, object and
  inner dict is pushed as the same constant, `STUB`: its opcodes are followed, to know what remains
  on the stack, and its contents are dropped.
* The dict at the bottom of the stack is the session. It is the only container that is built, with
  keys that are short texts, or `STUB`.

For example, this is the pickle of `{"user": "joe", "cart": [7]}`, as `pickletools.dis` shows it,
without the opcodes that copy values to the memo. A parenthesis is the MARK:

    opcode               stack afterwards
    PROTO 2
    EMPTY_DICT           {}
    MARK                 {} (
    BINUNICODE 'user'    {} ( 'user'
    BINUNICODE 'joe'     {} ( 'user' 'joe'
    BINUNICODE 'cart'    {} ( 'user' 'joe' 'cart'
    EMPTY_LIST           {} ( 'user' 'joe' 'cart' STUB
    BININT1 7            {} ( 'user' 'joe' 'cart' STUB 7
    APPEND               {} ( 'user' 'joe' 'cart' STUB
    SETITEMS             {'user': 'joe', 'cart': STUB}
    STOP

Nothing is imported or called, only short texts are hashed, and nothing nests. So time is linear in
the length of the pickle, and memory is at most a few times that length.
"""

from __future__ import annotations

import binascii
import pickle
from typing import Any, Final

from beaker_dynamodb.item.envelope import JsonEnvelope
from beaker_dynamodb.item.opcodes import ACTIONS, Machine

#: The first byte of a pickle of protocol 2 or later, which is what Beaker writes (opcode PROTO).
_PICKLE: Final = pickle.PROTO
#: A pickle with more opcodes is opaque. Each takes at most 90 bytes of memory (measured), and a
#: session of 1 MB has some 200,000.
MAX_OPCODES: Final = 500_000


def safe_load(pickled: object) -> object:
    """Return a pickled scalar, or dict of scalars; None for anything that is no pickle.

    Every other value, at the top or in the dict, is returned as `STUB`. So are bytes in protocols 0
    to 2, which write them as the call of a function. Never raises.
    """
    if not isinstance(pickled, (bytes, bytearray, memoryview)):
        return None  # a database or Redis may return a value of any type
    machine = Machine(bytes(pickled))
    try:
        for _ in range(MAX_OPCODES):
            opcode = machine.read(1)
            if opcode == pickle.STOP:
                return machine.stack[-1]
            ACTIONS[opcode](machine)
    except (IndexError, KeyError, ValueError):
        # IndexError: the stack or the memo holds too little. KeyError: an unknown opcode.
        # ValueError: everything else, such as malformed digits, or too few bytes.
        return None
    return None


def load_session(text: str, envelope: str, max_size: int) -> dict[Any, Any] | None:
    """Return the dict in a session's text, None if the text is opaque.

    Args:
        envelope: the option. `none` opens nothing, and `json` no pickle.
        max_size: the maximum size of a value in bytes, inflated.
    """
    if envelope == "none":
        return None
    try:
        raw = binascii.a2b_base64(text)
    except ValueError:  # binascii.Error, and texts that are not ASCII
        return None
    if not raw.startswith(_PICKLE):
        return JsonEnvelope(max_size).open(text)
    values = safe_load(raw) if envelope != "json" else None
    return values if type(values) is dict else None
