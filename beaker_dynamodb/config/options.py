"""Every option there is: its name, default, cast and meaning, in one table of fields.

A frozen `Options` is what one manager was told, checked and complete; `sources.py` makes it.
README's table is printed from here, by `reference()`. Nothing here reads an environment.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from beaker_dynamodb.config import parsers
from beaker_dynamodb.errors import OptionError, masked_repr

HOUR, DAY, MB = 3600, 86400, 1024 * 1024
#: Units a second of one table: far above every quota of AWS's, and a number that it can read.
MAX_CAPACITY = 10_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """One row of the table; `shown` is the default as a document prints it."""

    cast: Callable[[object], Any]
    meaning: str
    shown: str
    node: str = ""
    alias: str = ""
    secret: bool = False
    for_caches: object = None


def _option(  # noqa: PLR0913  # one argument a column of the table
    default: object,
    cast: Callable[[object], Any],
    meaning: str,
    shown: str | None = None,
    *,
    node: str = "",
    alias: str = "",
    secret: bool = False,
    for_caches: object = None,
) -> Any:
    if shown is None:
        shown = str(default).lower() if isinstance(default, bool) else str(default or "")
    row = Option(cast, meaning, shown, node, alias, secret, for_caches)
    own = cast is parsers.anything  # an application's object, which may have no hash
    return dataclasses.field(
        default=default, repr=not secret, hash=False if own else None, metadata={"option": row}
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Options:
    """What one manager was told, checked and complete. Equal options share a client."""

    table: str = _option(
        "sessions", parsers.table, "the table's name", node="table", alias="table_name"
    )
    region: str | None = _option(
        None, parsers.region, "AWS region", "AWS's own", node="AWS's own", alias="region_name"
    )
    profile: str | None = _option(
        None, parsers.text, "profile of AWS's files", "AWS's own", alias="profile_name"
    )
    endpoint_url: str | None = _option(
        None,
        parsers.endpoint,
        "another endpoint, such as DynamoDB Local; `embedded`: an in-memory DynamoDB inside"
        " this process, development only",
        "AWS's own",
    )
    aws_access_key_id: str | None = _option(
        None, parsers.word, "prefer a role", "AWS's own", secret=True
    )
    aws_secret_access_key: str | None = _option(
        None, parsers.word, "prefer a role", "AWS's own", secret=True
    )
    aws_session_token: str | None = _option(
        None, parsers.word, "prefer a role", "AWS's own", secret=True
    )
    client: Any = _option(
        None,
        parsers.anything,
        "a boto3 client or a factory of one; from an ini file a dotted path,"
        " `myapp.aws:make_client`",
        node="client",
    )
    transport: str = _option(
        "boto3",
        parsers.choice("boto3", "wire", "auto"),
        "`wire`: the package itself makes the usual calls, which tools that instrument boto3 do not"
        " see; not possible with `client`, a proxy or `max_attempts = 1`. `auto`: wire, unless"
        " something would be missed",
    )
    connect_timeout: float = _option(
        1.0, parsers.up_to_a_day(parsers.some_seconds), "seconds to connect, at most 1d", "1s"
    )
    read_timeout: float = _option(
        2.0,
        parsers.up_to_a_day(parsers.some_seconds),
        "seconds for one socket read, at most 1d",
        "2s",
    )
    max_attempts: int = _option(
        3, parsers.whole(1, 100), "attempts of one call, the first included; at most 100"
    )
    max_pool_connections: int = _option(
        50, parsers.whole(1, 10_000), "connections that a process keeps, at most 10,000"
    )
    hash_key: str = _option(
        "id", parsers.attribute, "name of the hash key attribute (String)", node="hashKey"
    )
    range_key: str | None = _option(
        None,
        parsers.or_none(parsers.attribute),
        "name of the range key attribute (String); none: a hash key only",
        "none",
    )
    prefix: str = _option(
        "sess:",
        parsers.prefix,
        "what each key begins with: one word and a colon",
        "`sess:`, caches `cache:`",
        node="prefix",
        for_caches="cache:",
    )
    ttl_attribute: str = _option(
        "expires",
        parsers.attribute,
        "name of the attribute that holds the expiry, for DynamoDB's TTL",
        node="expires",
    )
    ttl: float = _option(
        30.0 * DAY,
        parsers.seconds,
        "lifetime if Beaker gives none; 0 = never expires",
        "30d",
        node="(1 day)",
    )
    touch_after: float | None = _option(
        None,
        parsers.seconds,
        "how far the expiry may fall behind before a session that was only read is written",
        "a tenth of the lifetime, at most 1h",
        node="(touch)",
    )
    consistent_read: bool = _option(
        True,
        parsers.boolean,
        "always read the last write, at twice the read units",
        "sessions true, caches false",
        node="(always)",
        for_caches=False,
    )
    create_table: bool = _option(
        True,
        parsers.boolean,
        "create a table that does not exist, at the first call that needs it",
        node="initialized",
    )
    read_capacity_units: int | None = _option(
        None,
        parsers.whole(1, MAX_CAPACITY),
        "with `write_capacity_units`: provisioned; at most 10,000,000",
        "on-demand",
        node="(5)",
    )
    write_capacity_units: int | None = _option(
        None,
        parsers.whole(1, MAX_CAPACITY),
        "with `read_capacity_units`: provisioned; at most 10,000,000",
        "on-demand",
        node="(5)",
    )
    special_keys: tuple[tuple[str, str], ...] = _option(
        (),
        parsers.typed_names,
        "session keys that are also stored as attributes, for indexes: `userId:S, visits:N`",
        "none",
        node="specialKeys",
    )
    require_special_keys: bool = _option(
        False,
        parsers.boolean,
        "a save without one of them raises",
        node="skipThrowMissingSpecialKeys (inverse)",
    )
    index_special_keys: bool = _option(
        True, parsers.boolean, "a table that is created gets a sparse index for each of them"
    )
    on_conflict: str = _option(
        "merge",
        parsers.choice("merge", "overwrite", "raise"),
        "what happens to a save that another request overtook: `merge`, `overwrite`, `raise`",
    )
    envelope: str = _option(
        "auto",
        parsers.choice("auto", "json", "none"),
        "`json`: sessions are JSON (`session.data_serializer = json`), and no pickle is ever"
        " opened, in the table or in the old backend; `none`: never open a session's text, so never"
        " merge it",
    )
    migrate_from: str | None = _option(
        None,
        parsers.or_none(parsers.word),
        "sessions only: another Beaker backend to read from while moving, `ext:redis`; its own"
        " options follow a dot: `migrate_from.url`",
        "none",
    )
    migrate_from_options: tuple[tuple[str, Any], ...] = dataclasses.field(default=(), repr=False)
    hash_ids: bool = _option(
        False, parsers.boolean, "store the SHA-256 of the id, so that the table reveals no id"
    )
    encryption_keys: tuple[bytes, ...] = _option(
        (),
        parsers.aes_keys,
        "AES-256-GCM, base64 of 32 bytes each: the first encrypts, all decrypt; `plain` in the"
        " first place writes without encryption",
        "none",
        secret=True,
    )
    encryption_required: bool = _option(
        True, parsers.boolean, "with keys: refuse rows that are not encrypted"
    )
    compress: bool | str = _option(
        True, parsers.compression, "zlib, if it makes the item smaller; `fast`: for less CPU"
    )
    serializer: Any = _option(
        "pickle",
        parsers.anything,
        "caches only: `pickle`, `json`, or a dotted path to an object with `dumps` and `loads`",
    )
    max_value_size: int = _option(
        16 * MB, parsers.size, "limit of one value, uncompressed; at most 1024MB", "16MB"
    )
    lock: str = _option(
        "table",
        parsers.choice("table", "process"),
        "creation lock of caches: `table` (all servers) or `process` (this one; two calls fewer)",
    )
    lock_lease: float = _option(
        15.0,
        parsers.up_to_a_day(parsers.some_seconds),
        "lifetime of a creation lock, at most 1d",
        "15s",
    )
    lock_wait: float = _option(
        20.0,
        parsers.up_to_a_day(parsers.seconds),
        "longest wait for a creation lock, at most 1d",
        "20s",
    )
    stale_for: float = _option(
        60.0, parsers.seconds, "how long an expired cache value may still be served", "60s"
    )
    cache_errors: str = _option(
        "bypass",
        parsers.choice("bypass", "raise"),
        "when DynamoDB is down, caches are `bypass`ed, or `raise`",
    )

    __repr__ = masked_repr

    def touch_interval(self, lifetime: float | None) -> float:
        """Say how many seconds a row's expiry may fall behind before a read is written back.

        Args: the lifetime in seconds as Beaker counts it, None for "never expires".
        """
        tenth = lifetime / 10 if lifetime else float(HOUR)
        return min(tenth, HOUR if self.touch_after is None else self.touch_after)


TABLE: Mapping[str, Option] = {
    field.name: field.metadata["option"]
    for field in dataclasses.fields(Options)
    if "option" in field.metadata
}


def reference() -> str:
    """Print the table as Markdown, for README."""
    lines = ["| option | default | connect-dynamodb | meaning |", "|---|---|---|---|"]
    lines.append(
        "| `url` | | | `dynamodb://REGION/TABLE?option=value&...`: everything in one line |"
    )
    for name, row in TABLE.items():
        named = f"`{name}`" + (f" (`{row.alias}`)" if row.alias else "")
        lines.append(f"| {named} | {row.shown} | {row.node} | {row.meaning} |")
    return "\n".join(lines) + "\n"


# What no two options may say together

#: Backends of `migrate_from` of which no pickle is read by `pickle`; memory and tables hold none.
_NEVER_UNPICKLED: Final = frozenset(
    "file dbm memory ext:redis ext:rediscluster ext:database ext:sqla ext:dynamodb dynamodb".split()
)


def validate(options: Options) -> Options:
    """Return *options* if no two of them contradict each other.

    Raises: OptionError, naming both.
    """
    _refuse_equal_names(options)
    _refuse_halves(options)
    return options


def _refuse_equal_names(options: Options) -> None:
    """Refuse two attributes of one name."""
    attributes = ["data", "rev", "prev", "name", "early", options.hash_key, options.ttl_attribute]
    attributes += [options.range_key] if options.range_key else []
    twice = {name for name in attributes if attributes.count(name) > 1 or not name}
    if twice:
        raise OptionError(f"two attributes of an item would have the name {min(twice)!r}")
    for name, _ in options.special_keys:
        if name in attributes:
            raise OptionError(
                f"option 'special_keys' names {name!r}, an attribute that this package uses itself"
            )


def _refuse_halves(options: Options) -> None:
    """Refuse one half of what makes sense together."""
    if (options.read_capacity_units is None) is not (options.write_capacity_units is None):
        raise OptionError(
            "options 'read_capacity_units' and 'write_capacity_units' go together: give both for a"
            " provisioned table, none for an on-demand one"
        )
    if (options.aws_access_key_id is None) is not (options.aws_secret_access_key is None):
        raise OptionError(
            "options 'aws_access_key_id' and 'aws_secret_access_key' go together: give both, or"
            " none, and credentials are searched where AWS's own tools search them"
        )
    if options.aws_session_token is not None and options.aws_access_key_id is None:
        raise OptionError(
            "option 'aws_session_token' has no effect without 'aws_access_key_id' and"
            " 'aws_secret_access_key'"
        )
    old = options.migrate_from
    if options.envelope == "json" and old is not None and old not in _NEVER_UNPICKLED:
        raise OptionError(
            f"option 'envelope' is json, so no pickle is read, and 'migrate_from' is {old!r}, which"
            " unpickles what it holds"
        )
