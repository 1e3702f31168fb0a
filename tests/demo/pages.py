"""What a visitor does with the demo's page, and what can be read on it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin

from beaker_dynamodb.dynamodb import embedded
from tests.servers import Flavor, Server

BOTH = [("bottle", "pyramid"), ("pyramid", "bottle")]
EACH = ["bottle", "pyramid"]
ITEM, CALLS = "The attributes of the item", "The calls of this request"
FORM = "The calls of the form before this page"
TYPES = {"S": "String", "N": "Number", "B": "Binary"}


def send(app: Any, way: str, do: str, words: str = "") -> Any:
    """Fill in the page's form for *do* under *way*, and return the page that follows."""
    page = app.get(f"/{way}/?read=1")
    for button in page.html.select(f"button[name=action][value={do}]"):
        form = button.find_parent("form")
        fields = {field["name"]: field.get("value", "") for field in form.select("input")}
        if form.select("input:not([type=hidden])"):
            fields["text"] = words
        if fields.get("text", words) == words:
            page = app.post(urljoin(f"/{way}/", form["action"]), {**fields, "action": do})
            return page.follow()
    raise AssertionError(f"the page has no form for {do}")


def fact(page: Any, name: str) -> str:
    """Read one of the page's facts: the number of visits, or who is logged in."""
    return str(page.html.find("dt", string=name).find_next("dd").get_text(strip=True))


def user(page: Any) -> str:
    """Read who the page says is logged in."""
    return fact(page, "Logged in as")


def rows(page: Any, caption: str) -> list[list[str]]:
    """Read the body of a table on the page, cell by cell."""
    found = page.html.find("caption", string=caption)
    assert found is not None
    body = found.parent.find("tbody")
    return [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])]
        for row in body.find_all("tr")
    ]


def operations(page: Any, caption: str = CALLS) -> list[str]:
    """Read the names of the calls that the page shows."""
    return [row[0] for row in rows(page, caption)]


def aside(page: Any) -> int:
    """Read how many calls the demo says that it made for itself."""
    if "The demo made no call of its own" in page:
        return 0
    told = re.search(r"the demo itself read the item (once|twice)", page.text)
    assert told is not None
    return ("once", "twice").index(told[1]) + 1


def count(table: str) -> int:
    """Count the items that stand in a table of the embedded server."""
    client = Server(embedded.get_url(), Flavor.MOTO).client()
    return client.scan(TableName=table)["Count"]
