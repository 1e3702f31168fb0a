"""Run a command. If it fails, print one line on stderr and return an exit code.

Exit codes: 0; 1, the answer is no; 2, usage error; 3, the store cannot be reached; 130,
interrupted; 141, the reader of a pipe has ended (`| head`). A traceback is a defect.
"""

from __future__ import annotations

import importlib.metadata
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import click

from beaker_dynamodb.errors import (
    DynamoDBBackendError,
    OptionError,
    Refused,
    TableError,
    Unavailable,
    mask,
    raise_clean,
)
from beaker_dynamodb.ops.cli.drawing import echo, printable
from beaker_dynamodb.ops.cli.wording import escape, fold

NAME: Final = "beaker-dynamodb"
NO, USAGE_ERROR, UNREACHABLE, INTERRUPTED = 1, 2, 3, 130
#: What shells report of a program that SIGPIPE ended, such as `git log | head`: 128 and 13.
CLOSED_PIPE: Final = 141


class _Commands(click.Group):
    """A group whose commands all fail with one line and an exit code."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the named command; for one that is in a subgroup, the error names the group."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            for name, group in self.commands.items():
                if isinstance(group, click.Group) and args[0] in group.commands:
                    message = f"No such command {args[0]!r}; did you mean '{name} {args[0]}'?"
                    raise_clean(click.UsageError(message, ctx))
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the named command."""
        try:
            return super().invoke(ctx)
        except DynamoDBBackendError as error:
            complain(str(error))
            ctx.exit(_get_exit_code(error))


def _get_exit_code(error: DynamoDBBackendError) -> int:
    if isinstance(error, OptionError):
        return USAGE_ERROR
    # All other errors are about one row, which exists and cannot be read or changed.
    return UNREACHABLE if isinstance(error, (Unavailable, TableError, Refused)) else NO


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command that *argv* names (without the program's own name); return the exit code."""
    with printable():
        try:
            return _run(argv)
        except BrokenPipeError:  # while an error was printed: `2>&1 | head`
            return CLOSED_PIPE


def _run(argv: Sequence[str] | None) -> int:
    try:
        code = cli.main(argv, prog_name=NAME, standalone_mode=False)
    except click.ClickException as error:
        output = io.StringIO()
        error.show(output)
        # It repeats parts of the command line, which may have a URL with a password.
        for line in mask(output.getvalue()).split("\n")[:-1]:
            # click indents the values of a choice by a tab.
            echo(escape(re.sub("^\t", "  ", line)), err=True)
        return error.exit_code
    except click.Abort:
        complain("interrupted")
        return INTERRUPTED
    except OSError as error:  # stdout cannot be written: its disk is full
        complain(f"the output cannot be written: {error.strerror or type(error).__name__}")
        return NO
    except SystemExit as error:
        if error.code == 1:  # which click and rich raise for a closed pipe, and for nothing else
            return CLOSED_PIPE
        raise
    return code if isinstance(code, int) else 0


def format_reference() -> str:
    """Return every command's own --help as Markdown, for docs/commands.md."""
    return "\n".join(
        f"## `{path}`\n\n```text\n{text}\n```\n" for path, text in _list_helps(cli, NAME)
    )


def _list_helps(
    command: click.Command, name: str, above: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the full name and the help of a command, and of those below it, 80 columns wide."""
    width = {"terminal_width": 80, "max_content_width": 80}
    context = click.Context(
        command, info_name=name, parent=above, **{**command.context_settings, **width}
    )
    yield context.command_path, command.get_help(context)
    for below, one in sorted(getattr(command, "commands", {}).items()):
        yield from _list_helps(one, below, context)


def complain(sentence: str) -> None:
    """Print one line on stderr, with control characters escaped."""
    echo(f"{NAME}: {escape(' '.join(sentence.split()))}", err=True)


def example(*commands: str) -> str:
    """Return the end of a command's help, with examples that can be copied."""
    lines = "".join(fold(f"\n  {NAME} {command}", 76, indent=4) for command in commands)
    return f"\b\nExample:{lines}"  # click leaves lines after a backspace as they are


def _version() -> str:
    try:
        return importlib.metadata.version(NAME)
    except importlib.metadata.PackageNotFoundError:
        return "(a checkout that is not installed)"


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("table create -c production.ini"),
)
@click.version_option(_version(), prog_name=NAME)
def cli() -> None:
    """Manage the DynamoDB table of Beaker's sessions and caches.

    Options come from the application's own ini file (-c) or from -o; credentials and region
    from the places that AWS's own tools use. Results go to stdout, everything else to stderr.
    Exit codes: 0; 1, the answer is no; 2, usage error; 3, the store cannot be reached; 130,
    interrupted; 141, the reader of a pipe has ended.
    """
