"""Read the plain values of a session out of its text, without running any class's code.

The opcodes of a pickle are read by hand, in one pass over its bytes. Nothing is imported, called,
hashed or compared except short texts, and nothing nests. So whoever wrote the pickle cannot run
code here, crash the process, hang it, or make it take more memory than a few times the pickle.
"""

from __future__ import annotations

import binascii
import math
import pickle
from typing import Any, Final

from beaker_dynamodb.item.envelope import ACCESSED, PLACES, JsonEnvelope, Values, read_time
from beaker_dynamodb.item.opcodes import ACTIONS, Machine

#: What Beaker adds to a session's timeout before it hands it on (beaker/session.py:187).
BEAKER_TIMEOUT_PADDING: Final = 120
_PICKLE: Final = b"\x80"
#: A pickle with more opcodes is opaque. One of them takes 90 bytes of memory at most (measured),
#: and a session of 1 MB has some 200,000.
MAX_OPCODES: Final = 500_000


def safe_load(pickled: object) -> object:
    """Read what was pickled: a scalar, or a dict of scalars; None for garbage and for no bytes.

    Everything else, at the top or in the dict, is `STUB`. Bytes of a protocol below 3 are a
    call of a function in a pickle, and so a stub too. It never raises, and takes linear time.
    """
    if not isinstance(pickled, (bytes, bytearray, memoryview)):
        return None  # a database or Redis may hold whatever its writer likes
    machine = Machine(bytes(pickled))
    try:
        for _ in range(MAX_OPCODES):
            opcode = machine.take(1)
            if opcode == pickle.STOP:
                return machine.stack[-1]
            ACTIONS[opcode](machine)
    except (IndexError, KeyError, ValueError):
        # An IndexError is a stack or memo that holds less than is asked for, a KeyError an unknown
        # opcode, a ValueError everything else.
        return None
    return None


def load_session(text: str, envelope: str, max_size: int) -> dict[Any, Any] | None:
    """Return the dict in a session's text, None where it is opaque.

    Args:
        envelope: the option. `none` opens nothing, and `json` no pickle.
        max_size: the ceiling of a value in bytes, inflated.
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


def accessed(values: Values | None) -> float | None:
    """Read when the session was last accessed, in epoch seconds; None where nothing says so."""
    return read_time(values or {}, ACCESSED)


def is_emptied(values: Values | None) -> bool:
    """Tell whether it is what Beaker's own delete() leaves behind: its bookkeeping, if that."""
    return values is not None and values.keys() <= PLACES


def expiry(since: float | None, lifetime: float | None, now: float) -> int | None:
    """Say when a row expires that was last saved at *since*, or at *now* where that is not known.

    Epoch seconds; None is never. `lifetime` is what Beaker hands over, or the option `ttl`.
    """
    if lifetime is None:
        return None
    return math.ceil(min(now if since is None else since, now) + lifetime)


def timed_out(since: float | None, timeout: float | None, now: float) -> bool:
    """Tell whether Beaker would end a session that was last accessed at *since*.

    `timeout` is Beaker's own, in seconds, without its grace (beaker/session.py:447).
    """
    return since is not None and timeout is not None and now - since > timeout
