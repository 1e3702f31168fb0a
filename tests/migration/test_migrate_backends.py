"""The old backend of `migrate_from`: down, misconfigured, or a table of our own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from beaker_dynamodb import configure
from beaker_dynamodb.errors import OptionError, TableMissing, Unavailable
from beaker_dynamodb.migration.source import say_host
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, log_out

pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")


@pytest.mark.parametrize("kind", ["ext:redis"])
def test_while_the_old_backend_is_down_nobody_is_logged_out(
    old: Site, moving: Site, new: Site
) -> None:
    """Migrated users are served; the others get an error, and keep the cookie."""
    down = moving.with_(**{"migrate_from.url": "redis://127.0.0.1:1/0"})
    moved, waiting = old.begin_session(user="ann"), old.begin_session(user="bob")
    moving.read_session(moved)

    assert down.read_session(moved) == {"user": "ann"}
    with pytest.raises(Unavailable, match=r"'ext:redis'.* at 127\.0\.0\.1:1 failed"):
        down.visit(waiting, contents)
    with pytest.raises(Unavailable):
        down.visit(moved.also(), log_out)  # it would still live in the old backend
    assert moving.read_session(waiting) == {"user": "bob"}
    assert moving.read_session(moved) == {"user": "ann"}


@pytest.mark.parametrize("kind", ["file"])
@pytest.mark.parametrize(
    ("source_options", "word"),
    [
        ({"migrate_from": "ext:nothing"}, "ext:nothing"),
        ({"migrate_from": "redis"}, "did you mean 'ext:redis'"),
        ({"migrate_from": "ext:file"}, "did you mean 'file'"),
        ({"migrate_from": "ext:data_base"}, "did you mean 'ext:database'"),
        ({"migrate_from": "file"}, "file needs migrate_from.data_dir = FOLDER"),
        (
            {"migrate_from": "file", "migrate_from.data_dri": "/x"},
            "did you mean 'migrate_from.data_dir'",
        ),
        ({"migrate_from": "ext:redis"}, "needs migrate_from.url = redis://HOST"),
        (
            {"migrate_from": "ext:redis", "migrate_from.url": "127.0.0.1:6379"},
            r"created \(ValueError\); give its own options as migrate_from.url = redis://",
        ),
        ({"migrate_from": "ext:database"}, "needs migrate_from.url = DIALECT"),
        (
            {"migrate_from": "ext:database", "migrate_from.url": "nobody://", "migrate_from.x": 1},
            r"created \(",
        ),
    ],
)
def test_a_backend_that_cannot_be_made_is_named(
    new: Site, kind: str, source_options: dict[str, Any], word: str
) -> None:
    """A mistake in the options is an OptionError, and no logout either."""
    with pytest.raises(OptionError, match=word):
        new.with_(**source_options).visit(Browser("beaker.session.id=" + "a" * 32), contents)


@pytest.mark.parametrize("kind", ["file"])
@pytest.mark.parametrize(
    ("backend", "package", "how"),
    [
        ("ext:redis", "redis", r"'beaker-dynamodb\[migration\]'"),
        ("ext:rediscluster", "redis", r"'beaker-dynamodb\[migration\]'"),
        ("ext:database", "sqlalchemy", r"'beaker-dynamodb\[migration\]'"),
        ("ext:mongodb", "pymongo", "pymongo"),
    ],
)
def test_a_missing_package_of_the_old_backend_fails_the_first_request(
    new: Site, kind: str, backend: str, package: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one without a cookie, so that the mistake is found at once."""
    monkeypatch.setitem(sys.modules, package, None)
    site = new.with_(**{"migrate_from": backend, "migrate_from.url": "redis://:hunter2@cache/0"})

    with pytest.raises(OptionError, match=rf"{package}: pip install {how}"):
        site.begin_session(user="ann")


