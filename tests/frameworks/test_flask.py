"""Flask's `session` in DynamoDB keeps Flask's promises: examples/beaker_flask.py.

The contract that all frameworks share is in test_contract.py; here is what only Flask has.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import pytest
from flask import Flask, flash, get_flashed_messages, redirect, request, session

from beaker_dynamodb import Unavailable, UserSessions
from beaker_dynamodb.testing import later
from tests.dynamodb.doubles import ONCE
from tests.faults.fault_kinds import LoseRequest
from tests.instruments import Recorder
from tests.proxy import FaultProxy
from tests.sessions import apps

INTERFACE: Final[Any] = import_module("examples.beaker_flask").BeakerSessionInterface
TIMEOUT: Final = 1800
Session: Any = session  # with Beaker's methods, which Flask's type does not have


@pytest.fixture
def app(proxy: FaultProxy, table_name: str) -> Flask:
    """Create a site with one table, and with the error page of docs/frameworks/flask.md."""
    apps.make_table(proxy.url, table_name)
    site = Flask(__name__)
    settings = apps.ini(proxy.url, table_name, **ONCE, secret="s3cret", timeout=str(TIMEOUT))
    site.session_interface = INTERFACE(settings)
    site.config["TABLE"] = (proxy.url, table_name)

    @site.errorhandler(500)
    def show_outage(error: Any) -> Any:
        if isinstance(error.original_exception, Unavailable):
            return "Please try again in a minute.", 503, {"Retry-After": "30"}
        return error

    @site.post("/in")
    def login() -> Any:
        Session.regenerate_id()
        session["user"] = request.form["user"]
        if "remember" in request.form:
            session.permanent = True
        flash("Welcome")
        return redirect("/", 303)

    @site.get("/")
    def home() -> Any:
        return {"user": session.get("user"), "basket": session.get("basket", [])}

    return site


def view(app: Flask, path: str, function: Callable[[], Any]) -> None:
    """Add a page that calls *function* with the session at hand, and shows what it returns."""
    app.add_url_rule(path, path, lambda: {"answer": function()})


def rows(app: Flask) -> list[dict[str, Any]]:
    """Return all rows of the site's table."""
    return apps.rows_of(*app.config["TABLE"])


def log_in(app: Flask, **form: str) -> Any:
    """Open a browser, and log Ada in."""
    browser = app.test_client()
    answer = browser.post("/in", data={"user": "Ada", **form})
    assert answer.status_code == 303
    return browser


def ask(browser: Any, path: str) -> Any:
    """Return the answer of a page that `view` has added."""
    return browser.get(path).json["answer"]


def get_cookie(browser: Any) -> Any:
    """Return a browser's session cookie, None if it has none."""
    return browser.get_cookie(apps.COOKIE)


def test_a_login_and_its_flash_message_survive_the_request(app: Flask) -> None:
    """The message is shown once, and the login until the logout; Flask's own cookie is not set."""
    view(app, "/flash", get_flashed_messages)
    ada = log_in(app)

    shown = [ask(ada, "/flash") for _ in range(2)]

    assert shown == [["Welcome"], []]
    assert ada.get("/").json == {"user": "Ada", "basket": []}
    assert get_cookie(ada) is not None
    assert ada.get_cookie("session") is None


def test_a_login_gets_a_new_id(app: Flask) -> None:
    """A cookie from before the login is not logged in."""
    view(app, "/visit", lambda: session.setdefault("visited", 1))
    ada: Any = app.test_client()
    ada.get("/visit")
    planted = get_cookie(ada).value
    ada.post("/in", data={"user": "Ada"})
    mallory = app.test_client()
    mallory.set_cookie(apps.COOKIE, planted)

    assert get_cookie(ada).value != planted
    assert ada.get("/").json["user"] == "Ada"
    assert mallory.get("/").get_json()["user"] is None


