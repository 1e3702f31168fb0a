"""Send the forms of the demo's page, and read what the page shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import urljoin

from beaker_dynamodb.dynamodb import embedded
from tests.servers import Flavor, Server

OpenDemo: TypeAlias = Callable[..., Any]
BOTH_ORDERS = [("bottle", "pyramid"), ("pyramid", "bottle")]
FRAMEWORKS = ["bottle", "pyramid"]
ITEM, CALLS = "The attributes of the item", "The calls of this request"
FORM = "The calls of the form before this page"
TYPES = {"S": "String", "N": "Number", "B": "Binary"}


def send(app: Any, framework: str, do: str, words: str = "") -> Any:
    """Send the page's form for the action *do* to *framework*; return the page that follows."""
    page = app.get(f"/{framework}/?read=1")
    for button in page.html.select(f"button[name=action][value={do}]"):
        form = button.find_parent("form")
        fields = {field["name"]: field.get("value", "") for field in form.select("input")}
        if form.select("input:not([type=hidden])"):
            fields["text"] = words
        if fields.get("text", words) == words:
            page = app.post(urljoin(f"/{framework}/", form["action"]), {**fields, "action": do})
            return page.follow()
    raise AssertionError(f"the page has no form for {do}")


def read_fact(page: Any, name: str) -> str:
    """Return one of the page's facts, such as the number of visits."""
    return str(page.html.find("dt", string=name).find_next("dd").get_text(strip=True))


def read_user(page: Any) -> str:
    """Return the name of the user whom the page shows as logged in."""
    return read_fact(page, "Logged in as")


def read_table(page: Any, caption: str) -> list[list[str]]:
    """Return the cells of a table on the page, row by row, without its head."""
    found = page.html.find("caption", string=caption)
    assert found is not None
    body = found.parent.find("tbody")
    return [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])]
        for row in body.find_all("tr")
    ]


def read_operations(page: Any, caption: str = CALLS) -> list[str]:
    """Return the names of the calls that the page shows."""
    return [row[0] for row in read_table(page, caption)]


def count_own_calls(page: Any) -> int:
    """Return how many calls the demo made for its own display, as the page says."""
    if "The demo made no call of its own" in page:
        return 0
    number = re.search(r"the demo itself read the item (once|twice)", page.text)
    assert number is not None
    return ("once", "twice").index(number[1]) + 1


def count_items(table: str) -> int:
    """Return the number of items in a table of the embedded server."""
    client = Server(embedded.get_url(), Flavor.MOTO).client()
    return client.scan(TableName=table)["Count"]
