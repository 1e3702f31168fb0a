"""A value's bytes to what the row holds, and back: header, compression, encryption.

The bytes say what they are; the configuration says what is accepted. A row never chooses its
serializer, and nothing is recognized by failure. Format 1 is read for ever:

    format u8 | kind u8 | flags u8 | serializer u8 | CRC-32 of those and the payload u32 | payload

An encrypted payload is: key id (8 bytes), nonce (12), AES-256-GCM ciphertext with its tag.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from beaker_dynamodb.errors import CorruptItem, ItemTooLarge, UnknownFormat, digest
from beaker_dynamodb.item.keys import Key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT: Final = 1
#: What a row is. A tombstone stands where a session was deleted; a row that is rotated, where it
#: got another id.
SESSION, VALUE, TOMBSTONE, ROTATED = ord("S"), ord("V"), ord("T"), ord("R")
COMPRESSED, ENCRYPTED, BASE64, PIECES = 1, 2, 4, 8
TEXT, PICKLE, JSON, CUSTOM = 0, 1, 2, 3
PLAIN: Final = (
    "is not encrypted: it was written before encryption was switched on; the step"
    " encryption_required = false was skipped"
)
#: Level 4 makes 6 KB 2 % larger than level 6 does, in 60 % of the time (measured).
LEVEL: Final = 4
#: ISA-L's makes 6 KB 6 % larger than that, in 30 % of the time, and 40 KB 11 % in 17 % (measured).
FAST_LEVEL: Final = 1
_MOST_INFLATION: Final = 1032  # deflate cannot do more (zlib's technical notes)
_BLOCK: Final = 64 * 1024
_HEADER: Final = struct.Struct(">BBBBI")
_FIXED, _KEY_ID, _NONCE = 4, 8, 12


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: what encryption binds its bytes to."""

    key: Key
    rev: str
    expires: int | None

    def bind(self, table: str, header: bytes) -> bytes:
        """Write table, place and header as one unambiguous text: the associated data."""
        words = (table, self.key.hash, self.key.range or "", self.rev, str(self.expires))
        parts = [header, *(word.encode("utf-8", "surrogatepass") for word in words)]
        return b"".join(struct.pack(">I", len(part)) + part for part in parts)


@dataclass(frozen=True, slots=True)
class Codec:
    """How the rows of one manager are sealed and opened. Built once from the options.

    `draw` returns so many random bytes; it is called once a seal, inside the seal, so that no
    loop can use a nonce twice. `keys` are 32 bytes each: the first seals, all open; an empty
    first one seals without encryption. `fast` compresses by ISA-L.
    """

    kind: int
    serializer: int = TEXT
    compress: bool = True
    fast: bool = False
    most: int = 16 * 1024 * 1024
    table: str = ""
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    plain_refused: bool = True
    draw: Callable[[int], bytes] = field(default=lambda _: b"", repr=False)

    def seal(self, value: bytes, place: Place) -> bytes:
        """Seal a value for its row.

        Raises: ItemTooLarge, measured before compression.
        """
        raw = without_base64(value) if self.kind == SESSION else None
        self._refuse_too_large(value, raw, place)
        flags, payload = (0, value) if raw is None else (BASE64, raw)
        # A JSON session comes compressed (beaker/util.py:417): it does not get smaller.
        if self.compress and not (flags and is_zlib(payload)):
            smaller = deflate(payload, fast=self.fast)
            if len(smaller) < len(payload):
                flags, payload = flags | COMPRESSED, smaller
        if self.keys and self.keys[0]:
            flags |= ENCRYPTED
            payload = self._encrypt(payload, place, self._fixed(flags))
        fixed = self._fixed(flags)
        return fixed + struct.pack(">I", _checksum(fixed, payload)) + payload

    def open(self, data: bytes, place: Place) -> bytes | None:
        """Open what a row holds; None for a row of another kind or serializer: it is not ours.

        Raises: CorruptItem, UnknownFormat, ItemTooLarge.
        """
        if len(data) < _HEADER.size:
            raise _corrupt(place, "the data is shorter than its header")
        version, kind, flags, serializer, crc = _HEADER.unpack_from(data)
        if flags == PIECES:
            raise _corrupt(place, "its chunks are missing")
        if version != FORMAT or flags & ~(COMPRESSED | ENCRYPTED | BASE64):
            raise _unknown(place, f"is of format {version}, flags {flags:#x}")
        payload = data[_HEADER.size :]
        if _checksum(data[:_FIXED], payload) != crc:
            raise _corrupt(place, "its checksum is wrong")
        if kind != self.kind or serializer != self.serializer:
            return None
        if flags & ENCRYPTED:
            payload = self._decrypt(payload, place, self._fixed(flags))
        elif self.plain_refused and self.keys and self.keys[0]:
            raise _unknown(place, PLAIN)
        if flags & COMPRESSED:
            payload = self._inflated(payload, place)
        value, raw = payload, None
        if flags & BASE64:
            value, raw = base64.b64encode(payload), payload
        self._refuse_too_large(value, raw, place)
        return value

    def _fixed(self, flags: int) -> bytes:
        return bytes((FORMAT, self.kind, flags, self.serializer))

    def _refuse_too_large(self, value: bytes, raw: bytes | None, place: Place) -> None:
        """Refuse at both doors what is too large, or will be when Beaker has inflated it.

        *raw* is the value without base64, where that was undone.
        """
        size = len(value)
        if self.kind == SESSION and size <= self.most:
            raw = leniently(value) if raw is None else raw
            size = self.most + 1 if inflates_beyond(raw, self.most) else size
        if size > self.most:
            raise self._too_large(size, place)

    def _too_large(self, size: int, place: Place) -> ItemTooLarge:
        return ItemTooLarge(size, self.most, item=digest(place.key.hash))

    def _inflated(self, payload: bytes, place: Place) -> bytes:
        try:
            value = inflate(payload, self.most)
        except zlib.error as error:
            wrong = str(error)
        else:
            if value is None:
                raise self._too_large(self.most + 1, place)
            return value
        raise _corrupt(place, f"it cannot be decompressed: {wrong}")

    def _encrypt(self, payload: bytes, place: Place, header: bytes) -> bytes:
        nonce, key = self.draw(_NONCE), self.keys[0]
        bound = place.bind(self.table, header)
        return _key_id(key) + nonce + _aes(key).encrypt(nonce, payload, bound)

    def _decrypt(self, payload: bytes, place: Place, header: bytes) -> bytes:
        named = payload[:_KEY_ID]
        nonce, sealed = payload[_KEY_ID : _KEY_ID + _NONCE], payload[_KEY_ID + _NONCE :]
        key = next((key for key in self.keys if key and _key_id(key) == named), None)
        if key is None:
            raise _unknown(
                place, f"is encrypted with the key {named.hex()}, which is not in encryption_keys"
            )
        from cryptography.exceptions import InvalidTag  # the extra `crypto`, only when used

        try:
            return bytes(_aes(key).decrypt(nonce, sealed, place.bind(self.table, header)))
        except (InvalidTag, ValueError):
            pass  # raised below, so that no context holds the bytes
        raise _corrupt(place, "it was altered, or copied here from another row")


