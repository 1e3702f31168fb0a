"""StrictSession in every place it is offered for: frameworks, an ini file, other backends."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from beaker.container import MemoryNamespaceManager
from paste.deploy import loadapp
from pyramid.config import Configurator
from pyramid.response import Response
from pyramid_beaker import BeakerSessionFactoryConfig
from webtest import TestApp

from beaker_dynamodb import StrictSession
from beaker_dynamodb.ops.doctor.session import RECIPES
from tests.instruments import Clock, Recorder
from tests.sessions.requests import KEY, Browser, Site


class Sorted:
    """A serializer of the application's own."""

    def dumps(self, values: dict[str, Any]) -> bytes:
        return json.dumps(values, sort_keys=True).encode()

    def loads(self, text: bytes) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(text)
        return values


OPAQUE: dict[str, dict[str, object]] = {
    "encrypt_key": {"encrypt_key": "k" * 32, "validate_key": "v" * 32},
    "serializer": {"data_serializer": Sorted()},
    "both": {"encrypt_key": "k" * 32, "validate_key": "v" * 32, "data_serializer": Sorted()},
}


@pytest.mark.parametrize("options", OPAQUE.values(), ids=OPAQUE)
class TestSessionsThatWeCannotOpen:
    """Under Beaker's encrypt_key and custom serializers the session's own envelope opens them."""

    @pytest.fixture
    def ann(self, dynamodb_local: str, table_name: str, options: dict[str, object]) -> Browser:
        ann = Browser(Site(dynamodb_local, table_name, **options))
        ann.write(user="ann")
        return ann

    def test_two_requests_both_keep_their_change(self, ann: Browser) -> None:
        """They are merged by key, like plain ones."""
        one, two = ann.begin(), ann.begin()
        for visit, key in ((one, "cart"), (two, "lang")):
            visit.session[key] = 1
            visit.session.save()
        one.end()
        two.end()

        assert ann.read() == {"user": "ann", "cart": 1, "lang": 1}

    def test_a_slow_reader_does_not_undo_a_logout(self, ann: Browser) -> None:
        """Its save is a touch, and there is nothing left to touch."""
        slow = ann.begin()
        assert slow.session["user"] == "ann"
        old = Browser(ann.site, ann.cookie)
        with ann.visit() as session:
            session.delete()
        slow.end()

        assert ann.site.rows() == {}
        assert old.read() == {}

    def test_a_slow_reader_does_not_undo_a_change(self, ann: Browser) -> None:
        """Though its text differs each time, a request that only read overwrites nothing."""
        slow = ann.begin()
        assert slow.session["user"] == "ann"
        ann.write(cart=1)
        slow.end()

        assert ann.read() == {"user": "ann", "cart": 1}

    def test_a_session_that_is_only_read_costs_no_write(
        self, ann: Browser, calls: Recorder
    ) -> None:
        """Each save has another text, but the same values."""
        for _ in range(3):
            ann.read()

        assert calls.names == ["GetItem"] * 3

    def test_regenerate_id_takes_along_what_was_changed_beside_it(self, ann: Browser) -> None:
        """The old row is opened, merged into the new one, and removed."""
        login = ann.begin()
        assert login.session["user"] == "ann"
        Browser(ann.site, ann.cookie).write(cart=1)
        login.session.regenerate_id()
        ann.end(login)

        assert list(ann.site.rows()) == [ann.id]
        assert ann.read() == {"user": "ann", "cart": 1}


def backend(kind: str, folder: Path) -> dict[str, Any]:
    """Return Beaker's options for one of its own backends."""
    return {"type": kind, **({"data_dir": str(folder)} if kind == "file" else {})}


