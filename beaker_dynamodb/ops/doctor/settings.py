"""What the doctor checks without a call: versions, names, options, Beaker's own settings.

The tables are walked by `examine.py` in the order of this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from beaker_dynamodb.config.options import TABLE, Options
from beaker_dynamodb.config.parsers import find_nearest
from beaker_dynamodb.config.sources import ENVIRONMENT
from beaker_dynamodb.errors import DynamoDBBackendError, Unavailable, shown
from beaker_dynamodb.ops.application import GlobalSettings
from beaker_dynamodb.ops.doctor.check import Check
from beaker_dynamodb.settings.beaker_settings import UnreadLine

#: The oldest versions that the tests run with; setup.py requires the same.
OLDEST: Final[Mapping[str, tuple[int, ...]]] = {"Beaker": (1, 14), "boto3": (1, 34)}
#: The class that Beaker must find under the name `ext:dynamodb`.
BACKEND: Final = "beaker_dynamodb.manager.DynamoDBNamespaceManager"
#: Seconds after which gunicorn kills a worker that is silent (gunicorn: settings, "timeout").
_GUNICORN: Final = 30.0
#: The longest that botocore waits between attempts of one call (standard mode, per attempt).
_BACKOFF: Final = 1.0
#: A secret of fewer characters is a word, or a placeholder that was copied: `replace me`.
_SECRET: Final = 16
_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]", "embedded", "host.docker.internal")
_TRUE: Final = frozenset({"true", "yes", "on", "y", "t", "1"})  # beaker/converters.py:8
_SCHEME: Final = "dynamodb"
_URL_REMEDY: Final = "url = dynamodb://REGION/TABLE?option=value"
_SOURCE_REMEDY: Final = "check the options of session.migrate_from"
_VARIABLES: Final = tuple(
    ENVIRONMENT + name.upper()
    for name in (*TABLE, *(row.alias for row in TABLE.values() if row.alias), "url")
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package and its version, "" if it is not installed."""

    name: str
    version: str

    @property
    def oldest(self) -> str:
        """The oldest version that is supported, "" for any."""
        return ".".join(map(str, OLDEST.get(self.name, ())))

    @property
    def is_old(self) -> bool:
        """Whether it is older than that, or not installed."""
        parts = (self.version or "0").split(".")[:2]
        numbers = tuple(int("".join(filter(str.isdigit, part)) or 0) for part in parts)
        return numbers < OLDEST.get(self.name, ())


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A name that nothing reads, and the known name nearest to it, if any."""

    name: str
    near: str | None


@dataclass(frozen=True, slots=True)
class CacheRegion:
    """A region of the file's caches, the command that checks it, and the error if there is one."""

    title: str = ""
    command: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """The backend that sessions are migrated from, and what became of an attempt to read it."""

    name: str
    state: Literal["answers", "failed", "missing", "empty", "skipped"]
    path: str = ""
    error: DynamoDBBackendError | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """An application's settings: our options, and `beaker`, its own settings beside them.

    `begin` is the prefix of a setting in the file; `url` is "" if there is none.
    `environ` is the environment.
    """

    options: Options
    beaker: Mapping[str, Any]
    begin: str = "session."
    is_cache: bool = False
    url: str = ""
    has_pyramid: bool = False
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether the store is one for development."""
        return any(host in (self.options.endpoint_url or "") for host in _LOCAL)

    @property
    def scheme(self) -> str:
        """The beginning of the url, with its colon and slashes."""
        scheme, colon, rest = self.url.strip().partition(":")
        return scheme + colon + ("//" if rest.startswith("//") else "")

    @property
    def has_own_scheme(self) -> bool:
        """Whether the url is one of ours."""
        return self.scheme.lower() == f"{_SCHEME}://"

    @property
    def has_similar_scheme(self) -> bool:
        """Whether the url is probably meant to be one of ours."""
        near = find_nearest(self.scheme.partition(":")[0], [_SCHEME])
        return near is not None and not self.has_own_scheme

    @property
    def secret(self) -> str:
        """The secret that signs the cookie, "" without one."""
        return self.beaker.get("secret") or ""

    @property
    def timeout(self) -> float:
        """Beaker's own time-out in seconds, 0 without one."""
        try:
            return float(str(self.beaker.get("timeout") or 0))
        except ValueError:
            return 0

    @property
    def longest_call(self) -> float:
        """Seconds until a call that is never answered fails."""
        options = self.options
        return (options.connect_timeout + options.read_timeout + _BACKOFF) * options.max_attempts

    def is_on(self, name: str) -> bool:
        """Return whether a switch of Beaker's is on, as Beaker reads it."""
        return str(self.beaker.get(name)).strip().lower() in _TRUE

    def is_off(self, name: str) -> bool:
        """Return whether a switch of Beaker's is set, and not on."""
        return self.beaker.get(name) not in {None, ""} and not self.is_on(name)


