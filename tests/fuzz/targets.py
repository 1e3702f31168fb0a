"""What reads bytes from outside. Each target reads any bytes, and raises only what it allows.

A target also checks what it has read: that it is not larger than it may be, and of the type that
its caller expects. It returns whether it has read anything, so that a target that refuses
everything is noticed.
"""

from __future__ import annotations

import base64
import json
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from beaker_dynamodb.config import sources
from beaker_dynamodb.errors import OptionError, mask
from beaker_dynamodb.item.codec import SESSION, Codec, EncryptionContext
from beaker_dynamodb.item.eligibility import LOGGED_OUT, Importable, ImportPolicy, decide_import
from beaker_dynamodb.item.envelope import JsonEnvelope, PickleEnvelope, choose_envelope
from beaker_dynamodb.item.keys import Key, Layout
from beaker_dynamodb.item.record import Schema
from beaker_dynamodb.item.safe_load import load_session, safe_load
from beaker_dynamodb.ops import application, bounds, identity
from beaker_dynamodb.ops.cli.wording import escape
from beaker_dynamodb.settings import ini
from tests.fuzz import rows
from tests.fuzz.attempts import try_each
from tests.fuzz.responses import list_responses, read_response
from tests.revisions import make_rev

MAX_SIZE = 100_000
_SCHEMA = Schema(special=(("userId", "S"), ("visits", "N"), ("raw", "B")), max_age=86_400.0)
_POLICY = ImportPolicy(None, 60, MAX_SIZE, _SCHEMA)
_LAYOUTS = (
    Layout("sess:"),
    Layout("sess:", range_key="part"),
    Layout("sess:", hash_ids=True),
)
#: DynamoDB's limits of a hash key and of a range key, in bytes.
_MAX_HASH_KEY, _MAX_RANGE_KEY = 2048, 1024


@dataclass(frozen=True)
class Target:
    """One entrance: a name, what reads the bytes, and real inputs."""

    name: str
    read: Callable[[bytes], bool]
    corpus: Callable[[], Sequence[bytes]]


def forbid_imports_of_pickles(event: str, _: Any) -> None:
    """Refuse, as an audit hook, that a mutated pickle imports a class: its code would run here."""
    if event == "pickle.find_class":
        raise ImportError("a mutated pickle names a class")


@cache
def _codecs() -> tuple[Codec, ...]:
    key = bytes(range(32))
    return (
        Codec(SESSION, max_size=MAX_SIZE),
        Codec(SESSION, max_size=MAX_SIZE, keys=(key,), random_bytes=bytes),
        Codec(SESSION, max_size=MAX_SIZE, keys=(key,), require_encryption=False),
    )


def _read_data(data: bytes) -> bool:
    """Open the data of a row, as it is and with its checksum repaired, by each codec."""
    context = EncryptionContext(rows.KEY, make_rev("b.t"), 1_900_003_600)

    def read(codec: Codec, sealed: bytes) -> None:
        value = codec.open(sealed, context)
        assert value is None or len(value) <= MAX_SIZE

    inputs = (data, rows.repair_checksum(data))
    return try_each(partial(read, codec, one) for one in inputs for codec in _codecs())


def _list_data() -> list[bytes]:
    context = EncryptionContext(rows.KEY, make_rev("b.t"), 1_900_003_600)
    # One inflates to more than a block (`codec.inflates_beyond`), and to less than the maximum.
    large = base64.b64encode(zlib.compress(b'{"a": "%s"}' % (b"x" * 90_000)))
    texts = [*(text.encode() for text in rows.list_texts()), large]
    sealed = [codec.seal(text, context) for codec in _codecs()[:2] for text in (*texts, b"a" * 300)]
    return [*sealed, *(item["data"]["B"] for item in rows.list_golden_items())]


@cache
def _tables() -> tuple[rows.StubClient, tuple[Any, ...]]:
    client = rows.StubClient()
    return client, (rows.open_rows("session", client), rows.open_rows("cache", client))


def _read_row(data: bytes) -> bool:
    """Read one row of sessions and of a cache, whose data's checksum is right."""
    client, tables = _tables()
    item = rows.decode_item(data)
    sealed = item.get("data")
    if isinstance(sealed, dict) and isinstance(sealed.get("B"), bytes):
        sealed["B"] = rows.repair_checksum(sealed["B"])
    client.item, client.chunks = {**item, "id": {"S": rows.KEY.hash}}, []
    return try_each(
        partial(table.read, rows.KEY, consistent=True, now=rows.NOW) for table in tables
    )


