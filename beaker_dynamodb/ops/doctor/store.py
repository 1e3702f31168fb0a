"""What the doctor checks at the store: credentials, clock, the table, permissions, a round trip.

The tables are walked by `examine.py` in the order of this file.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from beaker_dynamodb.config.parsers import find_nearest
from beaker_dynamodb.dynamodb.diagnostics import Identity
from beaker_dynamodb.dynamodb.responses import THROTTLED
from beaker_dynamodb.dynamodb.wire.transport import FALLBACK, Transport
from beaker_dynamodb.errors import (
    AccessRefused,
    DynamoDBBackendError,
    Unavailable,
    say_table_missing,
)
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.doctor.check import Check
from beaker_dynamodb.provisioning.description import (
    Description,
    Difference,
    compare,
    format_capacity,
)
from beaker_dynamodb.provisioning.spec import table_spec

#: Seconds: AWS refuses signatures that are older; a tenth of that shows a clock that drifts.
_REFUSED: Final = 300.0
_DRIFTING: Final = 30.0
_OTHER_TYPE: Final = ": correct its type in special_keys, or delete the index, and create it again"
#: botocore renews temporary credentials this long before their end (botocore/credentials.py).
_RENEWED: Final = 600.0
#: Seconds. A call within one region takes a few milliseconds; a slower one slows every page.
_SLOW: Final = 0.1
#: What botocore calls the sources that people write keys into.
_SOURCES: Final = {
    "explicit": "in the options",
    "env": "in the environment",
    "shared-credentials-file": "in AWS's credentials file",
    "config-file": "in AWS's config file",
}
_LASTING: Final = frozenset({*_SOURCES, "boto-config"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials that were found; `now` is in epoch seconds."""

    identity: Identity
    now: float
    is_local: bool = False

    @property
    def source(self) -> str:
        """Where they were found, in words."""
        provider = self.identity.provider
        return f"found {_SOURCES.get(provider, f'by provider {provider}')}"

    @property
    def left(self) -> float:
        """Seconds until they expire; infinity if they do not, or do not say when."""
        return math.inf if self.identity.expires is None else self.identity.expires - self.now

    @property
    def is_lasting_key(self) -> bool:
        """Whether they are a long-lived key of AWS."""
        is_key = self.identity.provider in _LASTING and not self.is_local
        return is_key and self.left == math.inf


@dataclass(frozen=True, slots=True)
class Destination:
    """Where calls go; `regions` are those that boto3 knows."""

    identity: Identity
    transport: Transport
    regions: Collection[str]
    application: Application

    @property
    def is_unknown(self) -> bool:
        """Whether boto3 does not know the region."""
        is_known = not self.regions or self.identity.region in self.regions
        return self.application.options.endpoint_url is None and not is_known

    @property
    def near(self) -> str | None:
        """The region that is probably meant."""
        return find_nearest(self.identity.region, self.regions)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The server's time, None if it did not send one, and ours: epoch seconds."""

    server: float | None
    own: float

    @property
    def ahead(self) -> float:
        """Seconds by which our clock is ahead of the server's."""
        return self.own - (self.own if self.server is None else self.server)

    def __str__(self) -> str:
        """Return the difference in words."""
        return f"{abs(self.ahead):.0f} s {'ahead of' if self.ahead > 0 else 'behind'} the server's"


@dataclass(frozen=True, slots=True)
class RefusedTable:
    """AWS's refusal to describe the table."""

    application: Application
    error: AccessRefused

    @property
    def is_role(self) -> bool:
        """Whether the role is the reason, and not the key or the clock."""
        return self.error.call is None or self.error.call.code == "AccessDeniedException"


