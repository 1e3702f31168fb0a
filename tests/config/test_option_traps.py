"""Values that are easily mistaken: each is an OptionError, or has the meaning that it seems to."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.config.sources import configure, parse
from beaker_dynamodb.errors import OptionError

KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("given", "mistake"),
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
def test_a_bad_value_is_an_option_error(given: dict[str, object], mistake: str) -> None:
    """It raises no other exception, and is not accepted."""
    with pytest.raises(OptionError):
        parse(given, "session")


@pytest.mark.parametrize(
    ("name", "lower", "nothing"),
    [
        ("range_key", "kind", None),
        ("special_keys", "userId:S", ()),
        ("encryption_keys", KEY, ()),
        ("migrate_from", "ext:redis", None),
    ],
)
def test_the_word_none_overrides_the_value_of_a_lower_layer(
    name: str, lower: Any, nothing: object
) -> None:
    """The table of options prints `none` as the default, so an ini file may contain it."""
    given: dict[str, Any] = {name: [lower] if isinstance(lower, bytes) else lower}
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
def test_a_missing_extra_is_named(
    given: dict[str, object], package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is noticed with the first manager; at the first save it would look like an outage."""
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(OptionError, match=rf"pip install 'beaker-dynamodb\[{extra}\]'"):
        DynamoDBNamespaceManager("cached", **given)


def test_an_empty_option_does_not_hide_its_alias() -> None:
    """An empty text means "not given", so `table_name` is used."""
    assert parse({"table": "", "table_name": "tab"}, "session").table == "tab"
    assert parse({"table": None, "table_name": "tab"}, "session").table == "tab"


def test_special_keys_may_be_a_list_of_texts() -> None:
    """["userId:S", "visits:N"] means the same as "userId:S, visits:N"."""
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
def test_incomplete_credentials_are_refused(given: dict[str, object], words: str) -> None:
    """With them, boto3 would fail at every call, which would look like an outage."""
    with pytest.raises(OptionError, match=words) as caught:
        parse(given, "session")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("keys", [{}, {"encryption_keys": ""}])
def test_encryption_that_is_asked_for_without_a_key_is_refused(keys: dict[str, object]) -> None:
    """Else an environment variable that is empty would store sessions in the clear, silently."""
    with pytest.raises(OptionError, match="'encryption_keys' holds no key"):
        parse({**keys, "encryption_required": "true"}, "session")

    assert parse({**keys, "encryption_required": "false"}, "session").encryption_keys == ()


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
def test_configure_refuses_what_it_would_ignore(name: str, words: str) -> None:
    """In an ini file such settings are Beaker's; an argument of `configure` is a mistake."""
    with pytest.raises(OptionError, match=words):
        configure(**{name: "x"})

    assert parse({}, "session").table == "sessions"