def find_unknown_variables(names: Iterable[str]) -> Iterator[UnknownName]:
    """Yield the environment variables that are meant for this package, but misspelled."""
    for name in sorted(names):
        if name.upper().startswith("BEAKER_DYNAMO") and name not in _VARIABLES:
            yield UnknownName(name, find_nearest(name, _VARIABLES, ENVIRONMENT))


# A row of a table is read as one: the formatter would break it at every comma.
# fmt: off

VERSIONS: Final[tuple[Check[tuple[Package, ...]], ...]] = (
    Check("ok", "versions", lambda f: not any(package.is_old for package in f),
          lambda f: ", ".join(f"{package.name} {package.version}" for package in f)),
)

PACKAGES: Final[tuple[Check[Package], ...]] = (
    Check("error", "versions", lambda f: f.is_old,
          lambda f: f"{f.name} {f.version or 'is missing'}: this package needs {f.oldest} or later",
          lambda f: f"pip install '{f.name}>={f.oldest}'"),
)

#: Of the full name of the class that Beaker finds, or "".
BACKENDS: Final[tuple[Check[str], ...]] = (
    Check("ok", "backend", lambda f: f == BACKEND, "Beaker finds ext:dynamodb"),
    Check("error", "backend", lambda f: f not in {BACKEND, ""},
          lambda f: f"Beaker finds a class of another package under the name ext:dynamodb: {f}",
          "pip uninstall the package that it belongs to"),
    Check("error", "backend", lambda f: not f,
          "Beaker does not find ext:dynamodb, and raises KeyError at the first session: Beaker is"
          " older than 1.14, or this package is on the path but not installed",
          "pip install -U 'Beaker>=1.14' beaker-dynamodb"),
)

VARIABLES: Final[tuple[Check[UnknownName], ...]] = (
    Check("error", "environment", lambda f: f.near,
          lambda f: f"{f.name} is not read; did you mean {f.near}?",
          lambda f: f"export {f.near}=..., unset {f.name}"),
    Check("error", "environment", lambda f: not f.near, lambda f: f"{f.name} is not read",
          lambda f: f"unset {f.name}"),
)

#: Of a message about an invalid option, and where that option is set.
MISTAKES: Final[tuple[Check[tuple[str, str]], ...]] = (
    Check("error", "options", lambda f: f, lambda f: f[0], lambda f: f[1]),
)

#: Beaker accepts any name silently.
UNREAD: Final[tuple[Check[UnknownName], ...]] = (
    Check("error", "options", lambda f: f.near,
          lambda f: f"{f.name} is not read by anything; did you mean {f.near}?", "rename it"),
    Check("warning", "options", lambda f: not f.near, lambda f: f"{f.name} is not read by anything",
          lambda f: f"remove {f.name}"),
)

GLOBAL: Final[tuple[Check[GlobalSettings], ...]] = (
    Check("warning", "[DEFAULT]", lambda f: f.names, str, "move the lines into the section itself"),
    Check("error", "[DEFAULT]", lambda f: f.lost,
          lambda f: f"{', '.join(f.lost)}: PasteDeploy drops the section's own line, as [DEFAULT]"
          " has one, too", "remove the line from [DEFAULT]"),
    Check("note", "beaker.session", lambda f: f.prefixed, "TurboGears, which is installed, reads"
          " session.* only; Pyramid and Beaker's middleware read both", "write session.NAME = ..."),
)

