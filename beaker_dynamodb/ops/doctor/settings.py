"""What the doctor checks without a call: installed packages, names, and our options.

The tables are walked by `examine.py` in the order of this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from beaker_dynamodb.config.options import OPTIONS, Options
from beaker_dynamodb.config.parsers import find_nearest
from beaker_dynamodb.config.sources import ENVIRONMENT, say_place
from beaker_dynamodb.errors import mask_repr
from beaker_dynamodb.ops.application import GlobalSettings
from beaker_dynamodb.ops.doctor.check import Check
from beaker_dynamodb.settings.beaker_settings import SECRETS, UnreadLine, list_names

#: Seconds after which gunicorn kills a worker that is silent (gunicorn: settings, "timeout").
_GUNICORN: Final = 30.0
#: The longest that botocore waits between attempts of one call (standard mode, per attempt).
_BACKOFF: Final = 1.0
#: Seconds by which a wait is longer than what it waits for.
_SPARE: Final = 5.0
_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]", "embedded", "host.docker.internal")
_KEYS: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_TRUE: Final = frozenset({"true", "yes", "on", "y", "t", "1"})  # beaker/converters.py:8
_SCHEME: Final = "dynamodb://"
_COMMENT: Final = re.compile(r"\s+[#;]")
_VARIABLES: Final = tuple(
    ENVIRONMENT + name.upper()
    for name in (*OPTIONS, *(row.alias for row in OPTIONS.values() if row.alias), "url")
)
#: The oldest versions that the tests run with; setup.py requires the same.
OLDEST: Final[Mapping[str, tuple[int, ...]]] = {"Beaker": (1, 14), "boto3": (1, 34)}
#: The class that Beaker must find under the name `ext:dynamodb`.
BACKEND: Final = "beaker_dynamodb.manager.DynamoDBNamespaceManager"


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
    """A name that nothing reads, the nearest known one, and its place, " in line 7 of x.ini"."""

    name: str
    near: str | None
    place: str = ""


#: What hands the settings to Beaker: pyramid_beaker, a filter section of PasteDeploy, or code.
Framework = Literal["pyramid", "paste", "other"]


def is_local(endpoint: str | None) -> bool:
    """Return whether an endpoint is one for development."""
    return any(host in (endpoint or "") for host in _LOCAL)


@dataclass(frozen=True, slots=True)
class Settings:
    """An application's settings: our options, and `beaker`, its own settings beside them.

    `begin` is the prefix of a setting in the file; `url` is "" if there is none. `new_secret` is
    drawn for this run. `recipe` is the line that makes StrictSession the session class; `is_strict`
    says whether the file does that already. `environ` is the environment.
    """

    options: Options
    beaker: Mapping[str, Any]
    begin: str = "session."
    is_cache: bool = False
    url: str = ""
    new_secret: str = ""
    framework: Framework = "other"
    recipe: str = ""
    is_strict: bool = False
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether the store is one for development."""
        return is_local(self.options.endpoint_url)

    @property
    def has_own_scheme(self) -> bool:
        """Whether the url is one of ours."""
        return self.url.strip().lower().startswith(_SCHEME)

    @property
    def secret(self) -> str:
        """The secret that signs the cookie, "" without one."""
        return self.beaker.get("secret") or ""

    @property
    def commented(self) -> tuple[tuple[str, str, str], ...]:
        """Name, text, and value without its comment, of Beaker's settings that have one."""
        names = sorted(list_names("session") - SECRETS)
        texts = {name: text for name in names if isinstance(text := self.beaker.get(name), str)}
        return tuple(
            (name, text, _COMMENT.split(text, maxsplit=1)[0].strip())
            for name, text in texts.items()
            if _COMMENT.search(text)
        )

    @property
    def has_timeout(self) -> bool:
        """Whether Beaker's own time-out is set, 0 included."""
        return self.beaker.get("timeout") not in {None, ""}

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

    @property
    def shorter_calls(self) -> tuple[tuple[str, float], ...]:
        """The options that make calls too long, with their defaults, which together do not."""
        names = ("connect_timeout", "read_timeout", "max_attempts")
        default = Options()
        return tuple(
            (name, getattr(default, name))
            for name in names
            if getattr(self.options, name) > getattr(default, name)
        )

    @property
    def lock_times(self) -> tuple[tuple[str, float], ...]:
        """The times of the creation lock with which waiting processes outlive a dead one's lock."""
        lease = min(self.options.lock_lease, _GUNICORN - 2 * _SPARE)
        shorter = (("lock_lease", lease),) if lease < self.options.lock_lease else ()
        return (*shorter, ("lock_wait", lease + _SPARE))

    def has_comment(self, name: str) -> bool:
        """Return whether the text of one of Beaker's settings holds a comment."""
        return any(name == one for one, *_ in self.commented)

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


