"""All options in one table: name, default, parser and meaning of each; and their contradictions.

`sources.py` makes a frozen `Options` of what an application sets. Nothing here reads the
environment.

To add an option:

1. Add a field to `Options`, with a parser and its meaning for the documents. Parsers are in
   `parsers.py`; those of special keys, which no other option has, are here.
2. If it contradicts another option, say so in one of the `_refuse_...` functions.
3. If it belongs to the connection to DynamoDB, add a field of the same name to `Connection`, which
   is filled from `Options` by the names of its fields.
4. Read it where it is used, from `rows.options` or the options at hand.
5. Print its types by `python -m tests.config.test_option_types`, and the documents' table by
   `PYTHONPATH=. python docs/print.py`. Add cases to tests/config/test_option_values.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from beaker_dynamodb.config.parsers import (
    NONE,
    BadValue,
    allow_none,
    limit_to_a_day,
    make_choice_parser,
    make_integer_parser,
    parse_aes_keys,
    parse_attribute,
    parse_boolean,
    parse_compression,
    parse_endpoint,
    parse_moment,
    parse_object,
    parse_positive_seconds,
    parse_prefix,
    parse_region,
    parse_seconds,
    parse_size,
    parse_table,
    parse_text,
    parse_word,
    suggest_nearest,
)
from beaker_dynamodb.errors import OptionError, masked_repr

HOUR, DAY, MB = 3600, 86400, 1024 * 1024
#: Units a second of one table: far above every quota of AWS, and a number that AWS can parse.
MAX_CAPACITY = 10_000_000


def parse_special_keys(value: object) -> tuple[tuple[str, str], ...]:
    """Return pairs of a name and its type S, N or B, of `userId:S, visits:N`, a mapping or pairs.

    The items of a text are separated by commas or white space; a name without a type is an S.
    """
    expected = "names with a type S, N or B each, such as 'userId:S, visits:N', or none"
    items: Iterable[object] = [None]
    if isinstance(value, str):
        is_none = value.strip().lower() == NONE
        items = [] if is_none else value.replace(",", " ").split()
    elif isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = value
    types: dict[str, str] = {}
    for item in items:
        match item.partition(":")[::2] if isinstance(item, str) else item:
            case tuple((str() as name, str() as kind)):
                kind = kind.upper() or "S"
            case _:
                raise BadValue(expected)
        if not name or kind not in {"S", "N", "B"} or types.get(name, kind) != kind:
            raise BadValue(expected)
        if parse_attribute(name) != name:
            raise BadValue(expected)
        types[name] = kind
    return tuple(types.items())


def parse_indexed_keys(value: object) -> bool | tuple[str, ...]:
    """Return true (all special keys have an index), false (none), or the names of those that do.

    The names in a text are separated by commas or white space.
    """
    try:
        return parse_boolean(value)
    except BadValue:
        pass
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(
        isinstance(name, str) and name and parse_attribute(name) == name for name in names
    ):
        raise BadValue("true, false, or the names of special keys, such as userId")
    return tuple(dict.fromkeys(names))


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """One row of the table.

    `default_text` is the default as documents print it, `node` the name of the same option of
    connect-dynamodb, `cache_default` the default of caches if it differs from that of sessions.
    """

    parser: Callable[[object], Any]
    meaning: str
    default_text: str
    node: str = ""
    alias: str = ""
    secret: bool = False
    cache_default: object = None


def _option(
    default: object,
    parser: Callable[[object], Any],
    meaning: str,
    default_text: str | None = None,
    **columns: Any,
) -> Any:
    """Return a field of `Options`; *columns* are the other ones of `Option`."""
    if default_text is None:
        default_text = str(default).lower() if isinstance(default, bool) else str(default or "")
    option = Option(parser, meaning, default_text, **columns)
    # An application's object may have no hash.
    hashed = False if parser is parse_object else None
    return dataclasses.field(
        default=default, repr=not option.secret, hash=hashed, metadata={"option": option}
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Options:
    """The options of one manager, validated and complete. Equal options share a client."""

    # A row of the table is read as one: the formatter would break it at every comma.
    # fmt: off
    table: str = _option("sessions", parse_table,
        "the table's name", node="table", alias="table_name")
    region: str | None = _option(None, parse_region,
        "AWS region", "AWS's own", node="AWS's own", alias="region_name")
    profile: str | None = _option(None, parse_text,
        "profile of AWS's files", "AWS's own", alias="profile_name")
    endpoint_url: str | None = _option(None, parse_endpoint,
        "another endpoint, such as DynamoDB Local; `embedded`: an in-memory DynamoDB inside this"
        " process, development only", "AWS's own")
    aws_access_key_id: str | None = _option(None, parse_word,
        "prefer a role", "AWS's own", secret=True)
    aws_secret_access_key: str | None = _option(None, parse_word,
        "prefer a role", "AWS's own", secret=True)
    aws_session_token: str | None = _option(None, parse_word,
        "prefer a role", "AWS's own", secret=True)
    client: Any = _option(None, parse_object,
        "a boto3 client or a factory of one; from an ini file a dotted path,"
        " `myapp.aws:make_client`", node="client")
    transport: str = _option("auto", make_choice_parser("boto3", "wire", "auto"),
        "`wire`: the package itself makes the usual calls, which tools that instrument boto3 do"
        " not see; not possible with `client`, a proxy or `max_attempts = 1`. `auto`: wire, unless"
        " something would be missed. `boto3`: no call by the wire")
    connect_timeout: float = _option(1.0, limit_to_a_day(parse_positive_seconds),
        "seconds to connect, at most 1d", "1s")
    read_timeout: float = _option(2.0, limit_to_a_day(parse_positive_seconds),
        "seconds for one socket read, at most 1d", "2s")
    max_attempts: int = _option(3, make_integer_parser(1, 100),
        "attempts of one call, the first included; at most 100")
    max_pool_connections: int = _option(50, make_integer_parser(1, 10_000),
        "connections that a process keeps, at most 10,000")
    hash_key: str = _option("id", parse_attribute,
        "name of the hash key attribute (String)", node="hashKey")
    range_key: str | None = _option(None, allow_none(parse_attribute),
        "name of the range key attribute (String); none: a hash key only", "none")
    prefix: str = _option("sess:", parse_prefix,
        "what each key begins with: one word and a colon", "`sess:`, caches `cache:`",
        node="prefix", cache_default="cache:")
    ttl_attribute: str = _option("expires", parse_attribute,
        "name of the attribute that holds the expiry, for DynamoDB's TTL", node="expires")
    ttl: float = _option(30.0 * DAY, parse_seconds,
        "lifetime if Beaker gives none; 0 = never expires", "30d", node="(1 day)")
    touch_after: float | None = _option(None, parse_seconds,
        "by how much the expiry may be wrong before a session that was only read is written; at"
        " most half the lifetime", "a tenth of the lifetime, at most 1h", node="(touch)")
    max_age: float | None = _option(None, allow_none(parse_positive_seconds),
        "sessions only: the longest lifetime from a session's start on, however it is used", "none")
    created_after: float | None = _option(None, allow_none(parse_moment),
        "sessions only: those that began earlier have ended, such as after an incident;"
        " `2026-11-28T12:00Z`", "none")
    consistent_read: bool = _option(True, parse_boolean,
        "always read the last write, at twice the read units", "sessions true, caches false",
        node="(always)", cache_default=False)
    create_table: bool = _option(True, parse_boolean,
        "create a table that does not exist, at the first call that needs it", node="initialized")
    read_capacity_units: int | None = _option(None, make_integer_parser(1, MAX_CAPACITY),
        "with `write_capacity_units`: provisioned; at most 10,000,000", "on-demand", node="(5)")
    write_capacity_units: int | None = _option(None, make_integer_parser(1, MAX_CAPACITY),
        "with `read_capacity_units`: provisioned; at most 10,000,000", "on-demand", node="(5)")
    special_keys: tuple[tuple[str, str], ...] = _option((), parse_special_keys,
        "session keys that are also stored as attributes, for indexes: `userId:S, visits:N`",
        "none", node="specialKeys")
    require_special_keys: bool = _option(False, parse_boolean,
        "a save without one of them raises", node="skipThrowMissingSpecialKeys (inverse)")
    index_special_keys: bool | tuple[str, ...] = _option(True, parse_indexed_keys,
        "a table that is created gets a sparse index for each of them, or for those named here")
    on_conflict: str = _option("merge", make_choice_parser("merge", "overwrite", "raise"),
        "what happens to a save that another request overtook: `merge`, `overwrite`, `raise`")
    envelope: str = _option("auto", make_choice_parser("auto", "json", "none"),
        "`json`: sessions are JSON (`session.data_serializer = json`), and no pickle is ever"
        " opened, in the table or in the old backend; `none`: never open a session's text, so"
        " never merge it")
    migrate_from: str | None = _option(None, allow_none(parse_word),
        "sessions only: another Beaker backend to read from while moving, `ext:redis`; its own"
        " options follow a dot: `migrate_from.url`", "none")
    migrate_from_options: tuple[tuple[str, Any], ...] = dataclasses.field(default=(), repr=False)
    hash_ids: bool = _option(False, parse_boolean,
        "store the SHA-256 of the id, so that the table reveals no id")
    encryption_keys: tuple[bytes, ...] = _option((), parse_aes_keys,
        "AES-256-GCM, base64 of 32 bytes each: the first encrypts, all decrypt; `plain` in the"
        " first place writes without encryption", "none", secret=True)
    encryption_required: bool = _option(True, parse_boolean,
        "with keys: refuse rows that are not encrypted; `true` in the settings needs keys")
    compress: bool | str = _option(True, parse_compression,
        "zlib, if it saves a write unit; `fast`: for less CPU")
    serializer: Any = _option("pickle", parse_object,
        "caches only: `pickle`, `json` (which returns a tuple as a list), or a dotted path to an"
        " object with `dumps` and `loads`")
    max_value_size: int = _option(16 * MB, parse_size,
        "limit of one value, uncompressed; at most 1024MB", "16MB")
    lock: str = _option("table", make_choice_parser("table", "process"),
        "creation lock of caches: `table` (all servers) or `process` (this one; two calls fewer)")
    lock_lease: float = _option(15.0, limit_to_a_day(parse_positive_seconds),
        "lifetime of a creation lock, at most 1d", "15s")
    lock_wait: float = _option(20.0, limit_to_a_day(parse_seconds),
        "longest wait for a creation lock, at most 1d", "20s")
    stale_for: float = _option(60.0, parse_seconds,
        "how long an expired cache value may still be served", "60s")
    cache_errors: str = _option("bypass", make_choice_parser("bypass", "raise"),
        "when DynamoDB is down, caches are `bypass`ed, or `raise`")

    # fmt: on
    #: Where each option is set, as a message says it; "" for its own line or argument.
    places: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    __repr__ = masked_repr

    @property
    def indexed_keys(self) -> tuple[tuple[str, str], ...]:
        """The special keys that have an index, each with its type."""
        named = self.index_special_keys
        if isinstance(named, bool):
            return self.special_keys if named else ()
        return tuple((name, kind) for name, kind in self.special_keys if name in named)


OPTIONS: Mapping[str, Option] = {
    field.name: field.metadata["option"]
    for field in dataclasses.fields(Options)
    if "option" in field.metadata
}


#: Backends of `migrate_from` that need no unpickling: their pickles are read by `safe_load`, or
#: they hold none, as memory and our own tables.
_WITHOUT_UNPICKLING: Final = frozenset(
    "file dbm memory ext:redis ext:rediscluster ext:database ext:sqla ext:dynamodb dynamodb".split()
)


def validate(options: Options) -> Options:
    """Return *options*, if no two of them contradict each other.

    Raises: OptionError, naming both.
    """
    _refuse_equal_names(options)
    _refuse_incomplete(options)
    return options


def _refuse_equal_names(options: Options) -> None:
    """Refuse two attributes of an item with one name."""
    attributes = ["data", "rev", "prev", "cache_key", "early", "pending", options.ttl_attribute]
    attributes += [options.hash_key, *([options.range_key] if options.range_key else [])]
    twice = {name for name in attributes if attributes.count(name) > 1 or not name}
    if twice:
        raise OptionError(f"two attributes of an item would have the name {min(twice)!r}")
    for name, _ in options.special_keys:
        if name in attributes:
            raise OptionError(
                f"option 'special_keys' names {name!r}, an attribute that this package uses itself"
            )
    indexed = options.index_special_keys
    for name in () if isinstance(indexed, bool) else indexed:
        if name not in dict(options.special_keys):
            hint = suggest_nearest(name, (*dict(options.special_keys), "true", "false"))
            raise OptionError(
                f"option 'index_special_keys' names {name!r}, which is not one of"
                f" 'special_keys'{hint}"
            )


def _refuse_incomplete(options: Options) -> None:
    """Refuse an option without the other one that it needs."""
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
    source = options.migrate_from
    if options.envelope == "json" and source is not None and source not in _WITHOUT_UNPICKLING:
        raise OptionError(
            f"option 'envelope' is json, so no pickle is read, and 'migrate_from' is {source!r},"
            " which unpickles what it holds"
        )
