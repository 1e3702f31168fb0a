"""What is told of a value that somebody gave holds no password of a URL, however it was given."""

from __future__ import annotations

import logging
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, strategies

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.config.options import TABLE, Options
from beaker_dynamodb.config.sources import Kind, configure, parse
from beaker_dynamodb.dynamodb.connection import Connection, given_client
from beaker_dynamodb.dynamodb.diagnostics import Identity
from beaker_dynamodb.dynamodb.wire.http import Endpoint
from beaker_dynamodb.errors import DynamoDBBackendError, Unavailable, mask, shown
from beaker_dynamodb.logs import log_once_a_minute
from beaker_dynamodb.migration.source import validate_source
from beaker_dynamodb.ops.application import load_application
from beaker_dynamodb.ops.doctor.check import Finding
from beaker_dynamodb.ops.doctor.examine import examine
from beaker_dynamodb.provisioning.spec import table_spec

SECRET = "hunter2"
VALUES: tuple[object, ...] = (
    f"redis://:{SECRET}@host/0",
    f"https://user:{SECRET}@127.0.0.1:8000",
    f"https://{SECRET}@host",
    f"user:{SECRET}@host",
    f"user:pa{SECRET}/#?@ss@host:1/x",
    f"redis://:my {SECRET}@host  ; the old one",
    f"dynamodb://eu-west-1/t?migrate_from.url=redis://:{SECRET}@host",
    f"redis%3A%2F%2F%3A{SECRET}%40host",
    f"redis://host/0?password={SECRET}&db=1",
    f"arn:x:user:{SECRET}@host",
    [f"redis://:{SECRET}@host"],
    {"url": f"redis://u:{SECRET}@host"},
)
ALIASES = tuple(row.alias for row in TABLE.values() if row.alias)
NAMES = (*TABLE, *ALIASES, "url", "migrate_from.url", "migrate_from.data_dir", "tabel", "other")


def by_hand(name: str, value: object, _: pytest.MonkeyPatch) -> dict[str, object]:
    """Give it as an ini file or a constructor does."""
    return {name: value}


def by_url(name: str, value: object, _: pytest.MonkeyPatch) -> dict[str, object]:
    """Give it inside of a `url`."""
    return {"url": f"dynamodb://r/tab?{name}={urllib.parse.quote(str(value), safe='')}"}


def by_default(name: str, value: Any, _: pytest.MonkeyPatch) -> dict[str, object]:
    """Set it for the process."""
    configure(**{name: value})
    return {}


def by_environment(name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Set a variable."""
    monkeypatch.setenv(f"BEAKER_DYNAMODB_{name.upper()}", str(value))
    return {}


WAYS = (by_hand, by_url, by_default, by_environment)
Way = Callable[[str, object, pytest.MonkeyPatch], dict[str, object]]


def said_of(options: Options) -> Iterator[str]:
    """Yield what is shown of options that were accepted."""
    connection = Connection.of(options)
    yield from (repr(options), repr(connection), repr(table_spec(options)))
    yield repr(Identity("r", str(options.profile), "env"))
    yield repr(Endpoint(str(options.profile), None))
    if isinstance(connection.client, str):
        with suppress(ImportError):
            try:
                given_client(connection.client, 0)
            except DynamoDBBackendError as error:
                yield from (str(error), repr(error))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["session", "cache"])
def test_no_password_is_shown_whatever_option_it_was_given_to(
    name: str,
    way: Way,
    kind: Kind,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not in the error, its repr and arguments, not in the log, and in no repr."""
    caplog.set_level(logging.DEBUG)
    for value in VALUES:
        told: list[str] = []
        try:
            told += said_of(parse(way(name, value, monkeypatch), kind))
        except DynamoDBBackendError as error:
            told += [str(error), repr(error), repr(error.args), repr(error.__dict__)]
            told += [repr(error.__context__), repr(error.__cause__)]
        told += caplog.messages

        assert SECRET not in "\n".join(told)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [one for one in VALUES if isinstance(one, str)])
