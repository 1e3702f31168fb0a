"""Pickles that an attacker could put into the source backend, and a process that reads them.

`python -m tests.item.hostile` reads them all, and then random ones, under limits of memory and
CPU time. Its exit code is 0 if nothing was raised.
"""

from __future__ import annotations

import base64
import pickle
import pickletools
import resource
from collections.abc import Callable, Mapping
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.item.eligibility import LOGGED_OUT, Importable, ImportPolicy, decide_import
from beaker_dynamodb.item.record import Schema
from beaker_dynamodb.item.safe_load import safe_load

MB = 1024 * 1024
#: Python with Hypothesis takes some 200 MB of addresses before it begins.
MEMORY, CPU_SECONDS = 400 * MB, 100
LAW = settings(max_examples=400, derandomize=True, deadline=None, database=None)
SCHEMA = Schema(special=(("user", "S"), ("n", "N"), ("raw", "B")))
POLICY = ImportPolicy(None, 60, 16 * MB, SCHEMA)


def colliding(count: int) -> bytes:
    """Return a dict of integers that have one hash."""
    one = b"\x8a\x0b%bN"
    prime = 2**61 - 1
    return b"".join(one % (n * prime).to_bytes(11, "little") for n in range(1, count))


def equal_keys(count: int) -> bytes:
    """Return a dict that is asked *count* times for a long text, by an equal one."""
    text = b"X" + count.to_bytes(4, "little") + b"k" * count
    return b"\x80\x02}" + text + b"q\x000" + text + b"q\x010" + b"h\x00Nsh\x01Ns" * count + b"."


#: Each makes a pickle of a size.
HOSTILE: Mapping[str, Callable[[int], bytes]] = {
    "a nested tuple as a key": lambda n: b"\x80\x02})" + b"\x85" * n + b"K\x01s.",
    "nested lists": lambda n: b"\x80\x02" + b"(" * n + b"l" * n + b".",
    "nested dicts": lambda n: b"\x80\x02" + b"}U\x01a" * n + b"}" + b"s" * n + b".",
    "nested frozensets": lambda n: b"\x80\x04" + b"(" * n + b"\x91" * n + b".",
    "a memo index of 2 ** 31": lambda _: b"\x80\x02Nr\xff\xff\xff\x7f.",
    "a memo index of 2 ** 32": lambda _: b"\x80\x02Nr\xff\xff\xff\xff.",
    "a memo index in digits": lambda n: b"Np" + b"9" * min(n, 600) + b"\n.",
    "integers of one hash": lambda n: b"\x80\x02}(" + colliding(n) + b"u.",
    "empty lists": lambda n: b"\x80\x02" + b"]" * n + b".",
    "marks": lambda n: b"\x80\x02" + b"(" * n + b".",
    "dicts that are kept": lambda n: b"\x80\x04" + b"}\x940" * n + b".",
    "a long integer in digits": lambda n: b"I" + b"9" * n + b"\n.",
    "long integers in digits": lambda n: (b"L" + b"9" * 600 + b"L\n0") * (n // 600) + b"N.",
    "a long integer": lambda n: b"\x8b" + n.to_bytes(4, "little") + b"\x7f" * n + b".",
    "a long float": lambda n: b"F" + b"9" * n + b"\n.",
    "a length beyond the end": lambda n: b"\x80\x04\x8e" + b"\xff" * 8 + b"x" * n + b".",
    "a bytearray beyond memory": lambda _: b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x00.",
    "long equal keys": equal_keys,
    "lone surrogates": lambda n: b"X" + (3 * n).to_bytes(4, "little") + b"\xed\xa0\x80" * n + b".",
    "no end": lambda n: b"\x80\x02" + b"N0" * n,
}

#: What a session may hold, as it is really written.
REAL = {
    "_accessed_time": 5.5,
    "user": "ann",
    "n": 10**30,
    "raw": b"\xff",
    "price": Decimal("1.5"),
    "cart": [{"a": (1, None)}, {2, 3}, frozenset("ab"), bytearray(b"x"), 1j],
    5: True,
}


def read(pickled: bytes) -> None:
    """Do with a pickle all that is done with one from an old backend."""
    safe_load(pickled)
    decision = decide_import(base64.b64encode(pickled).decode(), POLICY, 1000)
    assert decision == LOGGED_OUT or isinstance(decision, Importable)


def argument(descriptor: pickletools.ArgumentDescriptor | None) -> st.SearchStrategy[bytes]:
    """Draw the bytes behind an opcode: lines, lengths that are true and that are not."""
    if descriptor is None:
        return st.just(b"")
    if descriptor.n >= 0:
        return st.binary(min_size=descriptor.n, max_size=descriptor.n)
    if descriptor.n == pickletools.UP_TO_NEWLINE:
        words = [b"1", b"-1", b"00", b"5L", b"1.5", b"nan", b"'a'", b"os\nsystem", b"\\ud800", b""]
        return (st.sampled_from(words) | st.binary(max_size=9)).map(lambda line: line + b"\n")
    width = {
        pickletools.TAKEN_FROM_ARGUMENT1: 1,
        pickletools.TAKEN_FROM_ARGUMENT4: 4,
        pickletools.TAKEN_FROM_ARGUMENT4U: 4,
        pickletools.TAKEN_FROM_ARGUMENT8U: 8,
    }[descriptor.n]
    honest = st.binary(max_size=20).map(lambda text: len(text).to_bytes(width, "little") + text)
    return honest | st.binary(max_size=12)


def step(opcode: pickletools.OpcodeInfo) -> st.SearchStrategy[bytes]:
    """Draw an opcode with an argument."""
    return argument(opcode.arg).map(lambda drawn: opcode.code.encode("latin-1") + drawn)


STEPS = st.one_of(*map(step, pickletools.opcodes))


@LAW
@given(steps=st.lists(STEPS, max_size=60), begin=st.sampled_from([b"", b"\x80\x02}", b"\x80\x04"]))
def read_random_opcodes(steps: list[bytes], begin: bytes) -> None:
    """No stream of opcodes raises anything."""
    read(begin + b"".join(steps) + b".")


@LAW
@given(
    protocol=st.integers(0, 5),
    at=st.floats(0, 1),
    length=st.integers(0, 30),
    planted=st.binary(max_size=9) | STEPS,
    again=st.integers(0, 3),
)
def read_mutations(protocol: int, at: float, length: int, planted: bytes, again: int) -> None:
    """No session that was altered raises anything: cut, repeated, or with opcodes put in."""
    whole = pickle.dumps(REAL, protocol)
    begin = int(at * len(whole))
    part = whole[begin : begin + length]
    read(whole[:begin] + planted + part * again + whole[begin + length :])


def main() -> None:
    """Read everything under the limits."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    for name, make in HOSTILE.items():
        print(name, flush=True)
        read(make(MB))
    print("random opcodes", flush=True)
    read_random_opcodes()
    print("mutations", flush=True)
    read_mutations()


if __name__ == "__main__":
    main()