#: Beaker hands down the type of the caches to their regions, and no option of a backend.
CACHE_LINES: Final[tuple[Check[UnreadLine], ...]] = (
    Check("error", "caches", bool, lambda f: f"cache.{f.option} is {f}", lambda f: f.remedy),
)

#: Caches are not checked with the sessions: each region may have a table of its own.
CACHE_REGIONS: Final[tuple[Check[CacheRegion], ...]] = (
    Check("error", "caches", lambda f: f.error, lambda f: f.error),
    Check("note", "caches", lambda f: not f.error, lambda f: f"{f.title} of the file: not checked",
          lambda f: f.command),
)

#: A url of another backend is ignored, because pyramid_beaker gives one to every region.
URLS: Final[tuple[Check[Settings], ...]] = (
    Check("ok", "url", lambda f: f.has_own_scheme, f"is {_SCHEME}://"),
    Check("error", "url", lambda f: f.url and f.has_similar_scheme,
          lambda f: f"begins with {f.scheme!r}, expected '{_SCHEME}://'", _URL_REMEDY),
    Check("note", "url", lambda f: f.url and not f.has_own_scheme and not f.has_similar_scheme,
          "belongs to another backend, and is ignored", f"{_URL_REMEDY}, or remove it"),
)

SESSION: Final[tuple[Check[Settings], ...]] = (
    Check("warning", "cookie", lambda f: 0 < len(f.secret) < _SECRET,
          lambda f: "the cookie is signed (session.secret), but the secret has"
          f" {len(f.secret)} characters: it can be guessed",
          "session.secret = <output of: openssl rand -hex 32>"),
    Check("ok", "cookie", lambda f: len(f.secret) >= _SECRET,
          "the cookie is signed (session.secret)"),
    Check("warning", "cookie", lambda f: not f.secret,
          "the cookie is not signed: any id that a client sends is looked up",
          "session.secret = <output of: openssl rand -hex 32>"),
    Check("warning", "prefix", lambda f: not f.secret and f.options.prefix == Options().prefix,
          lambda f: f"{f.options.prefix!r} is the default, and without a signature two"
          " applications on one table accept each other's sessions", "session.prefix = myapp:"),
    Check("warning", "cookie", lambda f: not f.is_on("secure") and not f.is_local,
          "it is also sent over plain http", "session.secure = true"),
    Check("warning", "cookie", lambda f: not f.is_on("httponly"), "JavaScript can read it",
          "session.httponly = true"),
    Check("warning", "cookie", lambda f: str(f.beaker.get("samesite") or "Lax").lower() == "none",
          "browsers send it with requests from other sites (samesite none)",
          "session.samesite = Lax"),
    Check("error", "save_accessed_time",
          lambda f: f.is_off("save_accessed_time") and f.beaker.get("timeout"),
          "false contradicts session.timeout; Beaker refuses the two together",
          "session.save_accessed_time = true"),
    Check("note", "save_accessed_time",
          lambda f: f.is_off("save_accessed_time") and not f.beaker.get("timeout"),
          "false: a session that is only read expires anyway, and touch_after has no effect",
          "session.save_accessed_time = true"),
    Check("warning", "encrypt_key", lambda f: f.beaker.get("encrypt_key"),
          "Beaker's own encryption makes sessions opaque: they are replaced, never merged, and a"
          " slow reader can undo a logout",
          "StrictSession as session class, or session.encryption_keys instead of encrypt_key"),
    Check("warning", "migrate_from",
          lambda f: f.options.migrate_from and f.beaker.get("encrypt_key"),
          lambda f: "with encrypt_key a logout under Beaker's own Session is saved like any other"
          " change: the session is emptied here, and its old copy stays in"
          f" {f.options.migrate_from} until it expires there",
          "StrictSession as session class; or import the sessions first, and remove"
          " session.migrate_from"),
    Check("note", "serializer",
          lambda f: not f.options.encryption_keys
          and (f.beaker.get("data_serializer") or "pickle") == "pickle",
          "pickle: whoever can write to the table can run code here",
          "session.encryption_keys; or, before there are users, session.data_serializer = json"),
    Check("error", "session_class", lambda f: isinstance(f.beaker.get("session_class"), str),
          "Beaker expects a class here, not a text, and fails with TypeError",
          "[filter:session] use = egg:beaker-dynamodb"),
    Check("note", "auto", lambda f: f.is_on("auto"),
          "each visitor without a session, including robots, costs a row and a write",
          "StrictSession as session class, which stores no session without content"),
    Check("note", "invalidate_corrupt",
          lambda f: f.is_off("invalidate_corrupt")
          and isinstance(text := f.beaker["invalidate_corrupt"], str) and text.strip(),
          lambda f: f"Beaker does not read {f.beaker['invalidate_corrupt']!r} in an ini file as"
          " off: any text means on", "remove session.invalidate_corrupt"),
    Check("note", "invalidate_corrupt",
          lambda f: f.has_pyramid and not f.beaker.get("invalidate_corrupt"),
          "off by default under pyramid_beaker, which is installed here: a session that cannot"
          " be read is an error on each page, until the visitor deletes the cookie",
          "session.invalidate_corrupt = true"),
)

