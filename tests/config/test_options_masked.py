"""No message about a value contains the password of a URL, wherever the value was given."""

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
from beaker_dynamodb.config.options import OPTIONS, Options
from beaker_dynamodb.config.sources import Kind, configure, parse
from beaker_dynamodb.dynamodb.client import read_connection
from beaker_dynamodb.dynamodb.clients import _resolve_client
from beaker_dynamodb.dynamodb.diagnostics import Identity
from beaker_dynamodb.dynamodb.wire.http import Endpoint
from beaker_dynamodb.errors import DynamoDBBackendError, Unavailable, mask, mask_repr
from beaker_dynamodb.logs import log_once_a_minute
from beaker_dynamodb.migration.source_options import validate_source
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
ALIASES = tuple(row.alias for row in OPTIONS.values() if row.alias)
NAMES = (*OPTIONS, *ALIASES, "url", "migrate_from.url", "migrate_from.data_dir", "tabel", "other")


def set_directly(name: str, value: object, _: pytest.MonkeyPatch) -> dict[str, object]:
    """Return the option as an ini file or a constructor gives it."""
    return {name: value}


def set_in_url(name: str, value: object, _: pytest.MonkeyPatch) -> dict[str, object]:
    """Return a `url` with the option."""
    return {"url": f"dynamodb://r/tab?{name}={urllib.parse.quote(str(value), safe='')}"}


def set_by_configure(name: str, value: Any, _: pytest.MonkeyPatch) -> dict[str, object]:
    """Set the option for the process; return no options."""
    configure(**{name: value})
    return {}


