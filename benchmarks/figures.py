"""Draw docs/figures/*.svg from recorded runs.

Each figure has a background of its own, so that it can be read on light and on dark pages. It
contains a digest of its record, so that a test finds an outdated figure.

    python -m benchmarks.figures
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import recorded
from benchmarks.tables import BARE, format_size

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "figures"
CARD, INK, FAINT = "#fbfaf7", "#1f2d3a", "#8b939b"
OURS, OTHERS, LIGHT, LIGHT_OURS = "#4c7a54", "#47617a", "#a9b8c6", "#aecbb3"
#: Rows of the table that a figure omits: at its size they cost the same as their neighbors.
TWINS: Final = frozenset({"ours, timeout = 1800, json", "ours, timeout = 1800, touch_after = 900"})
LINES: Final = {
    "connect-dynamodb": ("o", "#47617a"),
    "Flask-Session": ("s", "#8a6d3b"),
    "pyramid-dynamodb-sessions": ("^", "#8b6f94"),
    "ours, timeout = 1800": ("D", OURS),
}
FONTS: Final = "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"


def digest(name: str) -> str:
    """Return 12 hex digits of SHA-256 of a recorded run."""
    return hashlib.sha256((recorded.FOLDER / f"{name}.json").read_bytes()).hexdigest()[:12]


def get_color(name: str) -> str:
    """Return the color of a store: one for ours, and one for all others."""
    return OURS if name.startswith("ours") else OTHERS


def _axes(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    """Create a figure with *columns* plain panels beside each other."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "beaker_dynamodb",
            "font.size": 10.5,
            "text.color": INK,
            "axes.edgecolor": FAINT,
            "axes.facecolor": "none",
            "figure.constrained_layout.w_pad": 0.17,
            "figure.constrained_layout.h_pad": 0.17,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, columns, figsize=(width, height), layout="constrained")
    return figure, axes


def _render_svg(figure: Any, title: str, description: str, source: str) -> str:
    """Return the SVG with its background, and its title and description for screen readers."""
    from matplotlib import pyplot as plt

    out = io.StringIO()
    figure.savefig(out, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = out.getvalue()
    start = text.index("<svg")
    head, body = text[start:].split(">", 1)
    head = re.sub(r'(?: width| height)="[^"]*pt"', "", head)
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", rf"font: \1px {FONTS}", body)
    body = re.sub(r"[ \t]+$", "", body, flags=re.MULTILINE)
    _, _, wide, high = re.search(r'viewBox="([\d. ]+)"', head)[1].split()  # type: ignore[index]  # matplotlib always writes one
    words = (
        f'\n<title id="t">{title}</title>\n<desc id="d">{description} Drawn from {source}.json,'
        f" {digest(source)}.</desc>\n"
        f'<rect width="{wide}" height="{high}" rx="8" fill="{CARD}"/>'
    )
    return f'{head} role="img" aria-labelledby="t d">{words}{body}'


def draw_cost() -> str:
    """Draw the dollars for a million requests at 1.5 KB, split into reads and writes."""
    found = recorded.read("cost")
    rows = found["sizes"]["1500"]
    names = [name for name in rows if name not in TWINS]
    names.sort(key=lambda name: rows[name]["dollars"], reverse=True)
    figure, axes = _axes(8.6, 0.42 * len(names) + 1.0)
    prices, requests = found["prices"], found["requests"]
    for at, name in enumerate(names):
        read = rows[name]["read_units"] * prices["read"] / requests
        write = rows[name]["write_units"] * prices["write"] / requests
        light = LIGHT_OURS if name.startswith("ours") else LIGHT
        axes.barh(at, read, color=light, height=0.62)
        axes.barh(at, write, left=read, color=get_color(name), height=0.62)
        axes.text(read + write + 0.015, at, f"$ {read + write:.2f}", va="center")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    title = "A million requests, sessions of 1.5 KB: reads (light) and writes (dark)"
    figure.suptitle(title, fontsize=12, x=0.03, ha="left")
    description = (
        "Bars: " + "; ".join(f"{name} $ {rows[name]['dollars']:.2f}" for name in names) + "."
    )
    return _render_svg(figure, "What a million requests cost in DynamoDB", description, "cost")


def draw_cpu() -> str:
    """Draw the CPU time of a load and a save at 1.5 KB beside the bare client."""
    size = recorded.read("peers")["sizes"]["1500"]
    figure, both = _axes(9.2, 0.36 * len(size["load"]) + 1.2, columns=2)
    names = [name for name in size["load"] if not name.startswith("Beaker")][::-1]
    for axes, action in zip(both, ("load", "save"), strict=True):
        for at, name in enumerate(names):
            ratio = size[action][name]["ratio"]
            axes.plot(
                [ratio["low"], ratio["high"]],
                [at, at],
                color=get_color(name),
                lw=2,
                alpha=0.45,
                solid_capstyle="round",
            )
            axes.plot(ratio["median"], at, "o", color=get_color(name), ms=6)
        axes.axvline(1, color=FAINT, lw=1, ls=(0, (4, 3)), zorder=0)
        axes.set_xlim(left=0)
        axes.set_yticks(range(len(names)), names if action == "load" else [""] * len(names))
        axes.tick_params(axis="y", length=0)
        axes.set_title(f"{action}: CPU time, {BARE} = 1", fontsize=11, loc="left")
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=FAINT, alpha=0.25, lw=0.8)
    description = "Dots are medians, lines the middle 80 % of the rounds. " + "; ".join(
        f"{name}: load {size['load'][name]['ratio']['median']:.2f},"
        f" save {size['save'][name]['ratio']['median']:.2f}"
        for name in names[::-1]
    )
    return _render_svg(
        figure, "CPU time of a load and a save of 1.5 KB", f"{description}.", "peers"
    )