@dataclass(frozen=True, slots=True)
class FoundTable:
    """The actual table, and the application that uses it."""

    actual: Description
    application: Application

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Return the differences, the worst first."""
        return compare(self.actual, table_spec(self.application.options))

    def matches(self, setting: str) -> bool:
        """Return whether nothing differs in a setting, such as "TTL" or any "index"."""
        return all(one.setting.partition(" ")[0] != setting for one in self.differences)

    @property
    def contents(self) -> str:
        """The number of rows and their size."""
        rows = f"{self.actual.rows:,} row{'' if self.actual.rows == 1 else 's'}"
        return f"{rows} and {self.actual.size:,} bytes, up to six hours ago"


@dataclass(frozen=True, slots=True)
class Permission:
    """One operation that the application needs; `policy` is the command that prints its policy."""

    operation: str
    error: DynamoDBBackendError | None
    policy: str


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A row written, read and deleted: seconds of each call, units of all, and what failed.

    `transports` are what made each call: boto3, wire, or fallback. `is_local`: the table is on this
    machine, where no network is slow.
    """

    seconds: tuple[float, ...] = ()
    read_units: float = 0
    write_units: float = 0
    message: str = ""
    error: DynamoDBBackendError | None = None
    transports: tuple[str, ...] = ()
    is_local: bool = False

    @property
    def fallbacks(self) -> int:
        """How many calls boto3 had to repeat because the wire could not make them."""
        return self.transports.count(FALLBACK)

    @property
    def is_slow(self) -> bool:
        """Whether one of the calls was slow because of the network."""
        return not self.is_local and max(self.seconds, default=0) >= _SLOW

    def __str__(self) -> str:
        """Return times and units in words."""
        calls = zip(("write", "read", "delete"), self.seconds, strict=False)
        times = ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in calls)
        units = f"units: {self.write_units:g} write, {self.read_units:g} read"
        return "; ".join((times, units, *(f"by {name}" for name in self.transports[:1])))


def _is_throttled(error: DynamoDBBackendError) -> bool:
    return error.call is not None and error.call.code in THROTTLED


# A row of a table is read as one: the formatter would break it at every comma.
# fmt: off


def failures(
    topic: str, *handled: type[Exception], is_local: bool = False
) -> tuple[Check[Any], ...]:
    """Return the checks of facts that have an `error`, except those that another row handles.

    None has a remedy: the messages say what can be done. Args: *is_local* is a development server.
    """
    advice = (
        "start the server, or correct option endpoint_url" if is_local else
        "if AWS has an outage, wait: nobody is logged out; else check the network, a proxy, and"
        " option endpoint_url"
    )
    return (
        Check("error", topic, lambda f: isinstance(f.error, Unavailable) and _is_throttled(f.error),
              lambda f: f"{f.error}; nobody is logged out: wait, or raise the table's capacity",
              unreachable=True),
        Check("error", topic,
              lambda f: isinstance(f.error, Unavailable) and not _is_throttled(f.error),
              lambda f: f"{f.error}; {advice}", unreachable=True),
        Check("error", topic,
              lambda f: f.error is not None and not isinstance(f.error, (Unavailable, *handled)),
              lambda f: str(f.error)),
    )


CREDENTIALS: Final[tuple[Check[Credentials], ...]] = (
    Check("error", "credentials", lambda f: not f.identity.provider,
          "none found: neither in the options, the environment, AWS's files, nor from a role;"
          " attach a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (DynamoDB Local"
          " accepts any)"),
    Check("error", "credentials", lambda f: f.left <= 0,
          lambda f: f"the credentials of {f.identity.provider} have expired, and were not renewed",
          lambda f: "aws sso login" if f.identity.provider == "sso" else ""),
    Check("warning", "credentials", lambda f: 0 < f.left < _RENEWED,
          lambda f: f"{f.source}, valid for {f.left / 60:,.0f} minutes: they should have been"
          " renewed by now; check their provider"),
    Check("ok", "credentials", lambda f: _RENEWED <= f.left < math.inf,
          lambda f: f"{f.source}, valid for {f.left / 60:,.0f} minutes, then renewed"),
    Check("note", "credentials", lambda f: f.is_lasting_key,
          lambda f: f"{f.source}: a long-lived key; attach a role, and you need none"),
    Check("ok", "credentials",
          lambda f: f.identity.provider and f.left == math.inf and not f.is_lasting_key,
          lambda f: f.source),
)