def _format_number(number: float) -> str:
    """Format a number of seconds without an exponent, which no option takes."""
    return f"{number:.3f}".rstrip("0").rstrip(".")


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
          lambda f: f"Beaker finds a class of another package under the name ext:dynamodb: {f};"
          " uninstall that package"),
    Check("error", "backend", lambda f: not f,
          "Beaker does not find ext:dynamodb, and raises KeyError at the first session: Beaker is"
          " older than 1.14, or this package is on the path but not installed",
          "pip install -U 'Beaker>=1.14' beaker-dynamodb"),
)

VARIABLES: Final[tuple[Check[UnknownName], ...]] = (
    Check("error", "environment", lambda f: f.near,
          lambda f: f"{f.name} is not read; did you mean {f.near}?",
          lambda f: f'export {f.near}="${f.name}"; unset {f.name}'),
    Check("error", "environment", lambda f: not f.near, lambda f: f"{f.name} is not read",
          lambda f: f"unset {f.name}"),
)

#: Beaker accepts any name silently.
UNREAD: Final[tuple[Check[UnknownName], ...]] = (
    Check("error", "options", lambda f: f.near,
          lambda f: f"{f.name}{f.place} is not read by anything; did you mean {f.near}?",
          lambda f: f"rename {f.name} to {f.near}"),
    Check("warning", "options", lambda f: not f.near,
          lambda f: f"{f.name}{f.place} is not read by anything",
          lambda f: f"remove {f.name}"),
)

GLOBAL: Final[tuple[Check[GlobalSettings], ...]] = (
    Check("warning", "[DEFAULT]", lambda f: f.names,
          lambda f: f"{f}; move the lines into the section itself"),
    Check("error", "[DEFAULT]", lambda f: f.lost,
          lambda f: f"{', '.join(f.lost)}: PasteDeploy drops the section's own line, as [DEFAULT]"
          " has one, too; remove that"),
    Check("note", "beaker.session", lambda f: f.prefixed, "TurboGears, which is installed, reads"
          " session.* only, without beaker.; Pyramid and Beaker's middleware read both"),
)

#: Beaker hands down the type of the caches to their regions, and no option of a backend.
CACHE_LINES: Final[tuple[Check[UnreadLine], ...]] = (
    Check("error", "caches", bool, lambda f: f"cache.{f.option}{say_place(f.value)} is {f};"
          " ignore this if the application calls with_cache_defaults()",
          lambda f: "\n".join(f.lines)),
)

#: A url of another backend is ignored, because pyramid_beaker gives one to every region.
URLS: Final[tuple[Check[Settings], ...]] = (
    Check("ok", "url", lambda f: f.has_own_scheme, f"is {_SCHEME}"),
    Check("note", "url", lambda f: f.url and not f.has_own_scheme,
          "belongs to another backend; it is ignored, and may stay"),
)

CACHE: Final[tuple[Check[Settings], ...]] = (
    Check("note", "serializer",
          lambda f: not f.options.encryption_keys and f.options.serializer == "pickle",
          "pickle: whoever can write to the table can run code here; json takes plain values only,"
          " encryption_keys any", lambda f: f"{f.begin}serializer = json"),
)

