"""Every example runs unchanged, and remembers its visitors.

Each is tested on the embedded server; production.ini is tested against DynamoDB Local, with
only the endpoint changed.
"""

from __future__ import annotations

import configparser
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paste.deploy import loadserver
from pyramid.paster import get_app
from webtest import TestApp

import beaker_dynamodb
from tests.servers import Flavor, Server

EXAMPLES = Path(__file__).parents[1] / "examples"
PYRAMID = EXAMPLES / "pyramid_app"
DEVICES = EXAMPLES / "devices"
#: The examples that people copy; the demo is tested in tests/demo.
TO_COPY = [
    path
    for folder in (EXAMPLES, PYRAMID, DEVICES)
    for path in folder.glob("*.py")
    if path.name != "__init__.py"
]
NAMES = ("bottle_app.py", "flask_app.py", "wsgi_app.py", "pyramid_app/development.ini")
#: The lines that an example may have; what is copied as a whole file may have some more.
MAX_LINES, MAX_COPIED_LINES = 40, 55


def load(name: str) -> Any:
    """Create a new application of an example."""
    path = EXAMPLES / name
    if path.suffix == ".ini":
        return get_app(str(path))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


@pytest.fixture(autouse=True)
def import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make importable what an example imports from its own folder, as if it were run there."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.syspath_prepend(str(PYRAMID))


@pytest.fixture
def production(dynamodb_local: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Set the endpoint in the environment; yield production.ini's table, and delete it."""
    monkeypatch.setenv("BEAKER_DYNAMODB_ENDPOINT_URL", dynamodb_local)
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(PYRAMID / "production.ini")
    settings = ini["app:main"]
    yield settings["session.table"]
    client = Server(dynamodb_local, Flavor.LOCAL).client(region=settings["session.region"])
    if settings["session.table"] in client.list_tables()["TableNames"]:
        client.delete_table(TableName=settings["session.table"])


def log_in(app: Any, name: str, **how: Any) -> Any:
    """Log in by the form of an example's page, and return the page that follows."""
    form = app.get("/").form
    form.action, form["user"] = "/in", name
    return form.submit(**how).follow()


def log_out(app: Any) -> Any:
    """Log out by the form of an example's page, and return the page that follows."""
    form = app.get("/").form
    form.action = "/out"
    return form.submit().follow()


def cookie_of(app: Any) -> dict[str, str]:
    """Return a browser's cookies as the header that another browser would send."""
    return {"Cookie": "; ".join(f"{one.name}={one.value}" for one in app.cookiejar)}


@pytest.mark.parametrize("name", NAMES)
def test_a_visitor_is_counted_logged_in_and_logged_out(name: str) -> None:
    """An example counts each visitor's visits, greets a user, and forgets the user at logout."""
    ada, other = TestApp(load(name)), TestApp(load(name))

    assert "Visits: 1. Hello, stranger." in ada.get("/")
    assert "Visits: 3. Hello, Ada." in log_in(ada, "Ada")
    assert "Visits: 1. Hello, stranger." in other.get("/")
    assert "Visits: 1. Hello, stranger." in log_out(ada)


@pytest.mark.parametrize("name", NAMES)
def test_a_cookie_from_before_a_logout_is_not_accepted(name: str) -> None:
    """A logout deletes the row: a client that kept the cookie is logged out too."""
    ada = TestApp(load(name))
    log_in(ada, "Ada")
    kept = cookie_of(ada)
    assert "Ada" in TestApp(load(name)).get("/", headers=kept)

    log_out(ada)

    assert "stranger" in TestApp(load(name)).get("/", headers=kept)


@pytest.mark.parametrize("name", NAMES)
def test_a_cookie_from_before_a_login_is_not_logged_in(name: str) -> None:
    """A login gets a new id: a session id that an attacker planted is not logged in."""
    ada = TestApp(load(name))
    ada.get("/")
    planted = cookie_of(ada)

    assert "Ada" in log_in(ada, "Ada")
    assert "stranger" in TestApp(load(name)).get("/", headers=planted)


@pytest.mark.parametrize("name", NAMES)
def test_a_login_survives_a_new_application(name: str) -> None:
    """The session is in the table, so a new application finds it."""
    before = TestApp(load(name))
    log_in(before, "Ada")
    beaker_dynamodb.reset()

    after = TestApp(load(name), cookiejar=before.cookiejar)

    assert "Hello, Ada." in after.get("/")


@pytest.mark.parametrize("name", NAMES)
def test_a_cookie_is_for_this_site_alone(name: str) -> None:
    """No script can read the cookie, and no other site's form sends it."""
    cookie = TestApp(load(name)).get("/").headers["Set-Cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_text_and_not_markup(name: str) -> None:
    """What a visitor types is shown as text, and no browser runs it."""
    page = log_in(TestApp(load(name)), "<script>alert(1)</script>")

    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_the_pyramid_example_refuses_a_form_without_its_token() -> None:
    """Another site's form cannot log anybody in: Pyramid requires the session's token."""
    app = TestApp(load("pyramid_app/development.ini"))
    app.get("/")

    app.post("/in", {"user": "Mallory"}, status=400)

    assert "stranger" in app.get("/")


def test_the_production_ini_alone_keeps_sessions_in_dynamodb(
    production: str, dynamodb_local: str
) -> None:
    """Its settings alone store the sessions in DynamoDB, and a login survives a restart."""
    tls = {"wsgi.url_scheme": "https"}
    origin = {"Referer": "https://localhost/"}
    before = TestApp(load("pyramid_app/production.ini"), extra_environ=tls)
    assert "Hello, Ada." in log_in(before, "Ada", headers=origin)
    beaker_dynamodb.reset()

    after = TestApp(
        load("pyramid_app/production.ini"), extra_environ=tls, cookiejar=before.cookiejar
    )

    assert "Hello, Ada." in after.get("/")
    client = Server(dynamodb_local, Flavor.LOCAL).client(region="eu-central-1")
    assert client.scan(TableName=production)["Count"] == 2  # before and after the login
    (cookie,) = after.cookiejar
    assert (cookie.name, cookie.secure, cookie.path) == ("myapp", True, "/")


@pytest.mark.parametrize("name", ["development.ini", "production.ini"])
def test_pserve_starts_a_server_that_listens_on_loopback(name: str) -> None:
    """Each ini file names the server that pserve starts, and a loopback address."""
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(PYRAMID / name)

    assert callable(loadserver(f"config:{PYRAMID / name}"))
    assert ini["server:main"]["listen"].startswith("127.0.0.1:")


def test_every_example_is_short_and_listed() -> None:
    """examples/README.md names each example, and each has 15 to 40 lines.

    Flask's session interface, which an application copies as it is, may have 55.
    """
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    assert {EXAMPLES / "bottle_app.py", PYRAMID / "app.py", DEVICES / "shared.py"} <= set(TO_COPY)
    for path in TO_COPY:
        named = path.name if path.parent == EXAMPLES else f"{path.parent.name}/"
        assert f"`{named}`" in readme
        longest = MAX_COPIED_LINES if path.name == "beaker_flask.py" else MAX_LINES
        assert 15 <= len(path.read_text(encoding="utf-8").splitlines()) <= longest
