"""The application that each page of docs/frameworks shows keeps its users logged in.

Its files are written as the page has them, and get the same requests on DynamoDB Local. The page's
own tests are run by tests/test_docs_blocks.py.
"""

from __future__ import annotations

import importlib
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from paste.deploy import loadapp
from webob import Request, Response
from webob.dec import wsgify

import beaker_dynamodb
from tests.documents import DOCUMENTS, ROOT, list_links, read_blocks
from tests.dynamodb.doubles import ONCE
from tests.faults.fault_kinds import LoseRequest
from tests.frameworks import events
from tests.proxy import FaultProxy
from tests.servers import Flavor, Server
from tests.sessions import apps

PAGES: Final = sorted((ROOT / "docs" / "frameworks").glob("*.md"))
TABLE, REGION = "myapp-sessions", "eu-central-1"
HTTPS: Final = {"wsgi.url_scheme": "https"}


def get_app(module: Any) -> Any:
    """Return the application of a page's module."""
    return module.app


def load_ini(_: object) -> Any:
    """Return the application of a page's ini file."""
    return loadapp("config:production.ini", relative_to=str(Path.cwd()))


def get_function(module: Any) -> Any:
    """Return an application that sends each request to a page's Lambda function, as an event."""

    @wsgify
    def gateway(request: Request) -> Response:
        cookie, body = request.headers.get("Cookie"), request.body.decode()
        answer = module.handler(
            events.http_api(request.method, request.path_info, cookie, body), None
        )
        response = Response(
            answer["body"].encode(), answer["statusCode"], list(answer["headers"].items())
        )
        for line in events.cookies_set(answer):
            response.headers.add("Set-Cookie", line)
        return response

    return gateway


#: How a page's application is made from its module `myapp`.
MAKERS: Final[dict[str, Callable[[Any], Any]]] = {
    "aws-lambda": get_function,
    "bottle": get_app,
    "falcon": get_app,
    "flask": get_app,
    "pyramid": load_ini,
    "turbogears": load_ini,
    "wsgi": get_app,
}


@pytest.fixture(params=MAKERS)
def ada(
    request: pytest.FixtureRequest,
    proxy: FaultProxy,
    dynamodb_local: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    """Open a browser at the application of one page after the other."""
    page = ROOT / "docs" / "frameworks" / f"{request.param}.md"
    for block in read_blocks(page):
        if "file" in block.marks:
            (tmp_path / block.marks["file"]).write_text(block.text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))  # Flask's page refers to one
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "myapp", raising=False)
    monkeypatch.setenv("SESSION_SECRET", uuid.uuid4().hex)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    options = {"endpoint_url": proxy.url, "table": TABLE, **apps.PATIENT, **ONCE}
    with beaker_dynamodb.configure(**options):
        app = MAKERS[request.param](importlib.import_module("myapp"))
        yield apps.browser(app, HTTPS)
    sys.modules.pop("myapp")
    client = Server(dynamodb_local, Flavor.LOCAL).client(region=REGION)
    if TABLE in client.list_tables()["TableNames"]:
        client.delete_table(TableName=TABLE)


def copy_browser(browser: Any) -> Any:
    """Open another browser, with a copy of a browser's session cookie."""
    cookie = apps.with_cookie(browser.cookies[apps.COOKIE].strip('"'))
    return apps.browser(browser.app, HTTPS | cookie)


def test_a_user_logs_in_changes_something_and_logs_out(ada: Any) -> None:
    """The login gets a new id and keeps the basket; after the logout no old cookie works."""
    ada.post("/basket", {"item": "tea"})
    planted = copy_browser(ada)
    before = planted.get("/").text
    ada.post("/login", {"user": "Ada"})
    logged_in, after = ada.get("/").text, planted.get("/").text
    ada.post("/basket", {"item": "milk"})
    stolen = copy_browser(ada)
    changed = [browser.get("/").text for browser in (ada, stolen)]
    ada.post("/logout")

    assert (before, logged_in, after) == ("stranger: tea", "Ada: tea", "stranger: ")
    assert changed == ["Ada: tea, milk"] * 2
    assert [browser.get("/").text for browser in (ada, stolen)] == ["stranger: "] * 2


def test_the_cookie_is_safe(ada: Any) -> None:
    """Scripts, other sites and plain HTTP do not get it."""
    (line,) = ada.post("/basket", {"item": "tea"}).headers.getall("Set-Cookie")

    assert {"httponly", "secure", "samesite=lax"} <= set(line.lower().split("; "))


def test_an_outage_is_the_error_page_and_logs_nobody_out(ada: Any, proxy: FaultProxy) -> None:
    """A load that fails and a save that fails are a 503 without a cookie."""
    ada.post("/login", {"user": "Ada"})
    proxy.cut()
    unloaded = ada.get("/", status=503)
    proxy.mend()
    proxy.next(LoseRequest(), operation="PutItem", times=None)
    unsaved = ada.post("/basket", {"item": "tea"}, status=503)
    proxy.clear()

    for answer in (unloaded, unsaved):
        assert answer.text == "Please try again in a minute."
        assert answer.headers["Retry-After"] == "30"
        assert apps.cookie_sent(answer) is None
    assert ada.get("/").text == "Ada: "


def test_each_page_is_tested_and_linked() -> None:
    """The manual and README name the page of each framework."""
    assert sorted(MAKERS) == [page.stem for page in PAGES]
    assert set(PAGES) <= set(DOCUMENTS)
    for document in (ROOT / "README.md", ROOT / "docs" / "README.md"):
        linked = {
            (document.parent / link.partition("#")[0]).resolve() for link in list_links(document)
        }
        assert set(PAGES) <= linked