def test_clear_is_a_logout(app: Flask) -> None:
    """The row is gone, the cookie has expired, and a copy of it opens nothing."""
    view(app, "/out", lambda: session.clear())  # noqa: PLW0108  # the proxy needs a request
    ada = log_in(app)
    kept = get_cookie(ada).value
    ada.get("/out")

    assert rows(app) == []
    assert get_cookie(ada).expires.timestamp() < time.time()
    ada.set_cookie(apps.COOKIE, kept)
    assert ada.get("/").json["user"] is None


def test_a_session_that_is_cleared_and_filled_is_a_new_one(app: Flask) -> None:
    """The login of Flask's tutorial, `clear()` and then the user, gets a new id and a cookie."""

    def change_user() -> None:
        session.clear()
        session["user"] = "Bob"

    view(app, "/switch", change_user)
    ada = log_in(app)
    before = get_cookie(ada).value
    ada.get("/switch")

    assert ada.get("/").json["user"] == "Bob"
    assert get_cookie(ada).value != before
    assert len(rows(app)) == 1


def test_a_test_changes_the_session_by_session_transaction(app: Flask) -> None:
    """Flask's test client opens and saves the session as a page does."""
    browser: Any = app.test_client()
    with browser.session_transaction() as stored:
        stored["user"] = "Ada"
    with browser.session_transaction() as stored:
        stored["basket"] = ["tea"]
        user = stored["user"]

    assert user == "Ada"
    assert browser.get("/").json == {"user": "Ada", "basket": ["tea"]}


def test_a_permanent_session_lives_as_long_as_flask_says(app: Flask) -> None:
    """Its row, its time-out and its cookie follow PERMANENT_SESSION_LIFETIME, others the settings.

    Without it the session ends after the timeout, and with the browser.
    """
    app.config["PERMANENT_SESSION_LIFETIME"] = 30 * 86400
    ada, eve = log_in(app, remember="yes"), log_in(app)
    lifetimes = sorted(int(row["expires"]["N"]) - time.time() for row in rows(app))

    assert lifetimes == pytest.approx([TIMEOUT + 120, 30 * 86400 + 120], abs=60)
    assert get_cookie(ada).expires.timestamp() == pytest.approx(time.time() + 30 * 86400, abs=60)
    assert get_cookie(eve).expires is None
    with later(20 * 86400):
        assert ada.get("/").json["user"] == "Ada"
        assert eve.get("/").json["user"] is None


def test_a_session_that_is_no_longer_permanent_follows_the_settings(app: Flask) -> None:
    """`session.permanent = False` takes the timeout and the browser's lifetime again."""
    view(app, "/forget", lambda: setattr(session, "permanent", False))
    ada = log_in(app, remember="yes")
    ada.get("/forget")

    (row,) = rows(app)
    assert int(row["expires"]["N"]) - time.time() == pytest.approx(TIMEOUT + 120, abs=60)
    assert get_cookie(ada).expires is None
    with later(2 * TIMEOUT):
        assert ada.get("/").json["user"] is None


def test_a_new_lifetime_is_followed_by_sessions_that_exist(app: Flask) -> None:
    """A change of PERMANENT_SESSION_LIFETIME holds from the next request on, as in Flask."""
    ada = log_in(app, remember="yes")
    app.config["PERMANENT_SESSION_LIFETIME"] = 3600
    ada.get("/")

    (row,) = rows(app)
    assert int(row["expires"]["N"]) - time.time() == pytest.approx(3600 + 120, abs=60)


def test_a_lifetime_that_beaker_was_given_is_kept(app: Flask) -> None:
    """`remember()` and `lifetime` of StrictSession work on Flask's session too."""
    view(app, "/remember", lambda: Session.remember(days=7))
    view(app, "/terminal", lambda: setattr(session, "lifetime", 300))
    view(app, "/lifetime", lambda: Session.lifetime)
    ada = log_in(app)
    ada.get("/remember")
    remembered = ask(ada, "/lifetime")
    ada.get("/terminal")

    assert remembered == 7 * 86400
    assert ask(ada, "/lifetime") == 300


def test_a_change_inside_a_value_is_saved_if_flask_is_told(app: Flask) -> None:
    """`session.modified = True` saves a list that was changed in place, as in Flask."""

    def add() -> None:
        session.setdefault("basket", []).append("tea")
        session.modified = True

    view(app, "/add", add)
    ada = log_in(app)
    ada.get("/add")
    ada.get("/add")

    assert ada.get("/").json["basket"] == ["tea", "tea"]