CACHE: Final[tuple[Check[Settings], ...]] = (
    Check("note", "serializer",
          lambda f: not f.options.encryption_keys and f.options.serializer == "pickle",
          "pickle: whoever can write to the table can run code here",
          lambda f: f"{f.begin}serializer = json, or {f.begin}encryption_keys"),
)

OPTIONS: Final[tuple[Check[Settings], ...]] = (
    Check("note", "touch_after", lambda f: f.options.touch_after == 0,
          "every request that reads a session also writes it, which costs five to twenty reads",
          lambda f: f"{f.begin}touch_after = 5m"),
    Check("note", "touch_after",
          lambda f: f.timeout and (f.options.touch_after or 0) > f.timeout / 10,
          lambda f: f"{f.options.touch_after:g} s is more than a tenth of the timeout"
          f" ({f.timeout:g} s), so {f.timeout / 10:g} s is used",
          lambda f: f"{f.begin}touch_after = {f.timeout / 10:g}"),
    Check("warning", "ttl", lambda f: f.options.ttl == 0,
          "rows to which Beaker gives no lifetime are kept forever",
          lambda f: f"{f.begin}ttl = 30d"),
    Check("note", "timeout",
          lambda f: f.options.ttl and not f.is_cache and not f.beaker.get("timeout"),
          lambda f: "sessions have no timeout; they expire"
          f" {f.options.ttl / 86400:g} days after the last write", "session.timeout = 3600"),
    Check("warning", "time-outs", lambda f: f.longest_call >= _GUNICORN,
          lambda f: f"a call that DynamoDB does not answer takes up to {f.longest_call:g} s"
          f" ({f.options.max_attempts} attempts); gunicorn kills a worker after {_GUNICORN:g} s",
          lambda f: f"{f.begin}read_timeout = 2s"),
    Check("warning", "lock_wait", lambda f: f.is_cache and f.options.lock_wait >= _GUNICORN,
          lambda f: f"a page waits up to {f.options.lock_wait:g} s for another that creates the"
          f" value; gunicorn kills a worker after {_GUNICORN:g} s",
          lambda f: f"{f.begin}lock_wait = 20s"),
    Check("note", "lock_lease", lambda f: f.is_cache and f.options.lock_lease > f.options.lock_wait,
          "if the process that creates a value dies, waiting ones give up before its lock"
          " expires, and create the value themselves",
          lambda f: f"{f.begin}lock_wait = {f.options.lock_lease + 5:g}s"),
    Check("warning", "endpoint_url", lambda f: f.options.endpoint_url == "embedded",
          "the table is in the memory of one process: a second worker does not share it, and a"
          " restart logs everybody out; for development only",
          lambda f: f"remove {f.begin}endpoint_url"),
    Check("note", "endpoint_url", lambda f: f.is_local and f.options.endpoint_url != "embedded",
          "the table is on this machine; for development only",
          lambda f: f"remove {f.begin}endpoint_url in production"),
    Check("warning", "endpoint_url",
          lambda f: not f.is_local and (f.options.endpoint_url or "").startswith("http://"),
          "sessions are sent without TLS", lambda f: f"{f.begin}endpoint_url = https://..."),
    Check("warning", "region",
          lambda f: not f.options.region and f.environ.get("AWS_REGION")
          and f.environ.get("AWS_REGION") != f.environ.get("AWS_DEFAULT_REGION"),
          lambda f: f"AWS_REGION is {shown(f.environ['AWS_REGION'])}, and boto3 does not read it",
          lambda f: f"{f.begin}region = {f.environ['AWS_REGION']}, or export AWS_DEFAULT_REGION"),
    Check("note", "table",
          lambda f: f.beaker.get("table_name") and not f.beaker.get("table"),
          lambda f: f"table_name, which is also an option of ext:database, names the table:"
          f" {shown(f.options.table)}", lambda f: f"{f.begin}table = {f.options.table}"),
    Check("warning", "credentials", lambda f: f.options.aws_secret_access_key and not f.is_local,
          "an AWS key is in the configuration; with a role you need none",
          lambda f: f"remove {f.begin}aws_secret_access_key, and attach a role"),
    Check("note", "on_conflict", lambda f: not f.is_cache and f.options.on_conflict == "overwrite",
          "if two requests overlap, the later save wins and the other's change is lost",
          "session.on_conflict = merge"),
    Check("note", "envelope", lambda f: not f.is_cache and f.options.envelope == "none",
          "sessions are never opened, so never merged: a slow request can undo a change",
          "session.envelope = auto"),
    Check("note", "consistent_read", lambda f: not f.is_cache and not f.options.consistent_read,
          "a page may see the session as it was before the redirect that led to it",
          "session.consistent_read = true"),
    Check("note", "special_keys", lambda f: f.options.encryption_keys and f.options.special_keys,
          lambda f: ", ".join(name for name, _ in f.options.special_keys)
          + ": readable in the table, for the indexes"),
    Check("warning", "encryption_keys", lambda f: f.options.encryption_keys[:1] == (b"",),
          "`plain` comes first: rows are written without encryption (a step of a change)",
          "move `plain` behind the key, or remove it; docs/changing.md"),
    Check("warning", "encryption_required",
          lambda f: any(f.options.encryption_keys[:1]) and not f.options.encryption_required,
          "rows without encryption are read too: whoever can write to the table can plant one",
          lambda f: f"{f.begin}encryption_required = true"),
    Check("note", "migrate_from", lambda f: f.options.migrate_from,
          "sessions are still looked for in the old store",
          "when the longest session lifetime is over: remove session.migrate_from"),
)

#: Beaker creates a missing folder, so a misspelled path looks like a store without sessions.
SOURCES: Final[tuple[Check[Source], ...]] = (
    Check("error", "migrate_from", lambda f: f.state == "missing",
          lambda f: f"there is no {shown(f.path)}, so no session can be moved from there",
          _SOURCE_REMEDY),
    Check("warning", "migrate_from", lambda f: f.state == "empty",
          lambda f: f"there is no session in {shown(f.path)}: is it the folder of the old"
          " application?", _SOURCE_REMEDY),
    Check("note", "migrate_from", lambda f: f.state == "skipped",
          lambda f: f"{f.name} was not checked: that would write there"),
    Check("ok", "migrate_from", lambda f: f.state == "answers", lambda f: f"{f.name} answers"),
    Check("error", "migrate_from", lambda f: isinstance(f.error, Unavailable),
          lambda f: str(f.error),
          "start it, or remove session.migrate_from, which logs out whoever was not moved"),
    # The message about an invalid option is its own remedy.
    Check("error", "migrate_from", lambda f: f.error and not isinstance(f.error, Unavailable),
          lambda f: str(f.error)),
)
# fmt: on
