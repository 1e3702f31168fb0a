"""Login, change, logout and an outage in each framework.

The applications are as short as possible, and get the same requests.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from beaker_dynamodb.ops.doctor.session import RECIPES
from tests.dynamodb.doubles import ONCE
from tests.faults.fault_kinds import LoseRequest
from tests.instruments import Recorder
from tests.proxy import FaultProxy
from tests.servers import Flavor, Server
from tests.sessions import apps
from tests.sessions.test_outage import heal_between_the_loads

FRAMEWORKS: Final = ("pyramid", "bottle", "turbogears", "flask", "webob", "falcon")
#: Those whose flash messages are kept in the session; TurboGears keeps its own in a cookie.
FLASHING: Final = ("pyramid", "flask")
ADA: Final[dict[str, Any]] = {"user": "Ada", "basket": []}
STRANGER: Final[dict[str, Any]] = {"user": None, "basket": []}


@pytest.fixture(scope="module")
def table(dynamodb_local: str) -> Iterator[str]:
    """Create one table for all: each test has a session of its own in it."""
    with Server(dynamodb_local, Flavor.LOCAL).scratch("frameworks") as name:
        apps.make_table(dynamodb_local, name)
        yield name


class Visitor:
    """A browser at one framework's site."""

    def __init__(self, framework: str, url: str, table: str, **more: object) -> None:
        settings: dict[str, object] = {
            **apps.ini(url, table, **ONCE, secret="s3cret", invalidate_corrupt="true"),
            **more,
        }
        self.module = importlib.import_module(f"tests.frameworks.{framework}_app")
        self.web = apps.browser(apps.answering_500(self.module.make(settings)))
        self.framework = framework

    def read(self, status: int = 200, **how: Any) -> Any:
        """Look at the page."""
        return self._check_status(status, self.web.get("/read", expect_errors=True, **how))

    def token(self) -> dict[str, str]:
        """Open a form, and read the token that Pyramid has put into it; the others have none."""
        page = self.web.get("/form").json if self.framework == "pyramid" else {}
        return {"csrf_token": page["token"]} if page else {}

    def send(self, verb: str, form: Mapping[str, str], status: int = 200) -> Any:
        """Send a form as it is."""
        # TurboGears names a page by a method, and `in` is no name in Python.
        path = "into" if (self.framework, verb) == ("turbogears", "in") else verb
        return self._check_status(status, self.web.post(f"/{path}", dict(form), expect_errors=True))

    @staticmethod
    def _check_status(status: int, answer: Any) -> Any:
        # Not left to WebTest: it would object to what a framework writes into `wsgi.errors`.
        assert answer.status_int == status, answer
        return answer

    def post(self, verb: str, **form: str) -> Any:
        """Open the page with the form, and send it."""
        return self.send(verb, form | self.token())


@pytest.fixture(params=FRAMEWORKS)
def ada(request: pytest.FixtureRequest, proxy: FaultProxy, table: str) -> Visitor:
    """Give Ada's browser at one framework's site after the other, before she logs in."""
    return Visitor(request.param, proxy.url, table)


def test_a_user_logs_in_changes_something_and_logs_out(ada: Visitor) -> None:
    """Every framework keeps the login and the change, and forgets both at the logout."""
    before = ada.read().json
    ada.post("in", user="Ada")
    logged_in = ada.read().json
    ada.post("put", item="tea")
    changed = ada.read().json
    cookie = apps.with_cookie(ada.web.cookies[apps.COOKIE])
    ada.post("out")

    assert (before, logged_in, changed) == (STRANGER, ADA, {"user": "Ada", "basket": ["tea"]})
    assert ada.read().json == STRANGER
    assert ada.read(extra_environ=cookie).json == STRANGER


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_after_invalidate_the_old_cookie_opens_nothing_under_strict_session(
    dynamodb_local: str, table: str, framework: str
) -> None:
    """The recipe that the doctor prints for each framework: the class among the settings."""
    strict: dict[str, object] = {}
    exec(RECIPES["other"], {"config": strict})  # noqa: S102  # as it would be pasted
    ada = Visitor(framework, dynamodb_local, table, **strict)
    ada.post("in", user="Ada")
    old = apps.with_cookie(ada.web.cookies[apps.COOKIE])
    ada.post("end")

    assert ada.read().json == STRANGER
    assert ada.read(extra_environ=old).json == STRANGER


def test_no_framework_adds_a_call(ada: Visitor, calls: Recorder) -> None:
    """A read is one GetItem, a change one PutItem more, a logout one DeleteItem, under each."""
    ada.post("in", user="Ada")
    asked = []

    for verb, given in (("read", {}), ("put", {"item": "tea"}), ("out", {})):
        form = given | ada.token()
        calls.clear()
        ada.read() if verb == "read" else ada.send(verb, form)
        asked.append(calls.names)

    assert asked == [["GetItem"], ["GetItem", "PutItem"], ["GetItem", "DeleteItem"]]


def test_an_outage_logs_nobody_out(
    ada: Visitor, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages fail meanwhile, also if it ends between two loads; then the login is the same."""
    ada.post("in", user="Ada")
    cookies, tea = dict(ada.web.cookies), {"item": "tea"} | ada.token()
    proxy.cut()

    during = [ada.read(status=500), ada.send("put", tea, status=500), ada.read(status=500)]
    heal_between_the_loads(monkeypatch, proxy.mend)
    during.append(ada.read(status=500))

    assert [apps.cookie_sent(answer) for answer in during] == [None] * 4
    assert dict(ada.web.cookies) == cookies
    assert ada.read().json == ADA
    ada.post("put", item="tea")
    assert ada.read().json == {"user": "Ada", "basket": ["tea"]}


def test_a_change_that_cannot_be_saved_is_an_error(ada: Visitor, proxy: FaultProxy) -> None:
    """The page does not say that the tea is in the basket; the login is kept."""
    ada.post("in", user="Ada")
    form = {"item": "tea"} | ada.token()
    proxy.next(LoseRequest(), operation="PutItem", times=None)

    answer = ada.send("put", form, status=500)
    proxy.clear()

    assert apps.cookie_sent(answer) is None
    assert ada.read().json == ADA


@pytest.mark.parametrize("ada", FLASHING, indirect=True)
def test_a_flash_message_is_shown_once(ada: Visitor, proxy: FaultProxy) -> None:
    """The message of a login waits in the session, over an outage too, until a page shows it."""
    ada.post("in", user="Ada")
    proxy.cut()
    ada.web.get("/form", status=500)
    proxy.mend()

    shown = [ada.web.get("/form").json["flash"] for _ in range(2)]

    assert shown == [["Welcome"], []]


@pytest.mark.parametrize("ada", ["pyramid"], indirect=True)
def test_a_form_needs_its_token_before_and_after_an_outage(ada: Visitor, proxy: FaultProxy) -> None:
    """The token of a form that was open during an outage is still good, and another one is not."""
    ada.post("in", user="Ada")
    token = ada.token()
    proxy.cut()
    ada.send("put", {"item": "tea"} | token, status=500)
    proxy.mend()

    ada.send("put", {"item": "tea", "csrf_token": "guessed"}, status=400)
    ada.send("put", {"item": "milk"} | token)

    assert ada.read().json == {"user": "Ada", "basket": ["milk"]}