OPTION_CHECKS: Final[tuple[Check[Settings], ...]] = (
    Check("note", "touch_after", lambda f: f.options.touch_after == 0,
          "every request that reads a session also writes it, which costs five to twenty reads",
          lambda f: f"{f.begin}touch_after = 5m"),
    Check("note", "touch_after",
          lambda f: f.timeout > 0 and (f.options.touch_after or 0) > f.timeout / 2,
          lambda f: f"{f.options.touch_after:g} s is more than half the timeout"
          f" ({f.timeout:g} s), so {f.timeout / 2:g} s is used",
          lambda f: f"{f.begin}touch_after = {_format_number(f.timeout / 2)}"),
    Check("warning", "ttl", lambda f: f.options.ttl == 0,
          "rows to which Beaker gives no lifetime are kept forever",
          lambda f: f"{f.begin}ttl = 30d"),
    Check("note", "timeout",
          lambda f: f.options.ttl and not f.is_cache and not f.has_timeout,
          lambda f: "sessions have no timeout; they expire"
          f" {f.options.ttl / 86400:g} days after the last write",
          lambda f: f"{f.begin}timeout = 3600"
          + (f"\n{f.begin}save_accessed_time = true" if f.is_off("save_accessed_time") else ""),
          logs_out="visitors who were away for an hour"),
    Check("warning", "time-outs", lambda f: f.longest_call >= _GUNICORN,
          lambda f: f"a call that DynamoDB does not answer takes up to {f.longest_call:g} s"
          f" ({f.options.max_attempts} attempts); gunicorn kills a worker after {_GUNICORN:g} s",
          lambda f: "\n".join(f"{f.begin}{name} = {value:g}" for name, value in f.shorter_calls)),
    Check("warning", "lock_wait", lambda f: f.is_cache and f.options.lock_wait >= _GUNICORN,
          lambda f: f"a page waits up to {f.options.lock_wait:g} s for another that creates the"
          f" value; gunicorn kills a worker after {_GUNICORN:g} s",
          lambda f: f"{f.begin}lock_wait = 20s"),
    Check("note", "lock_lease", lambda f: f.is_cache and f.options.lock_lease > f.options.lock_wait,
          "if the process that creates a value dies, waiting ones give up before its lock"
          " expires, and create the value themselves",
          lambda f: "\n".join(f"{f.begin}{name} = {value:g}" for name, value in f.lock_times)),
    Check("warning", "endpoint_url", lambda f: f.options.endpoint_url == "embedded",
          "the table is in the memory of one process: a second worker does not share it, and a"
          " restart logs everybody out; for development only"),
    Check("note", "endpoint_url", lambda f: f.is_local and f.options.endpoint_url != "embedded",
          "the table is on this machine; for development only"),
    Check("warning", "endpoint_url",
          lambda f: not f.is_local and (f.options.endpoint_url or "").startswith("http://"),
          "sessions are sent without TLS",
          lambda f: f"{f.begin}endpoint_url = https{(f.options.endpoint_url or '')[4:]}"),
    Check("warning", "region",
          lambda f: not f.options.region and f.environ.get("AWS_REGION")
          and f.environ.get("AWS_REGION") != f.environ.get("AWS_DEFAULT_REGION"),
          lambda f: f"AWS_REGION is {mask_repr(f.environ['AWS_REGION'])}, which boto3 ignores",
          lambda f: f"{f.begin}region = {f.environ['AWS_REGION']}"),
    Check("note", "table",
          lambda f: f.beaker.get("table_name") and not f.beaker.get("table"),
          lambda f: f"table_name, which is also an option of ext:database, names the table:"
          f" {mask_repr(f.options.table)}", lambda f: f"{f.begin}table = {f.options.table}"),
    Check("warning", "credentials", lambda f: f.options.aws_secret_access_key and not f.is_local,
          "an AWS key is in the configuration; attach a role, and then remove the key",
          lambda f: "\n".join(f"remove {f.begin}{name}" for name in _KEYS if name in f.beaker)),
    Check("note", "on_conflict", lambda f: not f.is_cache and f.options.on_conflict == "overwrite",
          "if two requests overlap, the later save wins and the other's change is lost",
          lambda f: f"{f.begin}on_conflict = merge"),
    Check("note", "envelope", lambda f: not f.is_cache and f.options.envelope == "none",
          "sessions are never opened, so never merged: a slow request can undo a change",
          lambda f: f"{f.begin}envelope = auto"),
    Check("note", "consistent_read", lambda f: not f.is_cache and not f.options.consistent_read,
          "a page may see the session as it was before the redirect that led to it",
          lambda f: f"{f.begin}consistent_read = true"),
    Check("note", "special_keys", lambda f: f.options.encryption_keys and f.options.special_keys,
          lambda f: ", ".join(name for name, _ in f.options.special_keys)
          + ": readable in the table, for the indexes"),
    Check("warning", "encryption_keys", lambda f: f.options.encryption_keys[:1] == (b"",),
          "`plain` comes first: rows are written without encryption, a step of a change"
          " (Changing the configuration, in the documentation)"),
    Check("warning", "encryption_required",
          lambda f: any(f.options.encryption_keys[:1]) and not f.options.encryption_required,
          "rows without encryption are read too: whoever can write to the table can plant one",
          lambda f: f"{f.begin}encryption_required = true",
          logs_out="visitors whose sessions are not encrypted yet"),
    Check("note", "migrate_from", lambda f: f.options.migrate_from,
          "sessions are still looked for in the old backend; removing the option before the longest"
          " session lifetime is over logs out those who were not migrated"),
)
# fmt: on