def test_modified_is_set_by_each_change_and_by_no_read(app: Flask) -> None:
    """`modified`, `new` and the number of keys are what Flask promises."""
    changes: dict[str, Callable[[], Any]] = {
        "/read": lambda: session.get("user"),
        "/set": lambda: session.update(a=1),
        "/del": lambda: session.pop("a"),
    }

    def change() -> list[bool]:
        before = session.modified
        changes[request.path]()
        return [before, session.modified]

    for path in changes:
        view(app, path, change)
    view(app, "/new", lambda: [session.new, len(session) == len(list(session))])
    ada = log_in(app)

    answers = [ask(ada, path) for path in changes]
    assert answers == [[False, False], [False, True], [False, True]]
    assert ask(ada, "/new") == [False, True]
    assert ask(app.test_client(), "/new") == [True, True]


@pytest.mark.parametrize("form", [{}, {"remember": "yes"}], ids=["plain", "permanent"])
def test_a_page_calls_dynamodb_as_little_as_under_beaker(
    app: Flask, calls: Recorder, form: dict[str, str]
) -> None:
    """A page without the session makes no call, a read one, and no cookie is sent again."""
    view(app, "/static", lambda: None)
    ada = log_in(app, **form)
    calls.clear()

    answers = [ada.get(path) for path in ("/static", "/", "/")]

    assert calls.names == ["GetItem", "GetItem"]
    assert ["Set-Cookie" in answer.headers for answer in answers] == [False] * 3
    assert [answer.headers.get("Vary") for answer in answers] == [None, "Cookie", "Cookie"]


def test_an_outage_is_the_error_page_and_logs_nobody_out(app: Flask, proxy: FaultProxy) -> None:
    """A page that cannot load its session is a 503 without a cookie; then the login is the same."""
    ada = log_in(app)
    proxy.cut()
    answer = ada.get("/")
    proxy.mend()

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "Set-Cookie" not in answer.headers
    assert ada.get("/").json["user"] == "Ada"


def test_a_save_that_fails_is_the_error_page_and_not_tried_again(
    app: Flask, proxy: FaultProxy
) -> None:
    """Flask makes the error page as another response, whose save would wait as long again."""
    view(app, "/put", lambda: session.update(basket=["tea"]))
    ada = log_in(app)
    proxy.clear()
    proxy.next(LoseRequest(), operation="PutItem", times=None)
    answer = ada.get("/put")
    asked = proxy.operations
    proxy.clear()

    assert (answer.status_code, asked) == (503, ["GetItem", "PutItem"])
    assert "Set-Cookie" not in answer.headers
    assert ada.get("/").json == {"user": "Ada", "basket": []}


def test_a_page_that_fails_saves_nothing(app: Flask) -> None:
    """What a view changed before it raised is not stored by its error page."""

    def fail() -> None:
        session["basket"] = ["half"]
        raise RuntimeError

    view(app, "/fail", fail)
    ada = log_in(app)

    assert ada.get("/fail").status_code == 500
    assert ada.get("/").json["basket"] == []


def test_the_sessions_of_a_user_are_found_from_flasks_session(
    dynamodb_local: str, table_name: str
) -> None:
    """`UserSessions(session, ...)` takes Flask's session as it takes Beaker's."""
    site = Flask(__name__)
    settings = apps.ini(dynamodb_local, table_name, special_keys="userId")
    site.session_interface = INTERFACE(settings)

    def log_in_and_list() -> list[bool]:
        session["userId"] = "42"
        return [one.is_current for one in UserSessions(session, "userId")]

    view(site, "/end", lambda: UserSessions(session, "userId").end_others())
    view(site, "/in", log_in_and_list)
    one, other = site.test_client(), site.test_client()
    one.get("/in")
    other.get("/in")

    assert ask(one, "/in").count(True) == 1
    assert ask(other, "/end") == 1
    assert len(apps.rows_of(dynamodb_local, table_name)) == 1
