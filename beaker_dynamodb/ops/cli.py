"""The command line: arguments in, one function called, results on stdout, an exit code out.

It decides nothing: what a command does, Python does through one function. Progress and errors go
to stderr. Exit codes: 0; 1, the answer is no; 2, wrong call; 3, the store cannot be reached.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import click
from rich.console import Console

from beaker_dynamodb import sources
from beaker_dynamodb.errors import DynamoDBBackendError, OptionError
from beaker_dynamodb.ops import templates
from beaker_dynamodb.options import Options
from beaker_dynamodb.store import provision
from beaker_dynamodb.store.blueprint import blueprint
from beaker_dynamodb.store.client import door
from beaker_dynamodb.store.connection import Connection
from beaker_dynamodb.store.description import Description, Difference, differences, paid_for

NAME: Final = "beaker-dynamodb"
NO, WRONG_CALL, UNREACHABLE, INTERRUPTED = 1, 2, 3, 130
#: Seconds. The control plane takes its time, and a second attempt finds what the first one made.
_READ_TIMEOUT: Final = 30.0


class _Commands(click.Group):
    """A group whose commands, all of them, fail with one line and the code that says why."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except DynamoDBBackendError as error:
            _complain(str(error))
            ctx.exit(WRONG_CALL if isinstance(error, OptionError) else UNREACHABLE)


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command that *argv* names (without the program's own name); return the exit code."""
    try:
        code = cli.main(argv, prog_name=NAME, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        _complain("interrupted")
        return INTERRUPTED
    except SystemExit as error:  # the demo's, with a sentence; click's, when a pipe is closed
        if not isinstance(error.code, str):
            raise
        _complain(error.code)
        return WRONG_CALL
    return code if isinstance(code, int) else 0


def reference() -> str:
    """Print every command's own --help as Markdown, for README."""
    return "\n".join(f"### `{path}`\n\n```text\n{text}\n```\n" for path, text in _helps(cli, NAME))


def _helps(
    command: click.Command, name: str, above: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the full name and the help of a command, and of those below it, 80 columns wide."""
    width = {"terminal_width": 80, "max_content_width": 80}
    context = click.Context(
        command, info_name=name, parent=above, **{**command.context_settings, **width}
    )
    yield context.command_path, command.get_help(context)
    for below, one in sorted(getattr(command, "commands", {}).items()):
        yield from _helps(one, below, context)


def _complain(sentence: str) -> None:
    click.echo(f"{NAME}: {' '.join(sentence.split())}", err=True)


def _version() -> str:
    try:
        return importlib.metadata.version(NAME)
    except importlib.metadata.PackageNotFoundError:
        return "(a checkout that is not installed)"


def _pairs(_: click.Context, __: click.Parameter, words: Sequence[str]) -> dict[str, str]:
    pairs = dict(word.partition("=")[::2] for word in words if "=" in word.lstrip("= "))
    wrong = [word for word in words if "=" not in word.lstrip("= ")]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE")
    return pairs


def _example(command: str) -> str:
    return f"\b\nExample:\n  {NAME} {command}"  # click leaves lines after a backspace as they are


_GIVEN = click.option(
    *("-o", "--option", "given"),
    multiple=True,
    metavar="NAME=VALUE",
    callback=_pairs,
    help="An option as in the application's ini file: table=sessions. Repeatable.",
)
_CACHE = click.option("--cache", is_flag=True, help="The options are a cache's, not a session's.")


def _parsed(given: Mapping[str, str], *, cache: bool) -> Options:
    """Parse what `-o` said; a name may keep the beginning that it has in an ini file."""
    kind: sources.Kind = "cache" if cache else "session"
    plain = {n.removeprefix("beaker.").removeprefix(f"{kind}."): v for n, v in given.items()}
    for name in plain:
        if name.startswith(("session.", "cache.")):  # `parse` would set it aside without a word
            raise OptionError(f"option {name!r} is not a {kind}'s; see --cache")
    return sources.parse(plain, kind)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_example("table create -o table=sessions -o region=eu-central-1"),
)
@click.version_option(_version(), prog_name=NAME)
def cli() -> None:
    """Look after the DynamoDB table of Beaker's sessions and caches.

    Credentials and region come from where AWS's own tools take them, or from -o. Results go to
    stdout. Exit codes: 0; 1, the answer is no; 2, wrong call; 3, the store cannot be reached.
    """


@cli.command(epilog=_example("demo --port 8081 -o endpoint_url=http://127.0.0.1:8000"))
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@_GIVEN
def demo(port: int, given: Mapping[str, str]) -> int:
    """Serve a page that shows a session at work.

    Beside the session stands the row that it is stored in. The store is in memory, unless -o
    names another endpoint.
    """
    from beaker_dynamodb.demo.app import serve

    serve(port, given)
    return 0


@cli.group(epilog=_example("table create -o table=sessions"))
def table() -> None:
    """Make the table that sessions and caches live in."""


@table.command(epilog=_example("table create -o table=sessions -o special_keys=userId:S"))
@_GIVEN
@_CACHE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing; the exit code says it all.")
def create(given: Mapping[str, str], *, cache: bool, as_json: bool, quiet: bool) -> int:
    """Create the table, wait until it is active, and switch its TTL on.

    What is there already is left as it is, so it may be run at every deploy. If the table differs
    from what the options ask for, the differences are printed and the exit code is 1.
    """
    options = _parsed(given, cache=cache)
    patient = dataclasses.replace(options, read_timeout=max(options.read_timeout, _READ_TIMEOUT))
    ought = blueprint(options)
    with Console(stderr=True, quiet=quiet).status(f"table {ought.table}: until it is active"):
        is_ = provision.ensure(door(Connection.of(patient)), ought)
    found = differences(is_, ought)
    if not quiet:
        told = {**dataclasses.asdict(is_), "differences": [dataclasses.asdict(d) for d in found]}
        click.echo(json.dumps(told, indent=2) if as_json else "\n".join(_lines(is_, found)))
    return NO if any(difference.severity != "note" for difference in found) else 0


def _lines(is_: Description, found: Sequence[Difference]) -> Iterator[str]:
    """Describe a table in lines for people."""
    done = "created" if is_.created else "exists"
    yield f"{done}: table {is_.table!r}, region {is_.region}, account {is_.account} ({is_.status})"
    yield f"  keys      {is_.schema()}"
    yield f"  TTL       {is_.expiry}"
    yield f"  capacity  {paid_for(is_.capacity)}"
    for index in is_.indexes:
        yield f"  index     {index.name!r} of {index.attribute!r} ({index.projection})"
    yield from map(str, found)


@cli.command(epilog=_example("policy app -o create_table=false -o region=eu-central-1 > app.json"))
@click.argument("role", type=click.Choice(["app", "deploy", "operator"]))
@_GIVEN
@_CACHE
@click.option("--account", default="*", show_default=True, help="AWS account, 12 digits.")
def policy(role: str, given: Mapping[str, str], *, cache: bool, account: str) -> int:
    """Print the least IAM policy of a role, as JSON.

    app serves requests, deploy makes the table, operator looks after it. An application that
    keeps sessions and caches needs two, one of them printed with --cache.
    """
    options = _parsed(given, cache=cache)
    found = templates.policy(cast("templates.Role", role), options, account=account)
    click.echo(json.dumps(found, indent=2))
    return 0