@pytest.mark.parametrize("kind", ["file"])
@pytest.mark.parametrize(
    ("source", "how"),
    [
        (("ext:database", "mysql+pymysql://u:hunter2@db/x"), "install the Python module 'pymysql'"),
        (("ext:memcached", "cache:11211"), "install the package that it needs"),
    ],
)
def test_a_missing_driver_of_the_old_backend_is_what_to_install(
    new: Site,
    kind: str,
    source: tuple[str, str],
    how: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Beaker finds it missing when it connects; the options are right."""
    for package in ("pymysql", "pylibmc", "cmemcache", "memcache", "bmemcached"):
        monkeypatch.setitem(sys.modules, package, None)
    options = {"migrate_from.url": source[1], "migrate_from.lock_dir": str(tmp_path)}
    site = new.with_(migrate_from=source[0], **options)

    with pytest.raises(OptionError, match=how) as caught:
        site.visit(Browser("beaker.session.id=" + "a" * 32), contents)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("kind", ["file"])
def test_an_old_table_without_a_region_is_told_from_the_applications(
    new: Site, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application's own region does not apply to it."""
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    site = new.with_(migrate_from="ext:dynamodb", **{"migrate_from.prefix": "old:"})

    with pytest.raises(OptionError, match=r"table to read from has no region: .* migrate_from"):
        site.visit(Browser("beaker.session.id=" + "a" * 32), contents)


@pytest.mark.parametrize("kind", ["file"])
def test_a_missing_old_folder_is_logged(
    moving: Site, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Beaker would create an empty one without an error, and log everybody out."""
    moving.begin_session(user="ann")
    (told,) = (line for line in caplog.messages if "there is no" in line)
    assert f"'{tmp_path}/container_file'" in told
    caplog.clear()
    (tmp_path / "container_file").mkdir()
    moving.with_(ttl="5m").begin_session(user="ann")
    assert "there is no" not in caplog.text


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("redis://:hunter2@cache:6379/0", " at cache:6379"),
        ("mysql+x://a:b@db.example/s", " at db.example"),
        ("sqlite:////srv/x.db", ""),
        ("redis://[::1", ""),
        (None, ""),
    ],
)
def test_of_an_address_the_host_alone_is_told(url: object, host: str) -> None:
    """A url holds a password, often."""
    assert say_host(url) == host


@pytest.mark.parametrize("kind", ["file"])
def test_a_default_of_the_process_does_not_reach_the_old_table(new: Site, kind: str) -> None:
    """`configure()` sets it for every manager; the old one would look behind itself for ever."""
    user = new.begin_session(user="ann")
    source_options: dict[str, Any] = {
        "migrate_from": "ext:dynamodb",
        "migrate_from.prefix": "sess:",
    }
    source_options["migrate_from.table"] = new.table
    source_options["migrate_from.client"] = new.options["client"]

    with configure(**source_options):
        assert new.with_(prefix="app:").read_session(user) == {"user": "ann"}
        assert new.with_(prefix="app:").read_session(Browser("beaker.session.id=" + "a" * 32)) == {}


@pytest.mark.parametrize("kind", ["file"])
def test_a_missing_old_table_is_not_created(new: Site, kind: str) -> None:
    """If its name is misspelled, an empty table would log everybody out without an error."""
    missing = f"{new.table}-old"
    source_options: dict[str, Any] = {
        "migrate_from": "ext:dynamodb",
        "migrate_from.table": missing,
        "migrate_from.client": new.options["client"],
    }
    site = new.with_(**source_options)

    with pytest.raises(TableMissing, match=r"table to read from .*check migrate_from\.table and"):
        site.visit(Browser("beaker.session.id=" + "a" * 32), contents)
    assert missing not in new.raw.list_tables()["TableNames"]


@pytest.mark.parametrize("kind", ["file"])
@pytest.mark.parametrize("other", [{"prefix": "app:"}, {"hash_ids": "true"}, {}])
def test_a_table_of_ours_may_be_the_old_backend(
    new: Site, kind: str, other: dict[str, str]
) -> None:
    """That is how another prefix, or hashed ids, are introduced without a logout."""
    user = new.begin_session(user="ann")
    before = user.also()
    source_options: dict[str, Any] = {
        "migrate_from": "ext:dynamodb",
        "migrate_from.table": new.table,
    }
    source_options["migrate_from.client"] = new.options["client"]
    site = new.with_(**other, **source_options)

    assert site.read_session(user) == {"user": "ann"}
    site.visit(user, log_out)
    assert site.read_session(before) == {}
    assert new.read_session(before) == {}
