"""Print results: lines or tables for people, JSON for machines, nothing under --quiet.

Results go to stdout; progress and remarks to stderr, and progress to a terminal only. Every text
is printed by `echo`, or under `printable`: no stream's encoding makes a command fail.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.status import Status

from beaker_dynamodb.ops.cli.wording import escape, to_json

#: Columns of a file or a pipe.
_UNFOLDED: Final = 1000
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


def echo(text: str = "", *, err: bool = False) -> None:
    """Print a line; what the stream's encoding does not have is escaped.

    The stream is passed explicitly, because click would write UTF-8 to one of ASCII.
    """
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)


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
        if not self.quiet:
            echo(_json(result, indent=2) if self.as_json else "\n".join(map(escape, lines)))

    def stream(self, each: Iterable[Any], line: Callable[[Any], str]) -> int:
        """Print each result as it comes, as JSON or as `line(result)`; return their number.

        A line may be styled, so *line* must escape the texts that it holds.
        """
        number = 0
        for one in each:
            number += 1
            if not self.quiet:
                echo(_json(_plain(one)) if self.as_json else line(one))
        return number

    def draw(self, result: object, *drawings: RenderableType) -> None:
        """Print one result: *result* as a JSON object, or what rich draws."""
        if self.quiet:
            return
        if self.as_json:
            echo(_json(result, indent=2))
            return
        # Texts of the table are printed too, so rich must not interpret brackets and colons.
        console = Console(highlight=False, markup=False, emoji=False)
        if not console.is_terminal:  # a folded line could be neither searched nor pasted
            console.width = _UNFOLDED
        for drawing in drawings:
            console.print(drawing)

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
        return Console(stderr=True, quiet=self.quiet).status(what, spinner="line")  # ASCII

    @contextmanager
    def progress(self, what: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        """Show a bar with rate and time left, on a terminal; yield the function that advances it.

        When interrupted, it prints how far it came.
        """
        console = Console(stderr=True)
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=self.quiet or not console.is_terminal,
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


def _json(result: object, indent: int | None = None) -> str:
    return json.dumps(to_json(result), indent=indent, allow_nan=False)


def _plain(result: object) -> object:
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return dataclasses.asdict(result)
    return result