def test_no_password_is_shown_where_it_was_taken_for_an_options_name(
    way: Way, value: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who pastes a URL without its option's name has named an option so."""
    for name in (value, f"migrate_from.{value}", f"session.{value}"):
        try:
            told = [repr(parse(way(name.replace("=", "~"), "x", monkeypatch), "session"))]
        except DynamoDBBackendError as error:
            told = [str(error), repr(error)]

        assert SECRET not in "\n".join([*told, *caplog.messages]) or "=" in value


@pytest.mark.parametrize("name", NAMES)
def test_no_password_is_shown_by_the_doctor_or_in_its_commands(name: str) -> None:
    """Neither in a finding nor in its remedy, nor in the words that name an application."""
    for value in VALUES:
        for cache in (None, "default"):
            told = []
            with suppress(DynamoDBBackendError):
                found = load_application(given={name: str(value)}, cache=cache)
                told += [repr(found), found.arguments, found.create_command()]
            try:
                told += [repr(one) for one in examine(given={name: str(value)}, cache=cache)]
            except DynamoDBBackendError as error:
                told += [str(error)]

            assert SECRET not in "\n".join(told)


@pytest.mark.parametrize("value", [one for one in VALUES if isinstance(one, str)])
@pytest.mark.parametrize(
    "words",
    [
        ["table", "show", "-o", "{}"],
        ["table", "show", "-o", "{}=x"],
        ["table", "show", "-o", "region={}"],
        ["table", "show", "-c", "{}"],
        ["table", "show", "{}"],
        ["{}"],
        ["doctor", "-o", "endpoint_url={}", "-o", "table={}"],
        ["import", "--from", "{}"],
        ["import", "--from", "ext:redis", "--from-option", "{}"],
        ["import", "--from", "ext:redis", "--from-option", "{}=x"],
        ["import", "--from", "ext:redis", "--from-option", "url={}"],
        ["import", "--from", "ext:database", "--from-option", "url={}"],
        ["import", "--from", "file", "--from-option", "data_dir={}"],
        ["import", "--from", "connect-dynamodb", "--from-option", "table={}"],
    ],
    ids=" ".join,
)
def test_no_password_is_shown_on_a_command_line(
    words: list[str],
    value: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever it was given as, the error names the mistake without it."""
    if "#" in value and "-c" in words:
        pytest.skip("what stands behind it is a section's name")
    if not {"-o", "--from-option"} & set(words):
        value = value.replace(" ", "-")  # elsewhere nobody knows where a value ends
    assert main([word.format(value) for word in words]) != 0

    assert SECRET not in "".join(capfd.readouterr()) + caplog.text


@pytest.mark.parametrize("value", [one for one in VALUES if isinstance(one, str)])
@pytest.mark.parametrize(
    ("backend", "name"),
    [("file", "data_dir"), ("dbm", "dbm_dir"), ("ext:database", "url"), ("ext:redis", "url")],
)
def test_no_password_is_shown_of_the_backend_that_sessions_come_from(
    backend: str, name: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that is not there is named in the log and by the doctor."""
    value = value.replace("/#?", "/#")  # a database's file ends there
    value = f"sqlite:///{value}" if name == "url" and "redis" not in backend else value
    with suppress(DynamoDBBackendError):
        validate_source(backend, {name: value})
    given = {"migrate_from": backend, f"migrate_from.{name}": value}
    found = [repr(one) for one in examine(given=given, read_only=True)]

    assert SECRET not in "\n".join([*found, *caplog.messages])


def test_no_password_is_shown_of_an_ini_files_options(tmp_path: Path) -> None:
    """Nor in what the doctor says of the lines of a file."""
    lines = "".join(
        f"session.{name} = {value}\n" for name in NAMES for value in VALUES[:1] + VALUES[3:4]
    )
    path = tmp_path / "app.ini"
    path.write_text(f"[app:main]\nsession.type = ext:dynamodb\n{lines}".replace("%", "%%"))

    found = [repr(one) for one in examine(str(path))]

    assert len(found) > len(TABLE) / 2
    assert SECRET not in "\n".join(found)


WORD = strategies.text(strategies.characters(exclude_categories=("Z", "C")), max_size=9)
ANY = strategies.text(max_size=9)


@example(user="", password="***", host="host")
@given(user=ANY, password=ANY, host=strategies.sampled_from(["host", "[::1]:80/x?y=z", ""]))
def test_a_value_is_shown_without_user_and_password(user: str, password: str, host: str) -> None:
    """Whatever characters they hold, white space and marks of a URL among them."""
    for value in (f"redis://{user}:<{SECRET}>{password}@{host}", f"u{user}:{password}<{SECRET}>@h"):
        assert SECRET not in shown(value)


@given(before=WORD, password=WORD)
def test_a_sentence_is_told_without_user_and_password(before: str, password: str) -> None:
    """Errors, log lines and findings go through the same function."""
    sentence = f"what {before}://{SECRET}{password}@host or {before}:{password}{SECRET}@host is"
    for told in (mask(sentence), str(Unavailable(sentence)), Finding("ok", "x", sentence).message):
        assert SECRET not in told
        assert told.startswith("what ")
        assert told.endswith("@host is")


def test_a_line_that_is_logged_once_a_minute_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    """Its text may hold the name of an attribute."""
    log_once_a_minute(
        logging.getLogger("beaker_dynamodb.test"), f"special key 'user:{SECRET}@host'"
    )

    assert caplog.messages == ["special key '***@host'"]


@pytest.mark.parametrize(
    "sentence",
    [
        "option 'table' has 'a b'; expected 3 to 255 letters, digits, '_', '-' and '.'",
        "http://[::1]:8000/x and arn:aws:dynamodb:eu-west-1:123456789012:table/shop",
        "beaker-dynamodb table create -o table=x -o special_keys=userId:S",
        "a session of somebody@example.com",
        "dynamodb://REGION/TABLE?option=value&...",
    ],
)
def test_what_holds_no_secret_is_told_as_it_is(sentence: str) -> None:
    """A remedy must stay one that can be pasted."""
    assert mask(sentence) == sentence
