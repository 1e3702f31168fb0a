"""What no two options may say together: an attribute's name twice, one half of a pair.

Pure: complete options in, the same out or an OptionError. What one value may be, `casts` says.
"""

from __future__ import annotations

from typing import Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import OptionError

#: Backends of `migrate_from` of which no pickle is read by `pickle`; memory and tables hold none.
_NEVER_UNPICKLED: Final = frozenset(
    "file dbm memory ext:redis ext:rediscluster ext:database ext:sqla ext:dynamodb dynamodb".split()
)


def checked(options: Options) -> Options:
    """Return *options* if no two of them contradict each other.

    Raises: OptionError, naming both.
    """
    _attributes(options)
    _pairs(options)
    return options


def _attributes(options: Options) -> None:
    """Refuse two attributes of one name."""
    attributes = ["data", "rev", "prev", "name", "early", options.hash_key, options.ttl_attribute]
    attributes += [options.range_key] if options.range_key else []
    twice = {name for name in attributes if attributes.count(name) > 1 or not name}
    if twice:
        raise OptionError(f"two attributes of an item would be called {min(twice)!r}")
    for name, _ in options.special_keys:
        if name in attributes:
            raise OptionError(f"option 'special_keys' names {name!r}, an attribute of our own")


def _pairs(options: Options) -> None:
    """Refuse one half of what makes sense together."""
    if (options.read_capacity_units is None) is not (options.write_capacity_units is None):
        raise OptionError(
            "options 'read_capacity_units' and 'write_capacity_units' go together: give both for a"
            " provisioned table, none for an on-demand one"
        )
    if (options.aws_access_key_id is None) is not (options.aws_secret_access_key is None):
        raise OptionError(
            "options 'aws_access_key_id' and 'aws_secret_access_key' go together: give both, or"
            " none, and AWS's own places are searched"
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
