"""Names that are not ours: a slip of the pen is refused, an option of another backend is not."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

import pytest
from beaker import container
from beaker.ext import database, google, memcached, mongodb, redisclusternm, redisnm, sqla

from beaker_dynamodb.config.names import BEAKER_OPTIONS, FOREIGN_OPTIONS, NAMES, is_known
from beaker_dynamodb.config.parsers import find_misspelled
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.errors import OptionError

#: The backends that come with Beaker.
BACKENDS: tuple[Callable[..., Any], ...] = (
    container.MemoryNamespaceManager,
    container.DBMNamespaceManager,
    container.FileNamespaceManager,
    database.DatabaseNamespaceManager,
    google.GoogleNamespaceManager,
    memcached.MemcachedNamespaceManager,
    mongodb.MongoNamespaceManager,
    redisnm.RedisNamespaceManager,
    redisclusternm.RedisClusterNamespaceManager,
    sqla.SqlaNamespaceManager,
)
#: Found in public ini files: arguments of redis-py, pymongo, pylibmc, SQLAlchemy, and of forks.
PUBLIC = (
    "max_items max_connections socket_timeout socket_connect_timeout max_size pool_size"
    " sa.url sa.pool_recycle sa.echo sa_opts memcache_module protocol sparse_collection"
    " host port db password username ssl servers urls prefix_key key_prefix table_prefix"
    " optimistic schema_name bind file_dir dbm_dir dbmmodule priority backend"
    " lock_timeout hosts keyspace column_family encrypt_key max_entries database_name"
).split()


def test_every_option_of_beakers_backends_is_known() -> None:
    """A newer Beaker with another option fails here."""
    names = {
        name
        for backend in BACKENDS
        for name, parameter in inspect.signature(backend).parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }

    assert names - BEAKER_OPTIONS - FOREIGN_OPTIONS - NAMES.keys() == {"namespace", "url"}
    assert not FOREIGN_OPTIONS & {*NAMES, "url"}


@pytest.mark.parametrize("kind", ["session", "cache"])
def test_options_of_other_backends_are_set_aside_with_one_warning(
    kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """They are left over from a former configuration, and no visitor gets an error for them."""
    for _ in range(3):
        assert parse({**dict.fromkeys(PUBLIC, "5"), "table": "tab"}, kind).table == "tab"

    (line,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert line.startswith("not options of beaker_dynamodb, and ignored: 'max_items', 'max_conn")
    assert all(repr(name) in line for name in PUBLIC)
    assert not any(is_known(name) for name in PUBLIC)


@pytest.mark.parametrize("name", [one for one in NAMES if len(one) > 4])
def test_a_slip_of_the_pen_is_refused(name: str) -> None:
    """One letter is missing, doubled, replaced, or has changed its place; or the case is wrong."""
    middle = len(name) // 2
    first, letter, rest = name[:middle], name[middle], name[middle + 1 :]
    slips = (first + rest, f"{first}{letter}{letter}{rest}", f"{first}9{rest}", name.upper())
    swapped = f"{first}{rest[:1]}{letter}{rest[1:]}"

    for typed in {*slips, swapped} - NAMES.keys():
        with pytest.raises(OptionError, match="did you mean"):
            parse({typed: "x"}, "session")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ttls", "ttl"),
        ("ssl", None),
        ("tls", None),
        ("tl", "ttl"),
        ("lck", "lock"),
        ("luck", "lock"),
        ("look", "lock"),
        ("clock", "lock"),
        ("block_", None),
        ("tables", "table"),
        ("tbale", "table"),
        ("cables", "table"),
        ("cabins", None),
        ("touchafter", "touch_after"),
        ("touch-after", "touch_after"),
        ("touchAfterS", "touch_after"),
        ("max_attempt", "max_attempts"),
        ("max_items", None),
        ("", None),
    ],
)
def test_up_to_two_letters_are_a_slip_and_one_in_a_short_name(
    typed: str, meant: str | None
) -> None:
    """More than that is another name."""
    assert find_misspelled(typed, NAMES) == meant


@pytest.mark.parametrize(
    ("typed", "meant"), [("aws_region", "region"), ("endpoint", "endpoint_url")]
)
def test_what_others_call_our_options_is_refused(typed: str, meant: str) -> None:
    """Ignored, they would send the sessions to another region or account without an error."""
    with pytest.raises(OptionError, match=f"did you mean '{meant}'"):
        parse({typed: "x"}, "session")


def test_the_nearest_name_is_meant() -> None:
    """Not the first that is near enough."""
    assert find_misspelled("lock_wai", ["lock_wa", "lock_wait"]) in {"lock_wa", "lock_wait"}
    assert find_misspelled("red", ["rod", "reds", "red"]) == "red"
