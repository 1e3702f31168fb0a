"""A value's bytes to what the row holds, and back: header, compression, encryption.

The row's bytes say how they are encoded; the options say what is accepted. So a row never chooses
its serializer, and no format is guessed by trying. Format 1 can always be read:

    format u8 | kind u8 | flags u8 | serializer u8 | CRC-32 of those and the payload u32 | payload

The upper four bits of the flags are the number of the dictionary that a compressed payload needs
(`dictionary.py`). An encrypted payload is: key id (8 bytes), nonce (12), AES-256-GCM ciphertext
with its tag (16). docs/format.md has the details.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NamedTuple

from beaker_dynamodb.errors import CorruptItem, ItemTooLarge, UnknownFormat, digest, raise_clean
from beaker_dynamodb.item.dictionary import DICTIONARIES, NEWEST
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.revision import get_birth

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT: Final = 1
#: The kinds of rows. A tombstone replaces a session that was deleted, or (ROTATED) that goes on
#: under another id.
SESSION, VALUE, TOMBSTONE, ROTATED = ord("S"), ord("V"), ord("T"), ord("R")
#: The flags. CHUNKS is that of a manifest, which holds no value itself (`chunks.py`). DICTIONARY is
#: the factor of the dictionary's number, which is in the upper four bits.
COMPRESSED, ENCRYPTED, BASE64, CHUNKS, DICTIONARY = 1, 2, 4, 8, 16
#: The serializers. TEXT is a session's: Beaker has made a text of it.
TEXT, PICKLE, JSON, CUSTOM = 0, 1, 2, 3
PLAIN: Final = (
    "is not encrypted: it was written before encryption was switched on; the step"
    " encryption_required = false was skipped, or too short"
)
#: Level 4 makes 6 KB 2 % larger than level 6 does, in 60 % of the time (measured).
LEVEL: Final = 4
#: ISA-L's makes 6 KB 6 % larger than that, in 30 % of the time, and 40 KB 11 % in 17 % (measured).
FAST_LEVEL: Final = 1
_MAX_INFLATION: Final = 1032  # deflate cannot do more (zlib's technical notes)
_BLOCK: Final = 64 * 1024
#: The largest windows as `zlib` takes them, in bits, and the smallest. Ours is a raw deflate stream
#: (a negative number), because our header has a checksum already.
_RAW, _ZLIB, _MIN_WINDOW = -15, 15, 9
#: AWS, "Write request units": a write is charged by the row's size in whole kilobytes, a read in
#: steps of four. So what saves no write unit saves no read unit either.
_WRITE_UNIT: Final = 1024
#: How a pickle of protocol 2 begins, as Beaker writes sessions.
_PICKLE: Final = b"\x80\x02"
_HEADER: Final = struct.Struct(">BBBBI")
#: What the AES key of a row is derived for.
_LABEL: Final = b"beaker_dynamodb row key"
#: The length of the header without its checksum, of a key id and of a nonce, in bytes.
_FIXED, _KEY_ID, _NONCE = 4, 8, 12
_TAG: Final = 16


class EncryptionContext(NamedTuple):
    """What the ciphertext of a row is bound to, so that it opens in no other row.

    Also of rows that are not encrypted: an error names the row by it.
    """

    key: Key
    rev: bytes
    expires: int | None

    @property
    def item(self) -> str:
        """The digest of the row's key, as errors show it."""
        return digest(self.key.hash)

    def encode_place(self, table: str) -> bytes:
        """Return table and primary key as bytes, after their lengths, so that no two are equal."""
        words = (table, self.key.hash, self.key.range or "")
        # An emulator may return a key that is no valid Unicode.
        parts = [word.encode("utf-8", "surrogatepass") for word in words]
        return struct.pack(">III", *map(len, parts)) + b"".join(parts)

    def derive_key(self, key: bytes, place: bytes) -> bytes:
        """Return the AES key of the session or value at *place*: another one for each birth.

        So the number of random nonces that are drawn for one key stays small. It is HKDF-Expand
        with SHA-256 for one block (RFC 5869, 2.3).
        """
        return hmac.digest(key, _LABEL + get_birth(self.rev) + place + b"\x01", "sha256")

    def encode(self, place: bytes, header: bytes) -> bytes:
        """Return the associated data of AES-GCM."""
        return header + self.rev + place + str(self.expires).encode()


