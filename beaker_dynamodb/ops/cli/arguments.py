"""What many commands share: the application's options, the output format, and a question.

A command that is decorated by `with_application` or `with_table` gets an `Application` by that
name; one decorated by `with_output` or `with_table` an `Output`, by `with_features` a `Features`.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from beaker_dynamodb.config import sources
from beaker_dynamodb.config.options import MAX_CAPACITY
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.errors import (
    OptionError,
    TableMissing,
    mask_repr,
    raise_clean,
    say_table_missing,
)
from beaker_dynamodb.ops.application import (
    Application,
    find_global_settings,
    find_unread_cache_lines,
    load_application,
    suggest_file,
)
from beaker_dynamodb.ops.cli.drawing import Output, echo, get_width
from beaker_dynamodb.ops.cli.wording import escape, fold
from beaker_dynamodb.provisioning.spec import Features

#: Capacity units a second: one read of a page may cost 256, which is 43 minutes at this rate.
_MIN_RATE: Final = 0.1

_EMBEDDED: Final = (
    "endpoint_url = embedded: this table exists only inside the application's own process, and no"
    " other process can reach it; for one that both can reach, use DynamoDB Local"
)

Command = Callable[..., Any]


def _parse_pairs(_: click.Context, __: click.Parameter, words: Sequence[str]) -> dict[str, str]:
    """Parse a repeated NAME=VALUE; a name that is given twice is a usage error."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name.strip() or not equals:
            raise click.BadParameter(f"{mask_repr(word)} is not NAME=VALUE")
        if name in found:
            raise click.BadParameter(f"{mask_repr(name)} is given twice")
        found[name] = value
    return found


def make_pairs_option(*names: str, meaning: str) -> Callable[[Command], Command]:
    """Make an option NAME=VALUE that can be repeated, and whose value is a dict."""
    help_ = f"{meaning} Repeatable."
    return click.option(
        *names, multiple=True, metavar="NAME=VALUE", callback=_parse_pairs, help=help_
    )


def _validate_rate(_: click.Context, __: click.Parameter, rate: float | None) -> float | None:
    """Refuse NaN, which click's range accepts although it limits nothing."""
    if rate is not None and math.isnan(rate):
        raise click.BadParameter("it is not a number")
    return rate


_given = make_pairs_option(
    *("-o", "--option", "given"),
    meaning="An option as in the application's ini file: table=sessions.",
)
_config = click.option(
    *("-c", "--config", "config"),
    metavar="FILE[#SECTION]",
    shell_complete=lambda *_: [CompletionItem("", type="file")],  # the shell completes names
    help="The application's ini file. Default section: main, or the one that sets the type.",
)
_cache = click.option(
    "--cache",
    metavar="REGION",
    help="Use the options of this cache region, or of 'default', instead of the session's.",
)
SEGMENTS = click.option(
    "--segments",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Threads; each reads one part of the table.",
)
RATE = click.option(
    "--rate",
    type=click.FloatRange(min=_MIN_RATE),
    metavar="UNITS",
    callback=_validate_rate,
    help="Limit of capacity units a second, read and write together.",
)
#: An option for each field of `Features`, by the field's name.
_features = (
    make_pairs_option("--tag", "tags", meaning="A tag of the table."),
    click.option(
        *("--point-in-time-recovery/--no-point-in-time-recovery", "recovery"),
        default=None,
        help="Keep backups for 35 days, of deleted sessions too.",
    ),
    click.option(
        *("--deletion-protection/--no-deletion-protection", "protection"),
        default=None,
        help="Refuse to delete the table.",
    ),
    click.option(
        "--kms-key", metavar="KEY", help="Encrypt at rest with this key: an id, an ARN or an alias."
    ),
    *(
        click.option(
            f"--max-{kind}-units",
            type=click.IntRange(1, MAX_CAPACITY),
            help=f"Throttle an on-demand table above so many {kind} units a second.",
        )
        for kind in ("read", "write")
    ),
)