def draw_cost_by_size() -> str:
    """Draw the dollars by size of session."""
    found = recorded.read("cost")
    sizes = found["sizes"]
    figure, axes = _axes(7.6, 3.9)
    places = [int(size) / 1_000 for size in sizes]
    bill = {
        name: [(at, each[name]["dollars"]) for at, each in zip(places, sizes.values(), strict=True)]
        for name in LINES
        if all(name in each for each in sizes.values())
    }
    for name, points in bill.items():
        (mark, shade), line = LINES[name], 2.4 if name.startswith("ours") else 1.6
        across, up = zip(*points, strict=True)
        axes.plot(across, up, marker=mark, ms=6, lw=line, color=shade, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(places, [format_size(size) for size in sizes])
    axes.minorticks_off()
    axes.set_yticks([0.1, 0.3, 1, 3, 10, 30], ["$ 0.10", "$ 0.30", "$ 1", "$ 3", "$ 10", "$ 30"])
    axes.grid(color=FAINT, alpha=0.25, lw=0.8)
    axes.legend(frameon=False)
    axes.set_title("A million requests, by size of the session", fontsize=12, loc="left")
    description = "; ".join(
        f"{name} " + ", ".join(f"$ {dollars:.2f} at {at:g} KB" for at, dollars in points)
        for name, points in bill.items()
    )
    return _render_svg(
        figure, "What a million requests cost, by size of the session", f"{description}.", "cost"
    )


def draw_scale() -> str:
    """Draw requests a second by number of connections, and by number of rows."""
    found = recorded.read("scale")
    figure, both = _axes(8.6, 3.3, columns=2)
    for axes, by, label in zip(
        both, ("connections", "rows"), ("connections", "rows in the table"), strict=True
    ):
        rates = [row["rate"] for row in found[by]]
        middle = [rate["median"] for rate in rates]
        ends = [
            [m - rate["low"] for m, rate in zip(middle, rates, strict=True)],
            [rate["high"] - m for m, rate in zip(middle, rates, strict=True)],
        ]
        places = [row[by] for row in found[by]]
        axes.errorbar(places, middle, yerr=ends, color=OURS, marker="o", ms=6, lw=2, capsize=4)
        axes.set_xscale("log")
        axes.set_xticks(places, [f"{place:,}" for place in places])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel(label)
        axes.grid(axis="y", color=FAINT, alpha=0.25, lw=0.8)
    both[0].set_ylabel("requests a second")
    description = "; ".join(
        f"{row['rows']:,} rows and {row['connections']} connections:"
        f" {row['rate']['median']:.0f} requests a second"
        for row in found["connections"] + found["rows"]
    )
    return _render_svg(
        figure, "Throughput against connections, and against rows", f"{description}.", "scale"
    )


FIGURES: Final[Mapping[str, Callable[[], str]]] = {
    "cost_of_a_visit": draw_cost,
    "cost_by_size": draw_cost_by_size,
    "cpu_of_peers": draw_cpu,
    "throughput": draw_scale,
}


def main() -> None:
    """Draw every figure."""
    for name, draw in FIGURES.items():
        (FOLDER / f"{name}.svg").write_text(draw(), "utf-8")
        print(f"docs/figures/{name}.svg")


if __name__ == "__main__":
    main()
