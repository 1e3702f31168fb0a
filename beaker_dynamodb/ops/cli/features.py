"""The parameters of table and template commands beyond the application's options.

A command that is decorated by `with_features` gets `Features` by that name; `with_range_key` is
a short form of -o range_key=.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Final

import click

from beaker_dynamodb.config.options import MAX_CAPACITY
from beaker_dynamodb.ops.cli.arguments import parse_pairs
from beaker_dynamodb.provisioning.spec import Features

Command = Callable[..., Any]
#: The fields of `Features` that are options below; `tags` are --tag.
_FIELDS: Final = tuple(f.name for f in dataclasses.fields(Features) if f.name != "tags")
_OPTIONS = (
    click.option(
        "--tag",
        "tags",
        multiple=True,
        metavar="NAME=VALUE",
        callback=parse_pairs,
        help="A tag of the table. Repeatable.",
    ),
    click.option(
        "--point-in-time-recovery/--no-point-in-time-recovery",
        "recovery",
        default=None,
        help="Keep backups for 35 days, of deleted sessions too.",
    ),
    click.option(
        "--deletion-protection/--no-deletion-protection",
        "protection",
        default=None,
        help="Refuse to delete the table.",
    ),
    click.option(
        "--kms-key",
        "kms_key",
        metavar="KEY",
        help="Encrypt at rest with this key: an id, an ARN or an alias.",
    ),
    click.option(
        "--max-read-units",
        "max_read_units",
        type=click.IntRange(1, MAX_CAPACITY),
        help="Throttle an on-demand table above so many read units a second.",
    ),
    click.option(
        "--max-write-units",
        "max_write_units",
        type=click.IntRange(1, MAX_CAPACITY),
        help="Throttle an on-demand table above so many write units a second.",
    ),
)


def with_features(command: Command) -> Command:
    """Give a command the options of `Features`, and pass it a `Features`."""

    @functools.wraps(command)
    def wrapper(*args: Any, tags: dict[str, str], **kwargs: Any) -> Any:
        others = {name: kwargs.pop(name) for name in _FIELDS}
        features = Features(tuple(sorted(tags.items())), **others)
        return command(*args, features=features, **kwargs)

    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    return wrapper


def with_range_key(command: Command) -> Command:
    """Give a command --range-key; it must be placed above `with_application`."""

    @click.option("--range-key", metavar="NAME", help="Short for -o range_key=NAME.")
    @functools.wraps(command)
    def wrapper(*args: Any, given: dict[str, str], range_key: str | None, **kwargs: Any) -> Any:
        if range_key and any(name.rpartition(".")[2] == "range_key" for name in given):
            raise click.UsageError("--range-key and -o range_key are the same; give one of them")
        more = {"range_key": range_key} if range_key else {}
        return command(*args, given={**given, **more}, **kwargs)

    return wrapper