@pytest.mark.parametrize("kind", ["memory", "file"])
class TestOverBeakersOwnBackends:
    """StrictSession deletes rows in Beaker's own backends, too."""

    @pytest.fixture
    def site(self, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
        monkeypatch.setattr(MemoryNamespaceManager.namespaces, "dict", {})
        site = Site("http://127.0.0.1:1", "unused")
        given = {"session_class": StrictSession, **backend(kind, tmp_path)}
        site.middleware.options.update(given)
        for name in ("endpoint_url", "table"):
            del site.middleware.options[name]
        return site

    @pytest.fixture
    def ann(self, site: Site) -> Browser:
        ann = Browser(site)
        ann.write(user="ann")
        return ann

    @pytest.mark.parametrize("leave", ["clear", "delete", "invalidate", "regenerate_id"])
    def test_the_old_cookie_opens_no_session(self, ann: Browser, leave: str) -> None:
        """After delete, invalidate and regenerate_id, the old id opens no session."""
        old = Browser(ann.site, ann.cookie)
        with ann.visit() as session:
            getattr(session, leave)()
            session.save()

        assert old.begin().session.is_new
        assert old.read() == {}

    def test_regenerate_id_keeps_the_data(self, ann: Browser) -> None:
        """Under the new id, saved or not."""
        before = ann.id
        with ann.visit() as session:
            session.regenerate_id()

        assert ann.id != before
        assert ann.read() == {"user": "ann"}

    def test_a_logout_beside_regenerate_id_leaves_nothing(self, ann: Browser) -> None:
        """What the login sets after that is kept, under an id of its own."""
        login, logout = ann.begin(), ann.begin()
        login.session["role"] = "admin"
        logout.session.delete()
        logout.end()
        login.session.regenerate_id()
        login.session["user"] = "ben"
        login.session.save()
        ann.end(login)

        assert ann.read() == {"user": "ben"}

    def test_a_session_that_timed_out_is_deleted(
        self, ann: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server without a timeout does not find it either."""
        old, clock = Browser(ann.site, ann.cookie), Clock()
        monkeypatch.setattr("beaker.session.time", SimpleNamespace(time=clock))
        ann.site.middleware.options["timeout"] = 60
        clock.advance(120)
        assert ann.read() == {}
        del ann.site.middleware.options["timeout"]

        assert old.read() == {}

    def test_an_id_without_a_row_is_replaced(self, ann: Browser) -> None:
        """A planted cookie is not adopted."""
        victim = Browser(ann.site, f"{KEY}=planted")
        victim.write(user="victim")

        assert victim.id != "planted"
        assert victim.read() == {"user": "victim"}


def browse(request: Any) -> Response:
    """Change the session as the path says, and return the user's name."""
    session = request.session
    match request.matchdict["do"]:
        case "login":
            session["user"] = "ann"
            session.regenerate_id()
        case "logout":
            session.delete()
        case "invalidate":
            session.invalidate()
    return Response(str(session.get("user")))


class TestFrameworks:
    @pytest.fixture
    def app(self, dynamodb_local: str, table_name: str) -> TestApp:
        factory = BeakerSessionFactoryConfig(
            session_class=StrictSession,
            type="ext:dynamodb",
            endpoint_url=dynamodb_local,
            table=table_name,
        )
        with Configurator(session_factory=factory) as config:
            config.add_route("page", "/{do}")
            config.add_view(browse, route_name="page")
            return TestApp(config.make_wsgi_app())

    @pytest.mark.parametrize("leave", ["login", "logout", "invalidate"])
    def test_pyramid_leaves_no_old_id_that_opens(self, app: TestApp, leave: str) -> None:
        """Under pyramid_beaker: a new login, a logout and an invalidate end the old cookie."""
        app.get("/login")
        old = app.cookies[KEY]
        assert app.get("/look").text == "ann"
        app.get(f"/{leave}")
        after = app.get("/look").text
        app.set_cookie(KEY, old)

        assert app.get("/look").text == "None"
        assert after == ("ann" if leave == "login" else "None")

    def test_an_ini_file_is_enough(
        self, dynamodb_local: str, table_name: str, tmp_path: Path
    ) -> None:
        """The doctor's recipe in a filter section puts StrictSession into the pipeline."""
        ini = tmp_path / "site.ini"
        ini.write_text(
            "[pipeline:main]\npipeline = session app\n"
            f"[filter:session]\n{RECIPES['paste']}\n"
            f"session.type = ext:dynamodb\nsession.endpoint_url = {dynamodb_local}\n"
            f"session.table = {table_name}\n"
            "[app:app]\npaste.app_factory = tests.sessions.test_strict_backends:app_factory\n"
        )
        app = TestApp(loadapp(f"config:{ini}"))
        app.get("/login")
        old = app.cookies[KEY]
        assert app.get("/look").text == "ann"
        app.get("/logout")
        app.set_cookie(KEY, old)

        assert app.get("/look").text == "None"


def app_factory(global_config: object, **settings: str) -> Any:
    """Make the application of the ini file."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        session = environ["beaker.session"]
        assert isinstance(session._session(), StrictSession)
        if environ["PATH_INFO"] == "/login":
            session["user"] = "ann"
            session.save()
        if environ["PATH_INFO"] == "/logout":
            session.invalidate()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(session.get("user")).encode()]

    return app
