"""The page as HTML, out of a view of one request: values in, text out.

No network, no session, no clock and no HTML: `now` is handed in, and the parts stand in
page.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

from beaker_dynamodb.config.options import TABLE, Options
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.errors import Unavailable
from examples.demo.call_log import Account, Line
from examples.demo.capacity import READ_STEP, read_units, write_units
from examples.demo.items import HEADER, Cell, Shown
from examples.demo.templates import Html, fill, join

FRAMEWORKS: Final = ("Bottle", "Pyramid")
LONGEST: Final = 60
#: What AWS's console calls its types.
TYPES: Final = {"S": "String", "N": "Number", "B": "Binary"}
_BYTES_SHOWN: Final = 16
#: Beaker's options that nobody should read off a page; ours say so themselves.
_SECRETS: Final = frozenset({"secret", "encrypt_key", "validate_key"})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the form before this page did: in words, and its calls; None if it never got there."""

    message: str
    account: Account | None


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows. `session` is None for a visitor without one."""

    framework: str
    now: float
    session: Mapping[str, Any] | None = field(repr=False)
    token: str = field(repr=False)
    item: Shown | None
    touched_from: int | None
    account: Account
    calls_aside: int
    receipt: Receipt | None
    options: Options
    settings: Mapping[str, str] = field(repr=False)


def render(view: View) -> str:
    """Write the page."""
    here = view.framework
    return fill(
        "page",
        framework=here,
        other=next(name for name in FRAMEWORKS if name != here),
        switch=join(
            fill("here", name=name) if name == here else fill("there", name=name, path=name.lower())
            for name in FRAMEWORKS
        ),
        receipt=_receipt(view.receipt),
        application=_application(view),
        item=_item(view.item, view.now),
        account=_account(view.account, "The calls of this request"),
        aside=_aside(view.calls_aside),
        next=_next(view),
        outlives=fill("in-memory" if view.options.endpoint_url == embedded.WORD else "kept"),
        settings=_lines(view.settings),
    )


def trouble(error: Exception) -> str:
    """Write the page that says what an error of the table means for who sees it."""
    if isinstance(error, Unavailable):
        return fill("trouble", title="The table cannot be reached", told=fill("down"), error=error)
    title = "The table did not do what was asked"
    return fill("trouble", title=title, told=fill("refused"), error=error)


def _receipt(receipt: Receipt | None) -> Html:
    if receipt is None:
        return Html("")
    account: Html = Html("")
    if receipt.account is not None:
        table = _account(receipt.account, "The calls of the form before this page")
        account = fill("form", summary=_units_of(receipt.account), table=table)
    return fill("receipt", message=receipt.message, account=account)


def _application(view: View) -> Html:
    if view.session is None:
        return fill("begin")
    user, things = view.session.get("user"), view.session.get("list", [])
    items = join(fill("thing", thing=thing, token=view.token) for thing in things)
    return fill(
        "application",
        visits=view.session.get("visits", 0),
        user=user or "nobody yet",
        login=fill("logout", token=view.token)
        if user
        else fill("login", token=view.token, longest=LONGEST),
        things=fill("things", items=items) if things else fill("nothing"),
        token=view.token,
        longest=LONGEST,
    )


def _item(item: Shown | None, now: float) -> Html:
    if item is None:
        return fill("no-item")
    raw, header = item.data, item.header
    return fill(
        "item",
        cells=join(_cell(cell, item, now) for cell in item.cells),
        size=f"{item.size:,}",
        version=raw[:1].hex(),
        number=header.version,
        kind=raw[1:2].hex(),
        kind_told=header.kind,
        flags=raw[2:3].hex(),
        flags_told=", ".join(header.flags) or "none",
        serializer=raw[3:4].hex(),
        crc=raw[4:HEADER].hex(),
        payload=f"{len(raw) - HEADER:,}",
        text=f"{item.text:,}",
        stored=f"{len(raw):,}",
        header=HEADER,
    )


def _cell(cell: Cell, item: Shown, now: float) -> Html:
    return fill(
        "cell",
        name=cell.name,
        type=TYPES[cell.kind],
        size=f"{cell.size:,}",
        value=_value(cell, item, now),
    )


def _value(cell: Cell, item: Shown, now: float) -> Html:
    if cell.role == "data":
        rest = len(item.data) - _BYTES_SHOWN
        return fill(
            "data",
            header=item.data[:HEADER].hex(" "),
            payload=item.data[HEADER:_BYTES_SHOWN].hex(" "),
            more=f" … and {rest:,} bytes more" if rest > 0 else "",
        )
    if cell.role == "expires":
        at = _utc(int(cell.value))
        minutes = max(0, round((int(cell.value) - now) / 60))
        return fill(
            "expires",
            value=cell.value,
            iso=at.isoformat(),
            told=at.strftime("%d %b %Y %H:%M:%S UTC"),
            minutes=f"{minutes:,}",
        )
    return fill(cell.role, value=cell.value)


def _account(account: Account, caption: str) -> Html:
    if not account.lines:
        return fill("no-calls")
    return fill(
        "calls",
        caption=caption,
        lines=join(
            fill("call", operation=line.operation, outcome=line.outcome, units=_units_of(line))
            for line in account.lines
        ),
        total=_units_of(account),
        saved=account.ending,
    )


def _units_of(cost: Line | Account) -> str:
    """Say what was charged, in words."""
    told = [_units(n, what) for n, what in ((cost.reads, "read"), (cost.writes, "write")) if n]
    return " and ".join(told) or "none"


def _units(number: float, what: str) -> str:
    return f"{number:g} {what} unit{'' if number == 1 else 's'}"


def _aside(calls: int) -> str:
    if not calls:
        return "The demo made no call of its own to show this."
    once = {1: "once", 2: "twice"}.get(calls, f"{calls} times")
    return f"Not counted: the demo itself read the item {once}, to show it to you here."


def _next(view: View) -> Html:
    item, consistent = view.item, view.options.consistent_read
    if item is None and view.account.lines:
        miss = read_units(0) if consistent else read_units(0, consistent=False) + read_units(0)
        return fill("next-stray", cost=_units(miss, "read"))
    if item is None:
        return fill("next-nothing")
    units = read_units(item.size, consistent=consistent)
    steps = read_units(item.size)
    touch = "A page that only reads writes nothing."
    if view.touched_from is not None:
        at = _utc(view.touched_from)
        touch = (
            f"A page that only reads writes nothing until {at:%H:%M:%S} UTC. The first one after"
            f" that also moves the expiry on, for {_units(write_units(item.size, 0), 'write')}."
        )
    return fill(
        "next",
        cost=_units(units, "read"),
        size=f"{item.size:,}",
        read="a strongly consistent read" if consistent else "an eventually consistent read",
        ceiling=f"{int(steps * READ_STEP):,}",
        touch=touch,
    )


def _lines(settings: Mapping[str, str]) -> str:
    """Write the settings as an ini file has them, without the secrets."""
    hidden = _SECRETS | {name for name, row in TABLE.items() if row.secret}
    return "\n".join(
        f"{name} = {'…' if name.partition('.')[2] in hidden else value}"
        for name, value in settings.items()
    )


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