def set_in_environment(
    name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> dict[str, object]:
    """Set the option's environment variable; return no options."""
    monkeypatch.setenv(f"BEAKER_DYNAMODB_{name.upper()}", str(value))
    return {}


SETTERS = (set_directly, set_in_url, set_by_configure, set_in_environment)
Setter = Callable[[str, object, pytest.MonkeyPatch], dict[str, object]]


def describe(options: Options) -> Iterator[str]:
    """Yield every text that is shown of accepted options."""
    connection = read_connection(options)
    yield from (repr(options), repr(connection), repr(table_spec(options)))
    yield repr(Identity("r", str(options.profile), "env"))
    yield repr(Endpoint(str(options.profile), None))
    if isinstance(connection.client, str):
        with suppress(ImportError):
            try:
                _resolve_client(connection.client, 0)
            except DynamoDBBackendError as error:
                yield from (str(error), repr(error))


@pytest.mark.parametrize("set_option", SETTERS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["session", "cache"])
def test_no_password_in_the_value_of_any_option_is_shown(
    name: str,
    set_option: Setter,
    kind: Kind,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not in an error or its arguments, not in the log, and in no repr."""
    caplog.set_level(logging.DEBUG)
    for value in VALUES:
        texts: list[str] = []
        try:
            texts += describe(parse(set_option(name, value, monkeypatch), kind))
        except DynamoDBBackendError as error:
            texts += [str(error), repr(error), repr(error.args), repr(error.__dict__)]
            texts += [repr(error.__context__), repr(error.__cause__)]
        texts += caplog.messages

        assert SECRET not in "\n".join(texts)


@pytest.mark.parametrize("set_option", SETTERS)
@pytest.mark.parametrize("value", [one for one in VALUES if isinstance(one, str)])
def test_no_password_in_the_name_of_an_option_is_shown(
    set_option: Setter,
    value: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A URL that is pasted without its option's name is taken for a name."""
    for name in (value, f"migrate_from.{value}", f"session.{value}"):
        try:
            texts = [repr(parse(set_option(name.replace("=", "~"), "x", monkeypatch), "session"))]
        except DynamoDBBackendError as error:
            texts = [str(error), repr(error)]

        assert SECRET not in "\n".join([*texts, *caplog.messages]) or "=" in value


@pytest.mark.parametrize("name", NAMES)
def test_no_password_is_shown_by_the_doctor_or_in_its_commands(name: str) -> None:
    """It is not in findings and their remedies, nor in the commands for an application."""
    for value in VALUES:
        for cache in (None, "default"):
            texts = []
            with suppress(DynamoDBBackendError):
                found = load_application(given={name: str(value)}, cache=cache)
                texts += [repr(found), found.arguments, found.create_command()]
            try:
                texts += [repr(one) for one in examine(given={name: str(value)}, cache=cache)]
            except DynamoDBBackendError as error:
                texts += [str(error)]

            assert SECRET not in "\n".join(texts)


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
    """The error names the mistake without the password, in any parameter."""
    if "#" in value and "-c" in words:
        pytest.skip("the text after it is a section's name")
    if not {"-o", "--from-option"} & set(words):
        value = value.replace(" ", "-")  # in any other text, white space ends a value
    assert main([word.format(value) for word in words]) != 0

    assert SECRET not in "".join(capfd.readouterr()) + caplog.text


@pytest.mark.parametrize("value", [one for one in VALUES if isinstance(one, str)])
@pytest.mark.parametrize(
    ("backend", "name"),
    [("file", "data_dir"), ("dbm", "dbm_dir"), ("ext:database", "url"), ("ext:redis", "url")],
)
def test_no_password_of_the_source_backend_is_shown(
    backend: str, name: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing folder is named in the log and by the doctor."""
    value = value.replace("/#?", "/#")  # a database's file ends there
    value = f"sqlite:///{value}" if name == "url" and "redis" not in backend else value
    with suppress(DynamoDBBackendError):
        validate_source(backend, {name: value})
    given = {"migrate_from": backend, f"migrate_from.{name}": value}
    found = [repr(one) for one in examine(given=given, read_only=True)]

    assert SECRET not in "\n".join([*found, *caplog.messages])


def test_no_password_in_an_ini_file_is_shown(tmp_path: Path) -> None:
    """The doctor's findings about the lines of a file do not contain it."""
    lines = "".join(
        f"session.{name} = {value}\n" for name in NAMES for value in VALUES[:1] + VALUES[3:4]
    )
    path = tmp_path / "app.ini"
    path.write_text(f"[app:main]\nsession.type = ext:dynamodb\n{lines}".replace("%", "%%"))

    found = [repr(one) for one in examine(str(path))]

    assert len(found) > len(OPTIONS) / 2
    assert SECRET not in "\n".join(found)


WORD = strategies.text(strategies.characters(exclude_categories=("Z", "C")), max_size=9)
ANY = strategies.text(max_size=9)


@example(user="", password="***", host="host")
@given(user=ANY, password=ANY, host=strategies.sampled_from(["host", "[::1]:80/x?y=z", ""]))
def test_values_are_shown_without_user_and_password(user: str, password: str, host: str) -> None:
    """They may contain any characters, such as white space and those of URLs."""
    for value in (f"redis://{user}:<{SECRET}>{password}@{host}", f"u{user}:{password}<{SECRET}>@h"):
        assert SECRET not in mask_repr(value)


@given(before=WORD, password=WORD)
def test_messages_are_shown_without_user_and_password(before: str, password: str) -> None:
    """Errors, log lines and findings go through the same function."""
    sentence = f"what {before}://{SECRET}{password}@host or {before}:{password}{SECRET}@host is"
    for message in (
        mask(sentence),
        str(Unavailable(sentence)),
        Finding("ok", "x", sentence).message,
    ):
        assert SECRET not in message
        assert message.startswith("what ")
        assert message.endswith("@host is")


def test_a_line_that_is_logged_once_a_minute_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    """Its text may contain the name of an attribute."""
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
def test_a_sentence_without_a_secret_is_not_changed(sentence: str) -> None:
    """A command in it must still work when it is pasted."""
    assert mask(sentence) == sentence
