"""The parameters that many commands share: the application's options, and the output format.

A command that is decorated by `with_application` or `with_table` gets an `Application` by that
name; one decorated by `with_output` gets an `Output`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.errors import OptionError, TableMissing, say_table_missing, shown
from beaker_dynamodb.ops.application import Application, load_application
from beaker_dynamodb.ops.cli.drawing import Output

#: Seconds. The control plane is slow, and a second attempt may find what the first one created.
_READ_TIMEOUT: Final = 30.0

_EMBEDDED: Final = (
    "endpoint_url = embedded: this table exists only inside the application's own process, and no"
    " other process can reach it; for one that both can reach, use DynamoDB Local"
)

Command = Callable[..., Any]


def pairs(_: click.Context, __: click.Parameter, words: Sequence[str]) -> dict[str, str]:
    """Read a repeated NAME=VALUE; a name that is given twice is a usage error."""
    found = dict(word.partition("=")[::2] for word in words if "=" in word.lstrip("= "))
    wrong = [word for word in words if "=" not in word.lstrip("= ")]
    if wrong:
        raise click.BadParameter(f"{shown(wrong[0])} is not NAME=VALUE")
    if len(found) < len(words):
        names = [word.partition("=")[0] for word in words]
        twice = next(name for name in names if names.count(name) > 1)
        raise click.BadParameter(f"{shown(twice)} is given twice")
    return found


given: Callable[[Command], Command] = click.option(
    *("-o", "--option", "given"),
    multiple=True,
    metavar="NAME=VALUE",
    callback=pairs,
    help="An option as in the application's ini file: table=sessions. Repeatable.",
)
_config = click.option(
    *("-c", "--config", "config"),
    metavar="FILE[#SECTION]",
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
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_quiet = click.option("--quiet", "-q", is_flag=True, help="Print nothing; see the exit code.")


def with_words(command: Command) -> Command:
    """Give a command -c, -o and --cache: `config`, `given` and `cache`, as they were typed."""
    return _config(given(_cache(command)))


def with_application(command: Command) -> Command:
    """Give a command -c, -o and --cache, and pass it the `Application` that they select."""

    @with_words
    @functools.wraps(command)
    def asked(
        *args: Any, config: str | None, given: dict[str, str], cache: str | None, **kwargs: Any
    ) -> Any:
        found = load_application(config, given=given, cache=cache)
        return command(*args, application=found, **kwargs)

    return asked


def with_table(command: Command) -> Command:
    """Do as `with_application`, for a command on a table that this process must reach."""

    @functools.wraps(command)
    def reached(*args: Any, application: Application, **kwargs: Any) -> Any:
        if embedded.is_elsewhere(application.options.endpoint_url):
            raise OptionError(_EMBEDDED)
        table = application.options.table
        try:
            return command(*args, application=application, **kwargs)
        except TableMissing as error:
            call = error.call
            if call is not None and call.table != table:  # one that sessions are imported from
                raise
        # Raised again, to name the caller's own ini file; the library knows the table's name only.
        raise TableMissing(say_table_missing(table, application.create_command()), call=call)

    return with_application(reached)


def with_output(command: Command) -> Command:
    """Give a command --json and --quiet, and pass it the `Output` that obeys them."""

    @_as_json
    @_quiet
    @functools.wraps(command)
    def answered(*args: Any, as_json: bool, quiet: bool, **kwargs: Any) -> Any:
        return command(*args, output=Output(as_json=as_json, quiet=quiet), **kwargs)

    return answered


def with_long_timeout(application: Application) -> Application:
    """Give the control plane the time that it needs."""
    options = application.options
    longer = dataclasses.replace(options, read_timeout=max(options.read_timeout, _READ_TIMEOUT))
    return dataclasses.replace(application, options=longer)
