"""Values that look like options and are none: each is an OptionError, or means what it says."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.config.sources import configure, parse
from beaker_dynamodb.errors import OptionError

KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"url": "dynamodb://r/t?url=x"}, "KeyError"),
        ({"url": "dynamodb://[x/t"}, "ValueError"),
        ({"ttl": 10**400}, "OverflowError"),
        ({"max_value_size": "9" * 5000}, "ValueError"),
        ({"encryption_keys": [32]}, "no error: a key of 32 zero bytes"),
        ({"encryption_keys": (KEY, 32)}, "no error: a key of 32 zero bytes"),
        ({"table": "  "}, "no error: a table called ''"),
        ({"region": " "}, "no error: a region called ''"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_value_is_an_option_error(given: dict[str, object], kind: str) -> None:
    """Never another exception, and never taken for a value."""
    with pytest.raises(OptionError):
        parse(given, "session")


@pytest.mark.parametrize(
    ("name", "said", "nothing"),
    [
        ("range_key", "kind", None),
        ("special_keys", "userId:S", ()),
        ("encryption_keys", KEY, ()),
        ("migrate_from", "ext:redis", None),
    ],
)
def test_the_word_none_takes_back_what_a_layer_below_has_said(
    name: str, said: Any, nothing: object
) -> None:
    """The table of options prints `none` as their default, so an ini file may say it."""
    given: dict[str, Any] = {name: [said] if isinstance(said, bytes) else said}
    with configure(**given):
        assert getattr(parse({}, "session"), name) != nothing
        assert getattr(parse({name: "none"}, "session"), name) == nothing


@pytest.mark.parametrize(
    ("given", "package", "extra"),
    [
        ({"compress": "fast"}, "isal", "fast"),
        ({"encryption_keys": [KEY]}, "cryptography", "crypto"),
        ({"encryption_keys": [b"", KEY]}, "cryptography", "crypto"),
    ],
)
def test_an_option_without_its_extra_names_it(
    given: dict[str, object], package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found with the first manager, not with the first save: that would look like an outage."""
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(OptionError, match=rf"pip install 'beaker-dynamodb\[{extra}\]'"):
        DynamoDBNamespaceManager("cached", **given)


def test_an_empty_option_does_not_hide_its_alias() -> None:
    """An empty text means not given: then `table_name` says it."""
    assert parse({"table": "", "table_name": "tab"}, "session").table == "tab"
    assert parse({"table": None, "table_name": "tab"}, "session").table == "tab"


def test_special_keys_as_a_python_list_of_texts() -> None:
    """["userId:S", "visits:N"] means what "userId:S, visits:N" means (or is an OptionError)."""
    found = parse({"special_keys": ["userId:S", "visits:N"]}, "session").special_keys
    assert found == (("userId", "S"), ("visits", "N"))


def test_a_default_serializer_for_caches_does_not_break_sessions() -> None:
    """configure(serializer="json") is for the caches of the process."""
    configure(serializer="json")
    assert parse({}, "cache").serializer == "json"
    parse({}, "session")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"aws_access_key_id": "AKIA"}, "go together"),
        ({"aws_secret_access_key": "hunter2"}, "go together"),
        ({"aws_session_token": "hunter2"}, "has no effect without 'aws_access_key_id'"),
        ({"aws_access_key_id": "AKIA", "aws_session_token": "hunter2"}, "go together"),
    ],
)
def test_half_of_a_pair_of_credentials_is_no_outage(given: dict[str, object], words: str) -> None:
    """boto3 fails with them at the first call, and every visitor would see it."""
    with pytest.raises(OptionError, match=words) as caught:
        parse(given, "session")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("session.tabel", "'tabel', not 'session.tabel'"),
        ("beaker.session.table", "'table', not 'beaker.session.table'"),
        ("cache.table", "'table', not 'cache.table'"),
        (
            "secret",
            "'secret' is not an option of beaker_dynamodb; give Beaker's own options to Beaker",
        ),
        ("timeout", "'timeout' is not an option of beaker_dynamodb"),
        ("tabel", "did you mean 'table'"),
    ],
)
def test_configure_takes_nothing_that_it_would_not_heed(name: str, words: str) -> None:
    """An ini file holds Beaker's settings beside ours; whoever calls a function means it."""
    with pytest.raises(OptionError, match=words):
        configure(**{name: "x"})

    assert parse({}, "session").table == "sessions"
