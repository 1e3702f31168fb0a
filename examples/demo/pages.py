"""The page as HTML, from the context of one request: values in, text out.

No network, no session and no clock: `now` is handed in. The HTML is in page.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

from beaker_dynamodb.config.options import OPTIONS, Options
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.errors import Unavailable
from examples.demo.call_log import LoggedCall, RequestLog
from examples.demo.capacity import READ_STEP, read_units, write_units
from examples.demo.items import HEADER_SIZE, ItemAttribute, StoredItem
from examples.demo.templates import Markup, join, render

FRAMEWORKS: Final = ("Bottle", "Pyramid")
#: The maximum length of a text field, in characters.
MAX_LENGTH: Final = 60
#: The names of DynamoDB's types in AWS's console.
TYPES: Final = {"S": "String", "N": "Number", "B": "Binary"}
_BYTES_SHOWN: Final = 16
#: Beaker's options that must not be shown; the package's own secret options are marked as such.
_SECRETS: Final = frozenset({"secret", "encrypt_key", "validate_key"})


@dataclass(frozen=True, slots=True)
class FormResult:
    """What a form did: in words, and its calls; None if the form was refused."""

    message: str
    log: RequestLog | None


@dataclass(frozen=True, slots=True)
class PageContext:
    """All that the page shows. `session` is None for a visitor without one."""

    framework: str
    now: float
    session: Mapping[str, Any] | None = field(repr=False)
    token: str = field(repr=False)
    item: StoredItem | None
    next_touch: int | None
    log: RequestLog
    excluded_calls: int
    form_result: FormResult | None
    options: Options
    settings: Mapping[str, str] = field(repr=False)


def render_page(context: PageContext) -> str:
    """Return the page."""
    current = context.framework
    is_embedded = context.options.endpoint_url == embedded.EMBEDDED
    return render(
        "page",
        framework=current,
        other=next(name for name in FRAMEWORKS if name != current),
        links=join(_render_link(name, current) for name in FRAMEWORKS),
        form_result=_render_form_result(context.form_result),
        application=_render_application(context),
        item=_render_item(context.item, context.now),
        calls=_render_calls(context.log, "The calls of this request"),
        excluded=_describe_excluded(context.excluded_calls),
        next_read=_render_next_read(context),
        restart=render("restart-in-memory" if is_embedded else "restart-kept"),
        settings=_format_settings(context.settings),
    )


def render_error(error: Exception) -> str:
    """Return the page that explains an error of the table to the visitor."""
    if isinstance(error, Unavailable):
        title, part = "The table cannot be reached", "unavailable"
    else:
        title, part = "DynamoDB refused a call", "refused"
    return render("error", title=title, explanation=render(part), error=error)


def _render_link(name: str, current: str) -> Markup:
    if name == current:
        return render("current-framework", name=name)
    return render("other-framework", name=name, path=name.lower())


def _render_form_result(result: FormResult | None) -> Markup:
    if result is None:
        return Markup("")
    cost: Markup = Markup("")
    if result.log is not None:
        table = _render_calls(result.log, "The calls of the form before this page")
        cost = render("form-cost", units=_format_cost(result.log), table=table)
    return render("form-result", message=result.message, cost=cost)


def _render_application(context: PageContext) -> Markup:
    if context.session is None:
        return render("no-session")
    user, things = context.session.get("user"), context.session.get("list", [])
    items = join(render("thing", thing=thing, token=context.token) for thing in things)
    return render(
        "application",
        visits=context.session.get("visits", 0),
        user=user or "nobody yet",
        login=render("logout", token=context.token)
        if user
        else render("login", token=context.token, max_length=MAX_LENGTH),
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


def _describe_excluded(calls: int) -> str:
    if not calls:
        return "The demo made no call of its own to show this."
    times = {1: "once", 2: "twice"}.get(calls, f"{calls} times")
    return f"Not counted: the demo itself read the item {times}, to show it here."


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
