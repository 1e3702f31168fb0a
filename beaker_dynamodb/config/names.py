"""The names of options: ours, their aliases, Beaker's, those of other backends, misspelled ones.

A name that is none of ours is ignored, as Beaker gives every backend all that it was given. One
that differs from ours in a letter or two is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from beaker_dynamodb.config.options import OPTIONS
from beaker_dynamodb.config.parsers import find_misspelled
from beaker_dynamodb.errors import OptionError, mask_repr

#: The option that names the source backend, and the prefix of that backend's own options.
MIGRATE_FROM, SOURCE_PREFIX = "migrate_from", "migrate_from."

#: Options that Beaker and its frameworks pass to every backend for their own purposes
#: (beaker/session.py:187, beaker/middleware.py:120, beaker/util.py:375, pyramid_beaker).
BEAKER_OPTIONS = frozenset(
    "auto cache_regions class constant_csrf_token cookie_on_exception data_dir digest_filenames"
    " enabled expire key_length lock_dir log_file namespace_class regions session_class timeout"
    " type use_cookies webtest_varname".split()
)
#: Options of Beaker's other backends and of known forks of it, and the arguments of the clients
#: that they pass on: redis, memcache, pymongo, SQLAlchemy, boto. They are left over from a former
#: configuration, or belong to another region, and are no misspellings of ours.
FOREIGN_OPTIONS = frozenset(
    "backend bind column_family consistency_level database_name db dbm_dir dbmmodule file_dir host"
    " hosts keyspace max_connections max_entries max_items max_size memcache_module optimistic"
    " password pool_size port protocol retry_on_timeout sa_opts schema_name servers socket_timeout"
    " sparse_collection ssl timeout_seconds urls user username".split()
)
#: Names that other packages have for an option of ours, beyond a slip of the pen.
_SYNONYMS = {"endpoint": "endpoint_url", "aws_region": "region"}
#: How an option of the source backend begins if it is written with an underscore.
_SOURCE_OPTION = "migrate_from_"

NAMES = {name: name for name in OPTIONS} | {row.alias: n for n, row in OPTIONS.items() if row.alias}


def resolve_alias(name: str) -> str:
    """Return the name of the option that *name* is an alias of, else *name*."""
    return NAMES.get(name, name)


def is_known(name: str, *, or_near: bool = False, place: str = "") -> bool:
    """Return whether a name is one of our options, or one that Beaker passes to every backend.

    Raises: OptionError, if it is close to one of ours; with *or_near*, return True instead.
    """
    if name in NAMES or name == "url" or name in BEAKER_OPTIONS:
        return True
    if name.startswith(SOURCE_PREFIX):
        return True
    try:
        refuse_misspelled(name, NAMES, place)
    except OptionError:
        if or_near:
            return True
        raise
    return False


def refuse_misspelled(name: str, names: Iterable[str], place: str = "") -> None:
    """Refuse a name that is a misspelling of one of *names*, or what others call one of them.

    Args: *place* says where it is set, as " in line 7 of production.ini".
    """
    if name in FOREIGN_OPTIONS:
        return
    near = _SYNONYMS.get(name) or find_misspelled(name, names)
    if name.startswith(_SOURCE_OPTION):
        near = SOURCE_PREFIX + name.removeprefix(_SOURCE_OPTION)
    if near:
        raise OptionError(f"unknown option {mask_repr(name)}{place}; did you mean {near!r}?")
