"""Inputs: those of a corpus, changed a few times at random. The same seed makes the same inputs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

#: Lengths, counts and signs at which code may overflow, as they are written in binary.
NUMBERS = tuple(
    value.to_bytes(width, order)
    for width in (1, 2, 4, 8)
    for order in ("little", "big")
    for value in (0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1)
)
#: Texts that parsers of JSON, HTTP, ini files, URLs, cookies and pickles treat in another manner.
TOKENS = NUMBERS + tuple(
    b"""\x00 \n \r\n \r\n\r\n : ; , = " ' \\ % %( )s %%25 #
    [ ] { } [[[[ {"a": null true false -1 1e999
    NaN Infinity 1E+999999999 99999999999999999999999999 -0 \\ud800 \\u0000 \xed\xa0\x80 \xff
    \xc3\xa9 ../ ~ @ :// & ? + \x80\x02}q\x00 \x80\x05 \x94 \x93 \x81 R b. (l d} u. s. L\n I1\n
    \x8a\xff \x8e X\xff\xff\xff\xff 0x10 1_000 Content-Length: Transfer-Encoding: HTTP/1.1 #lock:
    #chunk: {"B": {"N": {"S": {"L": {"M": {"NULL":""".split()
)
MAX_SIZE = 4096


def _flip(data: bytearray, rng: random.Random, _: bytes) -> None:
    at = rng.randrange(len(data))
    data[at] ^= 1 << rng.randrange(8)


def _set_byte(data: bytearray, rng: random.Random, _: bytes) -> None:
    data[rng.randrange(len(data))] = rng.randrange(256)


def _delete(data: bytearray, rng: random.Random, _: bytes) -> None:
    begin = rng.randrange(len(data))
    del data[begin : begin + rng.randint(1, 16)]


def _truncate(data: bytearray, rng: random.Random, _: bytes) -> None:
    del data[rng.randrange(len(data)) :]


def _repeat(data: bytearray, rng: random.Random, _: bytes) -> None:
    begin = rng.randrange(len(data))
    part = data[begin : begin + rng.randint(1, 32)]
    data[begin:begin] = part * rng.choice((1, 1, 2, 9))


def _insert_token(data: bytearray, rng: random.Random, _: bytes) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice(TOKENS)


def _overwrite_token(data: bytearray, rng: random.Random, _: bytes) -> None:
    at, token = rng.randrange(len(data)), rng.choice(TOKENS)
    data[at : at + len(token)] = token


def _splice(data: bytearray, rng: random.Random, other: bytes) -> None:
    """Replace the end by the end of another input."""
    if other:
        data[rng.randrange(len(data)) :] = other[rng.randrange(len(other)) :]


_MUTATIONS: tuple[Callable[[bytearray, random.Random, bytes], None], ...] = (
    _flip,
    _set_byte,
    _delete,
    _truncate,
    _repeat,
    _insert_token,
    _overwrite_token,
    _splice,
)


def mutate(whole: bytes, other: bytes, rng: random.Random) -> bytes:
    """Return *whole* with one to six changes; some take bytes of the *other* input."""
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3, 6))):
        data = data or bytearray(b"\0")
        rng.choice(_MUTATIONS)(data, rng, other)
    return bytes(data[:MAX_SIZE])


def generate(corpus: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield the corpus itself, then mutations of it: *count* inputs in all."""
    rng = random.Random(seed)
    yield from corpus[:count]
    for _ in range(count - len(corpus)):
        yield mutate(rng.choice(corpus), rng.choice(corpus), rng)