def _list_rows() -> list[bytes]:
    return [rows.encode_item(item) for item in rows.list_golden_items()]


def _read_chunks(data: bytes) -> bool:
    """Read a manifest and its chunks; the bytes are the row's, then each chunk's."""
    client, (sessions, _) = _tables()
    parts = [rows.decode_item(part) for part in data.split(b"\0\0chunk\0\0")]
    client.item = {**parts[0], "id": {"S": rows.KEY.hash}}
    client.chunks = parts[1:]
    return try_each([partial(sessions.read, rows.KEY, consistent=True, now=rows.NOW)])


def _list_large_values() -> list[bytes]:
    from beaker_dynamodb.item import chunks

    _, (sessions, _) = _tables()
    rev = make_rev("birth.token")
    context = EncryptionContext(rows.KEY, rev, 1_900_003_600)
    sealed = Codec(SESSION).seal(b"a" * 300, context)
    manifest, parts = chunks.split(sealed)
    expires = {"expires": {"N": "1900003600"}}
    found: list[rows.Item] = [{"data": {"B": manifest}, "rev": {"B": rev}, **expires}]
    for number, part in enumerate(parts):
        key = sessions.layout.make_chunk_key(rows.KEY, rev, number)
        chunk = {"id": {"S": key.hash}, "data": {"B": bytes(part)}, "rev": {"B": rev}, **expires}
        found.append(chunk)
    whole = [rows.encode_item(one) for one in found]
    return [b"\0\0chunk\0\0".join(whole), whole[0], b"\0\0chunk\0\0".join([*whole, whole[1]])]


def _read_text(data: bytes) -> bool:
    """Open and compare a session's text, by each envelope; the bytes are also what it encodes."""
    texts = (data, base64.b64encode(data), base64.b64encode(zlib.compress(data, 1)))
    return sum(_open_text(text.decode("latin-1")) for text in texts) > 0  # all are opened


def _open_text(text: str) -> bool:
    own, is_read = next(rows.list_texts()), False
    for option in ("auto", "json", "none"):
        choose_envelope(text, MAX_SIZE, option)
    for envelope in (PickleEnvelope(), JsonEnvelope(MAX_SIZE)):
        values = envelope.open(text)
        assert values is None or type(values) is dict
        envelope.compare(own, text)
        envelope.compare(text, own)
        bounds.copy_bounded(values)
        is_read = is_read or values is not None
    return is_read


def _list_texts() -> list[bytes]:
    texts = list(rows.list_texts())
    plain = zlib.decompress(base64.b64decode(texts[6]))
    return [*(text.encode() for text in texts), *map(base64.b64decode, texts), plain]


def _read_restricted(data: bytes) -> bool:
    """Read a pickle without running it, and decide about its import."""
    loaded = safe_load(data)
    json.dumps(bounds.copy_bounded(loaded), default=str)
    text = base64.b64encode(data).decode()
    for one in (text, data.decode("latin-1")):
        values = load_session(one, "auto", MAX_SIZE)
        assert values is None or type(values) is dict
        decision = decide_import(one, _POLICY, rows.NOW)
        assert isinstance(decision, (str, Importable))
    return loaded is not None


def _list_pickles() -> list[bytes]:
    texts = [base64.b64decode(text) for text in rows.list_texts()]
    assert decide_import(base64.b64encode(texts[-1]).decode(), _POLICY, rows.NOW) == LOGGED_OUT
    return texts


_COOKIES = (
    b"beaker.session.id=6f1ed002ab5595859014ebf0951522d9",
    b'a=b; beaker.session.id="6f1ed002ab5595859014ebf0951522d9"; prefs={"a":1}',
    b"beaker.session.id=" + b"0" * 40 + b"6f1ed002ab5595859014ebf0951522d9; beaker.session.id=x",
    b"beaker.session.id=\\073\\101; Path=/; beaker.session.id = y",
)


@cache
def _session_options() -> Mapping[str, Any]:
    from beaker_dynamodb.sessions.strict import StrictSession

    given = {**rows.OPTIONS, "client": rows.StubBoto3()}
    return {"type": "ext:dynamodb", "session_class": StrictSession, "timeout": 60, **given}


