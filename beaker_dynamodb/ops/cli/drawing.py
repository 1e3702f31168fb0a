"""Print results: lines or tables for people, JSON for machines, nothing under --quiet.

Results go to stdout; progress and remarks to stderr, and progress to a terminal only. Every text
is printed by `echo`, or under `printable`: no stream's encoding makes a command fail. On a
terminal, lines break between words; NO_COLOR and TERM=dumb turn colors and other styles off.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeVar, cast

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.status import Status
from rich.table import Column
from rich.text import Text

from beaker_dynamodb.errors import DynamoDBBackendError
from beaker_dynamodb.ops.cli.wording import escape, fold, format_duration, to_json
from beaker_dynamodb.ops.parallel import SweepProgress
from beaker_dynamodb.ops.sessions import Count
from beaker_dynamodb.ops.stats import Stats

T = TypeVar("T")
F = TypeVar("F", SweepProgress, Count, Stats)
_BAR_COLUMNS: Final = 40
#: What bars are drawn with, and what replaces it if an encoding does not have it.
_BLOCK, _PLAIN_BLOCK = "\N{FULL BLOCK}", "#"


@contextmanager
def printable() -> Iterator[None]:
    """Open all missing streams, and write what an encoding does not have as an escape."""
    with _open_missing():
        streams = [s for s in (sys.stdout, sys.stderr) if isinstance(s, io.TextIOWrapper)]
        before = [stream.errors for stream in streams]
        try:
            for stream in streams:
                stream.reconfigure(errors="backslashreplace")
            yield
        finally:
            for stream, errors in zip(streams, before, strict=True):
                if not stream.closed:
                    stream.reconfigure(errors=errors)


@contextmanager
def _open_missing() -> Iterator[None]:
    """Open the null device in place of a stream that the process started without (`<&-`, `>&-`).

    Python has None in its place, and click would then write an error to stdout.
    """
    with ExitStack() as stack:
        for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
            if getattr(sys, name) is None:
                setattr(sys, name, stack.enter_context(Path(os.devnull).open(mode)))
                stack.callback(setattr, sys, name, None)
        yield


def echo(text: str = "", *, err: bool = False, is_data: bool = False) -> None:
    """Print lines; what the stream's encoding does not have is escaped.

    On a terminal they are folded, except data for machines. The stream is passed explicitly,
    because click would write UTF-8 to one of ASCII.
    """
    stream = sys.stderr if err else sys.stdout
    width = None if is_data else get_width(err=err)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    folded = text if width is None else fold(text, width)
    encoded = folded.encode(encoding, "backslashreplace").decode(encoding)
    click.echo(encoded, file=stream, color=None if has_styles() else False)


def get_width(*, err: bool = False) -> int | None:
    """Return the columns of the terminal that stdout (or stderr) is; None for a file or a pipe."""
    stream = sys.stderr if err else sys.stdout
    return _make_console(err=err).width if stream.isatty() else None


def has_styles() -> bool:
    """Return whether a terminal may be sent colors (https://no-color.org) and other styles."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in {"dumb", "unknown"}


def _make_console(*, err: bool, quiet: bool = False) -> Console:
    """Return rich's console. Texts of the table are printed, so it must not interpret them."""
    return Console(
        stderr=err,
        quiet=quiet,
        color_system="auto" if has_styles() else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


def draw_bar(length: int) -> str:
    """Draw a bar of so many characters, each of which stdout can print."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        _BLOCK.encode(encoding)
    except UnicodeEncodeError:
        return _PLAIN_BLOCK * length
    return _BLOCK * length


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """The output of a command, by --json and --quiet."""

    as_json: bool = False
    quiet: bool = False

    def answer(self, result: object, lines: Iterable[str]) -> None:
        """Print one result: *result* as a JSON object, or *lines*, each of them escaped."""
        self.draw(result, map(escape, lines))

    def draw(self, result: object, lines: Iterable[str]) -> None:
        """Print one result: *result* as a JSON object, or *lines*, which may be styled."""
        if not self.quiet:
            text = _json(result, indent=2) if self.as_json else "\n".join(lines)
            echo(text, is_data=self.as_json)

    def stream(self, result: T, line: Callable[[T], str]) -> None:
        """Print one of many results as it comes, in one line of JSON or as `line(result)`.

        A line may be styled, so *line* must escape the texts that it holds.
        """
        if not self.quiet:
            echo(_json(result) if self.as_json else line(result), is_data=self.as_json)

    def refuse(self, message: str) -> None:
        """Print why the answer is no: on stderr, and with --json also as an object on stdout."""
        if self.as_json:
            self.answer({"done": False, "message": message}, ())
        self.remark(message)

    def remark(self, message: str) -> None:
        """Print a remark on stderr."""
        if not self.quiet:
            echo(escape(message), err=True)

    def waiting(self, what: str) -> Status:
        """Return a context that shows, on a terminal, what the command waits for."""
        # This spinner is of ASCII characters.
        return _make_console(err=True, quiet=self.quiet).status(what, spinner="line")

    @contextmanager
    def progress(self, what: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        """Show a bar with rate and times, on a terminal; yield the function that advances it.

        When interrupted, it prints how far it came.
        """
        console = _make_console(err=True)
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(None, table_column=Column(max_width=_BAR_COLUMNS)),  # narrower if need be
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[rate]}"),
            _TimeColumn(table_column=Column(no_wrap=True)),
            console=console,
            disable=self.quiet or not console.is_terminal,
            redirect_stdout=False,  # else results in a file or a pipe would appear above the bar
        )
        with bar:
            task = bar.add_task(what, total=total, rate="")
            done = bar.tasks[0]

            def advance(number: float = 1) -> None:
                rate = f"{done.speed:,.0f}/s" if done.speed else ""
                bar.update(task, advance=number, rate=rate)

            try:
                yield advance
            except KeyboardInterrupt:
                bar.stop()  # else the bar would be drawn once more, after the text
                echo(f"interrupted: {what}, {done.completed:,.0f} done", err=True)
                raise

    def follow(
        self,
        rows: float | None,
        steps: Generator[F, None, None],
        describe: Callable[[], str] | None = None,
    ) -> F:
        """Run a command that reads the whole table, and return its last figures.

        Args:
            rows: about how many rows it reads.
            steps: yields the figures so far, at least once.
            describe: writes how far it has come, if it ends early and can be continued.
        """
        figures, scanned_rows = None, 0
        try:
            with self.progress("rows", rows) as advance:
                for figures in steps:
                    advance(figures.scanned_rows - scanned_rows)
                    scanned_rows = figures.scanned_rows
        except (KeyboardInterrupt, DynamoDBBackendError):
            steps.close()  # every thread finishes its current row
            if describe is not None:
                self.remark(f"so far: {describe()}; run it again to continue")
            raise
        return cast("F", figures)


class _TimeColumn(ProgressColumn):
    """The time that a task has taken and, until it is finished, the estimated time left."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Write the two times."""
        elapsed = format_duration(task.finished_time or task.elapsed or 0)
        left = None if task.finished else task.time_remaining
        return Text(elapsed if left is None else f"{elapsed}, {format_duration(left)} left")


def _json(result: object, indent: int | None = None) -> str:
    return json.dumps(to_json(result), indent=indent, allow_nan=False)
