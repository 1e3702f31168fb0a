"""How `migrate_from` and the options behind its dot are read."""

from __future__ import annotations

import pytest

from beaker_dynamodb.config.names import is_known
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.config.sources import configure, parse
from beaker_dynamodb.errors import OptionError

URL = "redis://cache:6379/0"


def understood(options: Options) -> tuple[str | None, dict[str, object]]:
    """Say what was understood."""
    return options.migrate_from, dict(options.migrate_from_options)


def test_the_old_backends_options_follow_a_dot() -> None:
    """They reach it by their own names, and unread."""
    given = {"migrate_from": "ext:redis", "migrate_from.url": URL, "migrate_from.tabel": "x"}

    assert understood(parse(given, "session")) == ("ext:redis", {"url": URL, "tabel": "x"})


def test_they_may_be_in_the_url_and_in_configure() -> None:
    """Like any option; arguments win."""
    url = "dynamodb://r/sessions?migrate_from=ext%3Aredis&migrate_from.url=redis%3A%2F%2Fother"
    assert understood(parse({"url": url}, "session")) == ("ext:redis", {"url": "redis://other"})
    with configure(**{"migrate_from": "file", "migrate_from.data_dir": "/srv"}):
        assert understood(parse({}, "session")) == ("file", {"data_dir": "/srv"})
        assert understood(parse({"migrate_from.data_dir": "/x"}, "session"))[1] == {
            "data_dir": "/x"
        }
        assert parse({}, "cache").migrate_from is None
        with configure(migrate_from="none"):
            assert understood(parse({}, "session")) == (None, {})


def test_a_secret_in_them_is_not_shown() -> None:
    """A url holds a password, often."""
    given = {"migrate_from": "ext:redis", "migrate_from.url": "redis://:hunter2@cache/0"}

    assert "hunter2" not in repr(parse(given, "session"))


@pytest.mark.parametrize(
    ("given", "kind", "word"),
    [
        ({"migrate_from.url": URL}, "session", "migrate_from.url"),
        ({"migrate_from": "ext:redis"}, "cache", "for sessions"),
        ({"migrate_from.url": URL}, "cache", "for sessions"),
        ({"migrate_from": "ext:database", "migrate_from.sa_opts": {}}, "session", "as a text"),
        ({"migrate_form": "ext:redis"}, "session", "did you mean 'migrate_from'"),
        ({"migrate_from_url": URL}, "session", r"did you mean 'migrate_from\.url'"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, object], kind: str, word: str) -> None:
    """At once, not at the first session that is missing."""
    with pytest.raises(OptionError, match=word):
        parse(given, "session" if kind == "session" else "cache")


def test_a_command_line_takes_them() -> None:
    """`-o migrate_from.url=...` is an option like any other."""
    assert is_known("migrate_from.url")
    assert is_known("migrate_from")