def _corrupt(place: Place, wrong: str) -> CorruptItem:
    return CorruptItem(digest(place.key.hash), wrong)


def _unknown(place: Place, what: str) -> UnknownFormat:
    return UnknownFormat(f"item {digest(place.key.hash)} {what}")


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"beaker_dynamodb key id" + key).digest()[:_KEY_ID]


def _aes(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def without_base64(text: bytes) -> bytes | None:
    """Undo base64 where doing it again gives the same text; None where it does not."""
    try:
        raw = binascii.a2b_base64(text)
    except binascii.Error:
        return None
    # A character that was passed over, or a quad too many, shows in the length; bits that the
    # last quad has left over, in its encoding. To encode all of it would take twice as long.
    last = raw[-(len(raw) % 3 or 3) :]
    canonical = len(text) == -(-len(raw) // 3) * 4
    return raw if canonical and text.endswith(binascii.b2a_base64(last, newline=False)) else None


def _checksum(fixed: bytes, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(fixed))


# Compression: rows, and what Beaker itself will inflate, become no more than so many bytes


def deflate(data: bytes, *, fast: bool = False) -> bytes:
    """Compress into a zlib stream; *fast* is by ISA-L, which the extra `fast` installs."""
    if fast:
        from isal import isal_zlib

        return isal_zlib.compress(data, FAST_LEVEL)
    return zlib.compress(data, LEVEL)


def inflate(data: bytes, most: int) -> bytes | None:
    """Inflate a whole zlib stream; None where it would be more than *most* bytes.

    Raises: zlib.error, where it is garbage, incomplete or followed by more.
    """
    inflater = zlib.decompressobj()
    value = inflater.decompress(data, most + 1)
    if len(value) > most:
        return None
    if not inflater.eof or inflater.unused_data:
        raise zlib.error("the compressed data is incomplete or too long")
    return value


def inflates_beyond(raw: bytes, most: int) -> bool:
    """Tell whether *raw* is the zlib stream of a JSON session that inflates beyond *most* bytes.

    A bomb of 292 KB cost 899 MB of memory where Beaker inflated it; here it is counted first.
    """
    if not is_zlib(raw) or len(raw) * _MOST_INFLATION <= most:
        return False
    inflater, counted = zlib.decompressobj(), 0
    try:
        # In slices: what an inflater has not consumed is copied with every block that comes out.
        for start in range(0, len(raw), _BLOCK):
            if inflater.eof or counted > most:  # what follows the end is kept, and copied as well
                break
            rest = raw[start : start + _BLOCK]
            while rest and counted <= most:
                counted += len(inflater.decompress(rest, _BLOCK))
                rest = inflater.unconsumed_tail
    except zlib.error:  # not a zlib stream after all: Beaker will say so
        return False
    return counted > most


def leniently(text: bytes) -> bytes:
    """Undo base64 as Beaker does, which passes over what is none (beaker/_compat.py:14)."""
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""


def is_zlib(raw: bytes) -> bool:
    """Tell a zlib stream of any window by its first two bytes (RFC 1950, CMF and FLG)."""
    return len(raw) > 1 and raw[0] & 0x0F == 8 and (raw[0] << 8 | raw[1]) % 31 == 0  # noqa: PLR2004