@dataclass(frozen=True, slots=True)
class Codec:
    """Seals and opens the rows of one manager. Built once from the options.

    Args:
        kind, serializer: what is written; a row of another kind or serializer is not opened.
        fast: compress and decompress by ISA-L.
        max_size: the maximum size of a value in bytes, before compression.
        keys: of 32 bytes each. The first one encrypts, all decrypt. If the first one is empty,
            nothing is encrypted.
        require_encryption: refuse a row that is not encrypted, if a key encrypts.
        random_bytes: returns that many random bytes. It is called by each seal for its nonce, so
            that no repetition of a write can use a nonce twice.
    """

    kind: int
    serializer: int = TEXT
    compress: bool = True
    fast: bool = False
    max_size: int = 16 * 1024 * 1024
    table: str = ""
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    require_encryption: bool = True
    random_bytes: Callable[[int], bytes] = field(default=lambda _: b"", repr=False)

    def seal(
        self,
        value: bytes,
        context: EncryptionContext,
        other_bytes: int = 0,
        *,
        is_raw: bool | None = None,
    ) -> bytes:
        """Return what the row holds for a value.

        Args:
            other_bytes: those of the row without its data, as DynamoDB counts them.
            is_raw: whether *value* is without its base64, as `undo_base64` returns it; None if that
                is to be undone here.

        Raises: ItemTooLarge, measured before compression.
        """
        if is_raw is None and self.kind == SESSION:
            raw = undo_base64(value)
            is_raw, value = raw is not None, value if raw is None else raw
        self._check_size(value, context, is_raw=bool(is_raw))
        flags, payload = BASE64 if is_raw else 0, value
        encrypts = bool(self.keys and self.keys[0])
        beside = other_bytes + _HEADER.size + (_KEY_ID + _NONCE + _TAG if encrypts else 0)
        units = -(-(beside + len(payload)) // _WRITE_UNIT)
        # A JSON session comes compressed (beaker/util.py:417): it does not get smaller.
        if self.compress and units > 1 and not (flags and is_zlib(payload)):
            number = NEWEST if flags and payload.startswith(_PICKLE) else 0
            smaller = deflate(payload, DICTIONARIES[number], fast=self.fast)
            if beside + len(smaller) <= (units - 1) * _WRITE_UNIT:
                flags, payload = flags | COMPRESSED | number * DICTIONARY, smaller
            del smaller  # as large as the payload, perhaps
        begins = b""
        if encrypts:
            flags |= ENCRYPTED
            begins, payload = self._encrypt(payload, context, self._fixed(flags))
        checksum = zlib.crc32(payload, zlib.crc32(self._fixed(flags) + begins))
        header = _HEADER.pack(FORMAT, self.kind, flags, self.serializer, checksum)
        return header + begins + payload

    def open(self, data: bytes, context: EncryptionContext) -> bytes | None:
        """Return the value that a row holds; None for a row of another kind or serializer.

        Raises: CorruptItem, UnknownFormat, ItemTooLarge.
        """
        if len(data) < _HEADER.size:
            raise CorruptItem(context.item, "the data is shorter than its header")
        version, kind, flags, serializer, crc = _HEADER.unpack_from(data)
        if flags == CHUNKS:
            raise CorruptItem(context.item, "its chunks are missing")
        number = flags // DICTIONARY
        is_known = number in DICTIONARIES and (number == 0 or flags & COMPRESSED)
        if version != FORMAT or flags & CHUNKS or not is_known:
            raise _unknown(context, f"is of format {version}, flags {flags:#x}")
        payload = data[_HEADER.size :]
        if zlib.crc32(payload, zlib.crc32(data[:_FIXED])) != crc:
            raise CorruptItem(context.item, "its checksum is wrong")
        if kind != self.kind or serializer != self.serializer:
            return None
        if flags & ENCRYPTED:
            payload = self._decrypt(payload, context, self._fixed(flags))
        elif self.require_encryption and self.keys and self.keys[0]:
            raise _unknown(context, PLAIN)
        if flags & COMPRESSED:
            payload = self._inflate(payload, number, context)
        self._check_size(payload, context, is_raw=flags & BASE64 > 0)
        return encode_base64(payload) if flags & BASE64 else payload

    def _fixed(self, flags: int) -> bytes:
        """Return the header without its checksum."""
        return bytes((FORMAT, self.kind, flags, self.serializer))

    def _check_size(self, value: bytes, context: EncryptionContext, *, is_raw: bool) -> None:
        """Refuse a value that is too large, or will be when Beaker has inflated it.

        Args: *is_raw* says that *value* is without its base64, which counts.
        Raises: ItemTooLarge.
        """
        size = -(-len(value) // 3) * 4 if is_raw else len(value)
        if self.kind == SESSION and size <= self.max_size:
            raw = value if is_raw else undo_base64_leniently(value)
            size = self.max_size + 1 if inflates_beyond(raw, self.max_size) else size
        if size > self.max_size:
            raise ItemTooLarge(size, self.max_size, item=context.item)

    def _inflate(self, payload: bytes, number: int, context: EncryptionContext) -> bytes:
        dictionary = DICTIONARIES[number]
        if self.fast and (value := inflate_fast(payload, self.max_size, dictionary)) is not None:
            return value
        try:
            value = inflate(payload, self.max_size, _RAW, dictionary)
        except zlib.error as error:
            raise_clean(CorruptItem(context.item, f"it cannot be decompressed: {error}"))
        if value is None:
            raise ItemTooLarge(self.max_size + 1, self.max_size, item=context.item)
        return value

    def _encrypt(
        self, payload: bytes, context: EncryptionContext, header: bytes
    ) -> tuple[bytes, bytes]:
        """Return the key id with the nonce, and the ciphertext with its tag."""
        nonce, key = self.random_bytes(_NONCE), self.keys[0]
        place = context.encode_place(self.table)
        cipher = _aes(context.derive_key(key, place))
        ciphertext = cipher.encrypt(nonce, payload, context.encode(place, header))
        return _key_id(key) + nonce, ciphertext

    def _decrypt(self, payload: bytes, context: EncryptionContext, header: bytes) -> bytes:
        key_id = payload[:_KEY_ID]
        nonce, sealed = payload[_KEY_ID : _KEY_ID + _NONCE], payload[_KEY_ID + _NONCE :]
        key = next((key for key in self.keys if key and _key_id(key) == key_id), None)
        if key is None:
            raise _unknown(
                context,
                f"is encrypted with the key {key_id.hex()}, which is not in encryption_keys",
            )
        from cryptography.exceptions import InvalidTag  # the extra `crypto`, only when used

        place = context.encode_place(self.table)
        cipher = _aes(context.derive_key(key, place))
        try:
            return bytes(cipher.decrypt(nonce, sealed, context.encode(place, header)))
        except (InvalidTag, ValueError):
            wrong = "it was altered, or copied here from another row"
            raise_clean(CorruptItem(context.item, wrong))


def _unknown(context: EncryptionContext, what: str) -> UnknownFormat:
    return UnknownFormat(f"item {context.item} {what}")


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"beaker_dynamodb key id" + key).digest()[:_KEY_ID]


def _aes(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


# Base64


def make_decoder(strict: Callable[..., bytes]) -> Callable[[str | bytes], bytes]:
    """Return a function that decodes as `binascii.a2b_base64` does, and is as fast as *strict*.

    Args: *strict* decodes with `validate=True`, and raises a ValueError for what is not base64.
    """

    def decode(text: str | bytes) -> bytes:
        try:
            return strict(text, validate=True)
        except ValueError:  # binascii may skip what is wrong
            return binascii.a2b_base64(text)

    return decode


#: How base64 is written and read. pybase64, of the extra `fast`, takes a twentieth of the time.
encode_base64: Callable[[bytes], bytes] = partial(binascii.b2a_base64, newline=False)
decode_base64: Callable[[str | bytes], bytes] = binascii.a2b_base64
if find_spec("pybase64") is not None:
    import pybase64

    encode_base64, decode_base64 = pybase64.b64encode, make_decoder(pybase64.b64decode)


def undo_base64(text: bytes) -> bytes | None:
    """Decode base64; None unless encoding it again gives exactly the same text.

    Raises nothing. To encode all of it again would take twice as long. A skipped character, or
    padding too much, shows in the length; stray bits in the last group show in that group.
    """
    try:
        raw = decode_base64(text)
    except binascii.Error:
        return None
    last = raw[-(len(raw) % 3 or 3) :]
    canonical = len(text) == -(-len(raw) // 3) * 4
    return raw if canonical and text.endswith(binascii.b2a_base64(last, newline=False)) else None


def undo_base64_leniently(text: bytes) -> bytes:
    """Decode base64 as Beaker does, which skips other characters (beaker/_compat.py:14)."""
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""


# Compression. No zlib stream, of a row or inside a session, is inflated beyond a maximum size.


def deflate(data: bytes, dictionary: bytes = b"", *, fast: bool = False) -> bytes:
    """Compress into a raw deflate stream; *fast* is by ISA-L, which the extra `fast` installs."""
    if fast:
        from isal import isal_zlib

        deflater = isal_zlib.compressobj(FAST_LEVEL, wbits=_RAW, zdict=dictionary)
        return bytes(deflater.compress(data) + deflater.flush())
    # A window that holds all of it is enough. The default one takes 256 KB for each call. If
    # malloc returns that to the system each time, page faults take longer than zlib.
    bits = min(max((len(dictionary) + len(data)).bit_length(), _MIN_WINDOW), _ZLIB)
    zlibs = zlib.compressobj(LEVEL, wbits=-bits, memLevel=bits - 7, zdict=dictionary)
    return zlibs.compress(data) + zlibs.flush()


def inflate(
    data: bytes, max_size: int, window: int = _ZLIB, dictionary: bytes = b""
) -> bytes | None:
    """Inflate a whole zlib stream; None if the result is larger than *max_size* bytes.

    Args: *window* as `zlib` takes it; *dictionary* is what a raw stream was written with.
    Raises: zlib.error, if it is garbage, incomplete or followed by more.
    """
    inflater = zlib.decompressobj(window, zdict=dictionary)
    value = inflater.decompress(data, max_size + 1)
    if len(value) > max_size:
        return None
    if not inflater.eof or inflater.unused_data:
        raise zlib.error("the compressed data is incomplete or too long")
    return value


def inflate_fast(data: bytes, max_size: int, dictionary: bytes) -> bytes | None:
    """Inflate a raw deflate stream by ISA-L; None unless `inflate` returns the same.

    So zlib alone decides what is wrong with a stream, or too large.
    """
    from isal import isal_zlib

    inflater = isal_zlib.decompressobj(_RAW, zdict=dictionary)
    try:
        value = bytes(inflater.decompress(data, max_size + 1))
    except Exception:  # noqa: BLE001  # its own error, which its type stubs do not know
        return None
    is_whole = inflater.eof and not inflater.unused_data and len(value) <= max_size
    return value if is_whole else None


def inflates_beyond(raw: bytes, max_size: int) -> bool:
    """Return whether *raw* is the zlib stream of a JSON session larger than *max_size* bytes.

    Beaker inflates without a limit: a zip bomb of 292 KB took 899 MB of memory. So the bytes are
    counted here first, block by block, and each block is dropped.
    """
    if not is_zlib(raw) or len(raw) * _MAX_INFLATION <= max_size:
        return False
    inflater, count = zlib.decompressobj(), 0
    try:
        # In slices, because an inflater copies what it has not consumed for each block of output.
        # It also keeps and copies what follows the end of the stream, so the loop stops there.
        for start in range(0, len(raw), _BLOCK):
            if inflater.eof or count > max_size:
                break
            rest = raw[start : start + _BLOCK]
            while rest and count <= max_size and not inflater.eof:
                count += len(inflater.decompress(rest, _BLOCK))
                rest = inflater.unconsumed_tail
    except zlib.error:  # not a zlib stream after all: Beaker will say so
        return False
    return count > max_size


def is_zlib(raw: bytes) -> bool:
    """Recognize a zlib stream of any window by its first two bytes (RFC 1950, CMF and FLG)."""
    return len(raw) > 1 and raw[0] & 0x0F == 8 and (raw[0] << 8 | raw[1]) % 31 == 0  # noqa: PLR2004
