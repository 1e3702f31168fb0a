"""Draw docs/figures/throttled_table.svg from the record: `python -m tests.throttle.figure`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.throttle.run import RECORD

FIGURE: Final = Path(__file__).parents[2] / "docs" / "figures" / "throttled_table.svg"
WIDTH, LEFT, RIGHT = 860, 56, 190
TOP, PANEL, GAP = 84, 118, 46
CARD, INK, FAINT = "#fbfaf7", "#1f2d3a", "#8b939b"
GREEN, RED, BLUE, BROWN = "#4c7a54", "#a8483c", "#47617a", "#8a6d3b"
HEADING: Final = "A load above the capacity for ten minutes, then below it"
FONTS: Final = "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Line:
    """A line of a panel: its text, its color, and the names of the series that it adds up."""

    text: str
    color: str
    series: tuple[str, ...]


@dataclass(frozen=True)
class Panel:
    """A panel: its title, its lines, and which provisioned units it shows, if it does."""

    title: str
    lines: tuple[Line, ...]
    capacity: str = ""


PANELS: Final = (
    Panel(
        "writes a second",
        (
            Line("write units consumed", GREEN, ("write units",)),
            Line("writes throttled", RED, ("write throttled",)),
        ),
        "write",
    ),
    Panel(
        "reads a second",
        (
            Line("read units consumed", GREEN, ("read units",)),
            Line("reads throttled", RED, ("read throttled",)),
        ),
        "read",
    ),
    Panel(
        "pages with a session, a second",
        (
            Line("served", GREEN, ("/read served", "/change served")),
            Line("an error page", RED, ("/read failed", "/change failed")),
            Line("signed out", BROWN, ("signed out",)),
        ),
    ),
    Panel(
        "touches and cached parts, a second",
        (
            Line("touches stored", GREEN, ("touch stored",)),
            Line("touches dropped", RED, ("touch dropped",)),
            Line("parts served", BLUE, ("/part served",)),
        ),
    ),
)


def draw(record: dict[str, Any]) -> str:
    """Return the figure of a record of `tests.throttle.run`."""
    height = TOP + len(PANELS) * (PANEL + GAP) + 8
    ends = record["load ended"]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
    lines = [
        f'{head} font-family="{FONTS}" font-size="12" role="img" aria-labelledby="t d">',
        '<title id="t">A throttled table</title>',
        f'<desc id="d">{describe(record)}</desc>',
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="{CARD}"/>',
        write(LEFT, 28, HEADING, INK, 'font-size="15" font-weight="600"'),
    ]
    for number, panel in enumerate(PANELS):
        lines += draw_panel(record, panel, TOP + number * (PANEL + GAP))
    for second, text in ((record["first throttled"], "burst used up"), (ends, "load falls")):
        x = place(record, second)
        path = f'<path d="M{x:.1f} {TOP - 8}V{height - GAP - 8}"'
        lines.append(f'{path} stroke="{FAINT}" stroke-dasharray="3 4"/>')
        lines.append(write(x, TOP - 24, text, FAINT, 'text-anchor="middle"'))
    return "\n".join([*lines, "</svg>"]) + "\n"


def describe(record: dict[str, Any]) -> str:
    """Return the figure in words, for those who cannot see it."""
    totals = record["totals"]
    failed = totals["/read failed"] + totals["/change failed"]
    return (
        f"The load falls after {record['load ended']} seconds. Throttled from second"
        f" {record['first throttled']} to {record['last throttled']}; {failed} error pages, the"
        f" last in second {record['last failed']}; {totals['touch dropped']} touches dropped;"
        f" {totals['signed out']} pages without their login; {record['changes lost']} changes lost."
    )


def draw_panel(record: dict[str, Any], panel: Panel, top: int) -> Iterator[str]:
    """Yield the elements of one panel, whose upper edge is at *top*."""
    step, series = record["step"], record["series"]
    sums = [add(*(series[name] for name in line.series)) for line in panel.lines]
    rates = [[number / step for number in numbers] for numbers in sums]
    capacity = record["capacity"].get(panel.capacity)
    highest = max(1.0, *(max(one) for one in rates), capacity or 0)
    bottom, right = top + PANEL, WIDTH - RIGHT
    yield write(LEFT, top - 6, panel.title, INK, 'font-weight="600"')
    yield f'<path d="M{LEFT} {bottom}H{right}" stroke="{FAINT}"/>'
    for value in (0, highest):
        y = bottom - value / highest * PANEL + 4
        yield write(LEFT - 8, y, f"{value:.0f}", FAINT, 'text-anchor="end"')
    for minute in range(0, len(rates[0]) * step // 60 + 1, 2):
        label = f"{minute} min" if minute else "0"
        x = place(record, minute * 60)
        yield write(x, bottom + 16, label, FAINT, 'text-anchor="middle"')
    if capacity:
        y = bottom - capacity / highest * PANEL
        yield f'<path d="M{LEFT} {y:.1f}H{right}" stroke="{INK}" stroke-dasharray="6 3"/>'
        yield write(right + 10, y + 4, f"{capacity:g} provisioned", INK)
    for number, (line, numbers) in enumerate(zip(panel.lines, rates, strict=True)):
        points = " ".join(
            f"{place(record, (at + 0.5) * step):.1f},{bottom - rate / highest * PANEL:.1f}"
            for at, rate in enumerate(numbers)
        )
        yield f'<polyline points="{points}" fill="none" stroke="{line.color}" stroke-width="1.8"/>'
        yield write(right + 10, top + 12 + 18 * number, line.text, line.color)


def write(x: float, y: float, text: str, color: str, more: str = "") -> str:
    """Return a text; *more* are further attributes."""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" {more}>{text}</text>'


def place(record: dict[str, Any], second: float) -> float:
    """Return the x of a second."""
    last: int = len(record["series"]["signed out"]) * record["step"]
    return LEFT + second / last * (WIDTH - RIGHT - LEFT)


def add(*series: Iterable[float]) -> list[float]:
    """Return the sums of some series, place by place."""
    return [sum(numbers) for numbers in zip(*series, strict=True)]


if __name__ == "__main__":
    FIGURE.write_text(draw(json.loads(RECORD.read_text("utf-8"))), "utf-8")