DESTINATION: Final[tuple[Check[Destination], ...]] = (
    Check("warning", "region", lambda f: f.is_unknown and f.near,
          lambda f: f"boto3 does not know {f.identity.region!r}; did you mean {f.near!r}?",
          lambda f: f"{f.application.begin}region = {f.near}"),
    Check("warning", "region", lambda f: f.is_unknown and not f.near,
          lambda f: f"boto3 does not know {f.identity.region!r}; if it is new, a newer boto3 does",
          "pip install -U boto3"),
    Check("ok", "region", lambda f: not f.is_unknown, lambda f: f.identity.region),
    Check("ok", "transport", bool, lambda f: f"{f.transport.name}: {f.transport.reason}"),
)

#: Of an address that a call was sent to. Firewalls are opened by it.
ENDPOINTS: Final[tuple[Check[str], ...]] = (Check("ok", "endpoint", bool, str),)

MISSING_TABLE: Final[tuple[Check[Application], ...]] = (
    Check("note", "table", lambda f: f.options.create_table,
          lambda f: f"{say_table_missing(f.options.table)}; the first request creates it, if its"
          " role may", lambda f: f.create_command()),
    Check("error", "table", lambda f: not f.options.create_table,
          lambda f: f"{say_table_missing(f.options.table)}; no request creates it",
          lambda f: f.create_command()),
)

REFUSED_TABLE: Final[tuple[Check[RefusedTable], ...]] = (
    Check("error", "credentials", lambda f: not f.is_role,
          lambda f: f"{f.error}; check the key and the clock"),
    Check("warning", "create_table", lambda f: f.is_role and f.application.options.create_table,
          "is true, but this role may not describe a table, so it cannot create one",
          lambda f: f"{f.application.begin}create_table = false"),
    Check("note", "table", lambda f: f.is_role and not f.application.options.create_table,
          "this role may not describe it (it need not): keys, TTL and indexes were not checked;"
          " an operator's role can do so",
          lambda f: f.application.format_command("table check")),
)

FOUND_TABLE: Final[tuple[Check[FoundTable], ...]] = (
    Check("ok", "table", lambda f: f.matches("status"),
          lambda f: f"{f.actual.table!r}"
          + (f", account {f.actual.account}" if f.actual.account else "")
          + f": {f.actual.status}; {f.contents}"),
    Check("ok", "keys", lambda f: f.matches("key"), lambda f: f.actual.schema()),
    Check("ok", "TTL", lambda f: f.matches("TTL") and not f.actual.is_strong,
          lambda f: str(f.actual.expiry)),
    Check("ok", "capacity", lambda f: f.matches("capacity"),
          lambda f: format_capacity(f.actual.capacity)),
    Check("ok", "indexes", lambda f: f.application.options.indexed_keys and f.matches("index"),
          lambda f: ", ".join(index.name for index in f.actual.indexes)),
)

#: Of each difference and the table that it was found in.
DIFFERENCES: Final[tuple[Check[tuple[Difference, FoundTable]], ...]] = (
    Check(lambda f: f[0].severity, lambda f: f[0].setting, bool,
          lambda f: f"is {f[0].actual}, expected {f[0].expected}"
          + (_OTHER_TYPE if f[0].severity == "error" and "index of" in f[0].setting else ""),
          lambda f: _find_remedy(*f)),
)

SAFETY: Final[tuple[Check[FoundTable], ...]] = (
    Check("note", "protection", lambda f: not f.actual.protection,
          "off: whoever has the permission can delete the table in one call",
          lambda f: f"{f.application.create_command()} --deletion-protection"),
    Check("note", "backups", lambda f: f.actual.recovery,
          "point-in-time recovery keeps sessions for 35 days after users deleted them",
          lambda f: f"{f.application.create_command()} --no-point-in-time-recovery"),
    Check("note", "replicas", lambda f: f.actual.replicas and not f.actual.is_strong,
          lambda f: f"also in {', '.join(f.actual.replicas)}, with eventual consistency: whoever"
          " moves between Regions faster than the rows can be logged out, lose a change, or undo a"
          " logout; keep each user in one Region, and fail over as a whole"),
    Check("note", "expired rows", lambda f: f.actual.is_strong,
          "a table with strong consistency between Regions has no TTL: delete them by a timer, in"
          " one Region",
          lambda f: f.application.format_command("sessions purge")),
)

