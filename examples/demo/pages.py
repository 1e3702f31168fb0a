"""The page as HTML, from the context of one request: values in, text out.

No network, no session and no clock: `now` is handed in. The HTML is in page.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

from beaker_dynamodb import UserSession
from beaker_dynamodb.config.options import OPTIONS, Options
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.errors import Unavailable
from examples.demo.call_log import LoggedCall, RequestLog
from examples.demo.capacity import READ_STEP, read_units, write_units
from examples.demo.devices import DEVICE, USER
from examples.demo.items import HEADER_SIZE, ItemAttribute, StoredItem
from examples.demo.store_proxy import OUTAGES, Outage
from examples.demo.templates import Markup, join, render

FRAMEWORKS: Final = ("Bottle", "Pyramid")
#: The maximum length of a text field, in characters.
MAX_LENGTH: Final = 60
#: The names of DynamoDB's types in AWS's console.
TYPES: Final = {"S": "String", "N": "Number", "B": "Binary"}
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Content-Type": "text/html; charset=utf-8",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_BYTES_SHOWN: Final = 16
#: Beaker's options that must not be shown; the package's own secret options are marked as such.
_SECRETS: Final = frozenset({"secret", "encrypt_key", "validate_key"})


@dataclass(frozen=True, slots=True)
class FormResult:
    """What a form did: in words, and by which calls. `logs` are by their captions."""

    message: str
    logs: Mapping[str, RequestLog] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PageContext:
    """All that the page shows. `session` is None for a visitor without one.

    `excluded_calls` are the operations of the demo's own calls. `outage_seconds` is for how long a
    button breaks the store; None if nothing can be broken.
    """

    framework: str
    now: float
    session: Mapping[str, Any] | None = field(repr=False)
    token: str = field(repr=False)
    item: StoredItem | None
    devices: tuple[UserSession, ...]
    next_touch: int | None
    log: RequestLog
    excluded_calls: tuple[str, ...]
    form_result: FormResult | None
    outage_seconds: int | None
    options: Options
    settings: Mapping[str, str] = field(repr=False)


def render_page(context: PageContext) -> str:
    """Return the page."""
    current = context.framework
    is_embedded = context.settings["session.endpoint_url"] == embedded.EMBEDDED
    return render(
        "page",
        framework=current,
        steps=_render_steps(context),
        links=join(_render_link(name, current) for name in FRAMEWORKS),
        form_result=_render_form_result(context.form_result),
        application=_render_application(context),
        devices=_render_devices(context),
        item=_render_item(context.item, context.now),
        calls=_render_calls(context.log, "The calls of this request"),
        excluded=_describe_excluded(context.excluded_calls),
        next_read=_render_next_read(context),
        restart=render("restart-in-memory" if is_embedded else "restart-kept"),
        settings=_format_settings(context.settings),
    )


def render_error(error: Exception, outage: Outage | None, seconds: float) -> str:
    """Return the page that explains an error of the table to the visitor.

    Args:
        outage: the one that a visitor has started and that is not over; else None.
        seconds: the time that the request took.
    """
    if not isinstance(error, Unavailable):
        title, explanation = "DynamoDB refused a call", render("refused")
    elif outage is None:
        title, explanation = "The table cannot be reached", render("unavailable")
    else:
        title, left, what = "The store is broken", outage.seconds_left, OUTAGES[outage.kind]
        explanation = render("broken", left=left, what=what, took=_format_seconds(seconds))
    return render("error", title=title, explanation=explanation, error=error)


def _format_seconds(seconds: float) -> str:
    return f"{seconds:.1f} seconds" if round(seconds, 1) else "less than 0.1 seconds"


def _render_link(name: str, current: str) -> Markup:
    if name == current:
        return render("current-framework", name=name)
    return render("other-framework", name=name, path=name.lower())


def _render_form_result(result: FormResult | None) -> Markup:
    if result is None:
        return Markup("")
    cost = Markup("")
    if result.logs:
        total = RequestLog(tuple(call for log in result.logs.values() for call in log.calls))
        tables = join(_render_calls(log, caption) for caption, log in result.logs.items())
        cost = render("form-cost", units=_format_cost(total), tables=tables)
    return render("form-result", message=result.message, cost=cost)


def _render_steps(context: PageContext) -> Markup:
    """Return the three steps of "Try this", with their buttons if there is a session."""
    token, is_here = context.token, context.session is not None
    user = (context.session or {}).get(USER)
    if not is_here:
        login = render("start")
    elif user:
        other = next(name for name in FRAMEWORKS if name != context.framework)
        login = render("logout", token=token, user=user, other=other)
    else:
        login = render("login", token=token, max_length=MAX_LENGTH)
    seconds = context.outage_seconds
    outage = render("not-breakable") if seconds is None else render("outage", seconds=seconds)
    if seconds is not None:
        outage = join([outage, render("break", token=token) if is_here else render("first")])
    overlap = render("overlap", token=token) if is_here else render("first")
    return render("steps", login=login, outage=outage, overlap=overlap)


def _render_devices(context: PageContext) -> Markup:
    if not context.devices:
        return render("no-devices")
    rows = [
        render(
            "device",
            device=one.labels.get(DEVICE, "A browser"),
            used=_to_utc(int(one.last_seen or context.now)).strftime("%H:%M:%S UTC"),
            end=render("this-device")
            if one.is_current
            else render("end-device", token=context.token, handle=one.handle, number=number),
        )
        for number, one in enumerate(context.devices, start=1)
    ]
    others = render("end-others", token=context.token) if len(rows) > 1 else Markup("")
    return render("devices", devices=join(rows), others=others)


def _render_application(context: PageContext) -> Markup:
    if context.session is None:
        return render("no-session")
    user, things = context.session.get(USER), context.session.get("list", [])
    items = join(render("thing", thing=thing, token=context.token) for thing in things)
    return render(
        "application",
        visits=context.session.get("visits", 0),
        user=user or "nobody yet",
        things=render("things", items=items) if things else render("no-things"),
        token=context.token,
        max_length=MAX_LENGTH,
    )


def _render_item(item: StoredItem | None, now: float) -> Markup:
    if item is None:
        return render("no-item")
    data, header = item.data, item.header
    return render(
        "item",
        attributes=join(_render_attribute(one, item, now) for one in item.attributes),
        size=f"{item.size:,}",
        version_byte=data[:1].hex(),
        version=header.version,
        kind_byte=data[1:2].hex(),
        kind=header.kind,
        flags_byte=data[2:3].hex(),
        flags=", ".join(header.flags) or "none",
        serializer_byte=data[3:4].hex(),
        checksum_bytes=data[4:HEADER_SIZE].hex(),
        payload_size=f"{len(data) - HEADER_SIZE:,}",
        text_length=f"{item.text_length:,}",
        data_size=f"{len(data):,}",
        header_size=HEADER_SIZE,
    )


def _render_attribute(attribute: ItemAttribute, item: StoredItem, now: float) -> Markup:
    return render(
        "attribute",
        name=attribute.name,
        type=TYPES[attribute.type],
        size=f"{attribute.size:,}",
        value=_render_value(attribute, item, now),
    )


def _render_value(attribute: ItemAttribute, item: StoredItem, now: float) -> Markup:
    if attribute.role == "data":
        rest = len(item.data) - _BYTES_SHOWN
        return render(
            "data",
            header=item.data[:HEADER_SIZE].hex(" "),
            payload=item.data[HEADER_SIZE:_BYTES_SHOWN].hex(" "),
            more=f" … and {rest:,} more bytes" if rest > 0 else "",
        )
    if attribute.role == "expires":
        expires = int(attribute.value)
        minutes = max(0, round((expires - now) / 60))
        return render(
            "expires",
            value=attribute.value,
            iso=_to_utc(expires).isoformat(),
            time=_to_utc(expires).strftime("%d %b %Y %H:%M:%S UTC"),
            minutes=f"{minutes:,}",
        )
    value = attribute.value
    shown = value.hex(" ") if isinstance(value, bytes) else value
    return render(attribute.role, value=shown)


def _render_calls(log: RequestLog, caption: str) -> Markup:
    if not log.calls:
        return render("no-calls")
    return render(
        "calls",
        caption=caption,
        rows=join(
            render("call", operation=call.operation, outcome=call.outcome, units=_format_cost(call))
            for call in log.calls
        ),
        total=_format_cost(log),
        summary=log.summary,
    )


def _format_cost(cost: LoggedCall | RequestLog) -> str:
    """Return what is charged, in words."""
    amounts = ((cost.reads, "read"), (cost.writes, "write"))
    return " and ".join(_format_units(n, kind) for n, kind in amounts if n) or "none"


def _format_units(number: float, kind: str) -> str:
    return f"{number:g} {kind} unit{'' if number == 1 else 's'}"


def _describe_excluded(operations: tuple[str, ...]) -> str:
    if not operations:
        return "The demo made no call of its own to show this."
    reads = operations.count("GetItem")
    times = {1: "once", 2: "twice"}.get(reads, f"{reads} times")
    listed = ", and listed your devices" if len(operations) > reads else ""
    return f"Not counted: the demo itself read the item {times}{listed}, to show it here."


def _render_next_read(context: PageContext) -> Markup:
    item, consistent = context.item, context.options.consistent_read
    if item is None and context.log.calls:
        miss = read_units(0) if consistent else read_units(0, consistent=False) + read_units(0)
        return render("next-miss", cost=_format_units(miss, "read"))
    if item is None:
        return render("next-nothing")
    touch = "A page that only reads writes nothing."
    if context.next_touch is not None:
        until = _to_utc(context.next_touch)
        units = _format_units(write_units(item.size, 0), "write")
        touch = (
            f"A page that only reads writes nothing until {until:%H:%M:%S} UTC. The first one"
            f" after that also extends the expiry, for {units}."
        )
    return render(
        "next",
        cost=_format_units(read_units(item.size, consistent=consistent), "read"),
        size=f"{item.size:,}",
        read="a strongly consistent read" if consistent else "an eventually consistent read",
        max_size=f"{int(read_units(item.size) * READ_STEP):,}",
        touch=touch,
    )


def _format_settings(settings: Mapping[str, str]) -> str:
    """Return the settings as lines of an ini file, without the secrets."""
    hidden = _SECRETS | {name for name, row in OPTIONS.items() if row.secret}
    return "\n".join(
        f"{name} = {'…' if name.partition('.')[2] in hidden else value}"
        for name, value in settings.items()
    )


def _to_utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