def _read_cookie(header: bytes) -> bool:
    """Begin a request with a Cookie header, signed or not, and load its session."""
    from beaker.session import SessionObject

    environ = {"HTTP_COOKIE": header.decode("latin-1")}
    secret = "a secret" if len(header) % 2 else None
    session = SessionObject(environ, **_session_options(), secret=secret)
    session.load()
    return isinstance(session.id, str)


_INI = (
    b"""[DEFAULT]
session.table = shared
[app:main]
use = egg:myapp
set session.timeout = 60
session.type = ext:dynamodb
session.url = dynamodb://eu-central-1/sessions?prefix=a:&ttl=60
session.secret = 100%
session.lock_dir = %(here)s/locks
    continued
beaker.session.key = my
cache.regions = short, long
cache.type = ext:dynamodb
cache.short.expire = 60
""",
    b"[app:main]\nuse = main2\nsession.type = dynamodb\n[main2]\nuse = main\nget a = b\n",
    b"[filter:session]\nuse=egg:beaker-dynamodb\nsession.type=ext:dynamodb\n[pipeline:main]\n",
)


@cache
def _ini_path() -> Path:
    memory = Path("/dev/shm")  # noqa: S108  # a million files; a disk would be the slowest part
    folder = tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None)
    return Path(folder) / "app.ini"


def _read_ini(data: bytes) -> bool:
    """Read an application's settings, of its sessions or of a region of its caches."""
    path = str(_ini_path())
    _ini_path().write_bytes(data)
    if len(data) % 4 == 0:
        ini.find_places({"__file__": path, "session.table": "shared"})
    region = "short" if len(data) % 4 == 1 else None
    return try_each([partial(application.load_application, path, cache=region)], OptionError)


_URLS = (
    b"dynamodb://eu-central-1/myapp?prefix=a:&timeout=60&encryption_keys=" + b"A" * 43 + b"=",
    b"dynamodb:///sessions?endpoint_url=http://user:pa@127.0.0.1:8000&special_keys=a:S,b:N",
    b"DYNAMODB://us-east-1/sessions%2Fu?ttl=1e3&max_value_size=1MB&compress=fast",
    b"redis://localhost:6379/0",
    b"dynamodb://eu-west-1",
)


def _read_url(data: bytes) -> bool:
    """Parse a url option, and the same text as the name or the value of another option."""
    text = data.decode("utf-8", "surrogateescape")
    mask(text)
    name = ("endpoint_url", "special_keys", "max_value_size", text[:40])[len(data) % 4]
    sources.forget()  # it remembers each warning
    given = {"region": "us-east-1", name: text}
    try_each([partial(sources.parse, given, "session")], OptionError)
    return try_each([partial(sources.parse, {"url": text}, "session")], OptionError)


_IDS = (
    b"6f1ed002ab5595859014ebf0951522d9",
    b"beaker.session.id=" + b"0" * 40 + b"6f1ed002ab5595859014ebf0951522d9",
    b'"sess:6f1ed002ab5595859014ebf0951522d9"',
    b"sess:~" + b"ab" * 32,
    b"~" + b"ab" * 32,
    b"sess:abc#chunk:00.1",
)


def _read_id(data: bytes) -> bool:
    """Find the rows that a word of a command line may mean."""
    text = data.decode("utf-8", "surrogateescape")
    assert escape(text).isprintable()

    def read(layout: Layout, secret: str | None) -> None:
        for key in identity.list_keys(text, layout, secret):
            _check_key(key, layout)

    pairs = ((layout, secret) for layout in _LAYOUTS for secret in (None, "a secret"))
    return try_each((partial(read, *pair) for pair in pairs), OptionError)


def _check_key(key: Key, layout: Layout) -> None:
    assert len(key.hash.encode("utf-8", "surrogatepass")) <= _MAX_HASH_KEY
    assert len((key.range or "").encode()) <= _MAX_RANGE_KEY
    identity.format_id(key, layout)
    layout.classify(key)


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target("data", _read_data, _list_data),
        Target("row", _read_row, _list_rows),
        Target("chunks", _read_chunks, _list_large_values),
        Target("envelope", _read_text, _list_texts),
        Target("restricted", _read_restricted, _list_pickles),
        Target("response", read_response, list_responses),
        Target("cookie", _read_cookie, lambda: list(_COOKIES)),
        Target("ini", _read_ini, lambda: list(_INI)),
        Target("url", _read_url, lambda: list(_URLS)),
        Target("id", _read_id, lambda: list(_IDS)),
    )
}