#: A wrong clock makes AWS refuse, and makes sessions expire early or late.
CLOCKS: Final[tuple[Check[Clocks], ...]] = (
    Check("note", "clock", lambda f: f.server is None, "the server did not send its time"),
    Check("error", "clock", lambda f: abs(f.ahead) >= _REFUSED,
          lambda f: f"{f}: AWS refuses such calls", "timedatectl set-ntp true"),
    Check("warning", "clock", lambda f: _DRIFTING <= abs(f.ahead) < _REFUSED,
          lambda f: f"{f}: sessions expire too early or too late by that",
          "timedatectl set-ntp true"),
    Check("ok", "clock", lambda f: f.server is not None and abs(f.ahead) < _DRIFTING,
          "agrees with the server's, to about a second"),
)

PERMISSIONS: Final[tuple[Check[Permission], ...]] = (
    Check("error", "permissions", lambda f: isinstance(f.error, AccessRefused),
          lambda f: f"the application needs dynamodb:{f.operation}, which AWS refuses",
          lambda f: f.policy),
    *failures("permissions", AccessRefused),
)

#: Not every application with an index uses `UserSessions`.
USER_SESSIONS: Final[tuple[Check[Permission], ...]] = (
    Check("note", "permissions", bool,
          lambda f: f"AWS refuses dynamodb:{f.operation}, which the application needs if it uses"
          " UserSessions",
          lambda f: f.policy),
)

#: Of the names of the operations that are allowed.
ALLOWED: Final[tuple[Check[tuple[str, ...]], ...]] = (Check("ok", "permissions", bool, ", ".join),)

ROUND_TRIPS: Final[tuple[Check[RoundTrip], ...]] = (
    *failures("round trip"),
    Check("warning", "transport", lambda f: f.fallbacks,
          lambda f: f"boto3 had to repeat {f.fallbacks} calls of the wire; if that is so each time,"
          " please report it; option transport = boto3 switches the wire off"),
    Check("error", "round trip", lambda f: not f.error and f.message, lambda f: f.message),
    Check("note", "round trip", lambda f: not f.error and not f.message and f.is_slow,
          lambda f: f"{f}; run the application in the table's region, and give its network a VPC"
          " endpoint"),
    Check("ok", "round trip", lambda f: not f.error and not f.message and not f.is_slow, str),
)
# fmt: on


def _find_remedy(difference: Difference, table: FoundTable) -> str:
    """Return what removes a difference: the options of the actual table, or a command."""
    begin = table.application.begin
    if difference.setting == "key schema":
        return _find_key_options(table)
    if difference.setting == "TTL" and table.actual.expiry.attribute:
        return f"{begin}ttl_attribute = {table.actual.expiry.attribute}"
    if difference.setting == "capacity":  # no command of ours changes it
        names = (f"{begin}read_capacity_units", f"{begin}write_capacity_units")
        units = table.actual.capacity
        lines = [f"{name} = {unit}" for name, unit in zip(names, units or (), strict=False)]
        return "\n".join(lines or (f"remove {name}" for name in names))
    if difference.setting.startswith("index of ") and difference.actual != "missing":
        return ""  # no command of ours changes an index
    return table.application.create_command()


def _find_key_options(table: FoundTable) -> str:
    """Return the names of the actual keys as options, "" if they are not texts."""
    keys = (table.actual.hash_key, table.actual.range_key)
    if any(key is not None and key.type != "S" for key in keys):
        return ""
    names = (key.name if key else "none" for key in keys)
    return "\n".join(
        f"{table.application.begin}{option} = {name}"
        for option, name in zip(("hash_key", "range_key"), names, strict=True)
    )