@contextmanager
def silence(log: logging.Logger, beginning: str = "") -> Iterator[None]:
    """Omit the lines of a log that have this beginning, until the end of the block."""

    def is_kept(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(beginning)

    log.addFilter(is_kept)
    try:
        yield
    finally:
        log.removeFilter(is_kept)


def with_selection(command: Command) -> Command:
    """Give a command -c, -o and --cache: `config`, `given` and `cache`, not interpreted."""

    @functools.wraps(command)
    def wrapper(*args: Any, config: str | None, given: dict[str, str], **kwargs: Any) -> Any:
        try:
            # An operator's commands need not repeat at each call what the application logs.
            with silence(sources.log, sources.FOREIGN_URL):
                return command(*args, config=config, given=given, **kwargs)
        except (OptionError, TableMissing) as error:
            if config or given:
                raise
            raise_clean(suggest_file(error))

    return _config(_given(_cache(wrapper)))


def with_application(command: Command) -> Command:
    """Give a command -c, -o and --cache, and pass it the `Application` that they select."""

    @with_selection
    @functools.wraps(command)
    def wrapper(
        *args: Any, config: str | None, given: dict[str, str], cache: str | None, **kwargs: Any
    ) -> Any:
        application = load_application(config, given=given, cache=cache)
        shared = find_global_settings(config, cache)
        if shared.names:
            echo(escape(f"note: {shared}"), err=True)
        if cache is not None:
            _note_unread_lines(config, cache)
        return command(*args, application=application, **kwargs)

    return wrapper


def _note_unread_lines(config: str | None, cache: str) -> None:
    """Print which `cache.*` options of the file this region does not read, if there are any."""
    names = ", ".join(f"cache.{line.option}" for line in find_unread_cache_lines(config, cache))
    if names:
        note = (
            f"note: the cache region {cache} does not read {names}; if the application calls"
            " with_cache_defaults(), give --cache default"
        )
        echo(escape(note), err=True)


def hide_cache(command: click.Command) -> None:
    """Remove --cache from the help of a command that works on sessions only, and refuses it."""
    for param in command.params:
        if isinstance(param, click.Option) and param.name == "cache":
            param.hidden = True


def with_table(command: Command) -> Command:
    """Do what `with_application` and `with_output` do, for a command that makes calls."""

    @functools.wraps(command)
    def wrapper(*args: Any, application: Application, **kwargs: Any) -> Any:
        if embedded.is_elsewhere(application.options.endpoint_url):
            raise OptionError(_EMBEDDED)
        table, region = application.options.table, application.options.region
        try:
            return command(*args, application=application, **kwargs)
        except TableMissing as error:
            call = error.call
            if call is not None and (
                call.table != table or (region and call.region not in {None, region})
            ):  # one that sessions are imported from
                raise
            # The command that creates it names the caller's ini file, which only this layer knows.
            message = say_table_missing(table, application.create_command())
            raise_clean(TableMissing(message, call=call))

    return with_application(with_output(wrapper))


def with_output(command: Command) -> Command:
    """Give a command --json and --quiet, and pass it an `Output` that follows them."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @click.option("--quiet", "-q", is_flag=True, help="Print nothing; see the exit code.")
    @functools.wraps(command)
    def wrapper(*args: Any, as_json: bool, quiet: bool, **kwargs: Any) -> Any:
        return command(*args, output=Output(as_json=as_json, quiet=quiet), **kwargs)

    return wrapper


def with_features(command: Command) -> Command:
    """Give a command the options of `Features`, and pass it a `Features`."""

    @functools.wraps(command)
    def wrapper(*args: Any, tags: dict[str, str], **kwargs: Any) -> Any:
        names = (field.name for field in dataclasses.fields(Features) if field.name != "tags")
        others = {name: kwargs.pop(name) for name in names}
        features = Features(tuple(sorted(tags.items())), **others)
        return command(*args, features=features, **kwargs)

    for option in reversed(_features):
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


def confirm_deletion(output: Output, what: str, table: str) -> bool:
    """Ask for the table's name before all of *what* in it is deleted; return whether it was typed.

    Raises: OptionError, without a terminal.
    """
    width = get_width(err=True)
    question = f"Every {what} of table {table!r} will be deleted. Type the table's name"
    try:
        typed = click.prompt(question if width is None else fold(question, width), err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)  # ends the line of the question
        message = "the table's name was not typed: without a terminal, give --yes"
        raise_clean(OptionError(message))
    if typed != table:
        output.refuse("that is not the table's name; nothing was deleted")
    return bool(typed == table)
