"""Every option refuses a value that is followed by a comment: ini files have none after a value.

A name is refused at once if AWS would refuse it at each request, or if it is not visible.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import InvalidRegionError
from botocore.utils import validate_region_name
from hypothesis import given, strategies

from beaker_dynamodb.config import parsers
from beaker_dynamodb.config.options import OPTIONS
from beaker_dynamodb.config.sources import configure, parse
from beaker_dynamodb.dynamodb.client import get_client
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.migration.source_options import validate_source
from beaker_dynamodb.ops.application import find_mistakes
from beaker_dynamodb.provisioning.spec import table_spec
from tests.config.test_option_values import TABLE_OF_CASES, TOGETHER, kind_of
from tests.dynamodb.doubles import catch_error

#: Each option, and a text that it accepts.
TEXTS = {
    name: next(value for value, _ in case[1] if isinstance(value, str))
    for name, case in TABLE_OF_CASES.items()
}
SOURCE_OPTIONS = ("migrate_from.url", "migrate_from.data_dir", "migrate_from.sa.url")
COMMENTS = ("  ; note", " # note", "\t#note", " ;", "\n# note", "\n; a # b", " ## http://x/#y")
NAMES = [(name, comment) for name in (*OPTIONS, *SOURCE_OPTIONS) for comment in COMMENTS]


def catch_option_error(given: dict[str, object], name: str) -> str:
    """Parse options that are refused; return the error message."""
    error = catch_error(lambda: parse(given, kind_of(name)))
    assert type(error) is OptionError
    return str(error)


@pytest.mark.parametrize(("name", "comment"), NAMES)
def test_no_option_accepts_a_comment_after_its_value(name: str, comment: str) -> None:
    """A table whose key is named `id  ; the default` could not be changed later."""
    text = TEXTS.get(name, "redis://host/0")
    rest = {"migrate_from": "ext:redis"} if name in SOURCE_OPTIONS else TOGETHER.get(name, {})
    message = catch_option_error({**rest, name: text + comment}, name)

    assert repr(name) in message
    assert "looks like a comment" in message
    assert "ini files have no comments after a value: put it on a line of its own" in message
    parse({**rest, name: text}, kind_of(name))


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("comment", ["# none", "; eu-west-1", "#default"])
def test_a_comment_without_a_value_is_refused(name: str, comment: str) -> None:
    """The value of `range_key = # none` begins with the comment."""
    assert "looks like a comment" in catch_option_error({name: comment}, name)


@given(
    name=strategies.sampled_from([*OPTIONS, *SOURCE_OPTIONS]),
    space=strategies.text(" \t\n\r\f\v\xa0\u2003", min_size=1, max_size=3),
    mark=strategies.sampled_from("#;"),
    note=strategies.text(max_size=9),
    before=strategies.text(max_size=5),
)
def test_a_comment_of_any_text_is_refused(
    name: str, space: str, mark: str, note: str, before: str
) -> None:
    """The value before it may be any text, too."""
    assert "looks like a comment" in catch_option_error(
        {name: f"x{before}{space}{mark}{note}"}, name
    )


@pytest.mark.parametrize("comment", ["  ; note", " # note"])
def test_a_comment_after_a_url_is_refused(comment: str) -> None:
    """It may follow the table, the value of an option, or the whole url."""
    for url in ("dynamodb://eu-west-1/shop", "dynamodb://r/tab?hash_key=key", "dynamodb:///"):
        assert "looks like a comment" in catch_option_error({"url": url + comment}, "url")
    assert "looks like a comment" in catch_option_error(
        {"url": "dynamodb://r/tab?hash_key=id%20%23x"}, "url"
    )


def test_a_comment_is_refused_in_every_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files of environment variables have no comments after values either."""
    with pytest.raises(OptionError, match="looks like a comment"):
        configure(hash_key="id ; x")
    path = tmp_path / "app.ini"
    path.write_text(
        "[app:main]\nsession.type = ext:dynamodb\nsession.hash_key = id  ; the default\n"
    )
    (found,) = find_mistakes(str(path))
    assert found.name == "session.hash_key"
    assert "looks like a comment" in found.message
    monkeypatch.setenv("BEAKER_DYNAMODB_TTL_ATTRIBUTE", "expires   # as in terraform")
    with pytest.raises(OptionError, match="_TTL_ATTRIBUTE has 'expires   # as in terraform'"):
        parse({"ttl": 7}, "session")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("profile", "team#2"),
        ("profile", "team;old"),
        ("profile", "two words"),
        ("hash_key", "a#b;c d"),
        ("range_key", "x#"),
        ("ttl_attribute", "caf\xe9"),
        ("special_keys", "user#id:S, b;c:N"),
        ("aws_secret_access_key", "a#b;c+/="),
        ("client", "my.app:make"),
    ],
)
def test_a_mark_without_white_space_before_it_is_accepted(name: str, value: str) -> None:
    """A profile, a password or an attribute may contain it."""
    rest = TOGETHER.get(name, {})
    assert getattr(parse({name: value, **rest}, "session"), name)


def test_options_of_the_source_backend_may_contain_marks_and_spaces() -> None:
    """A password in a url may contain the marks, and a folder spaces."""
    given = {"migrate_from.url": "redis://:pa#ss;word@host/0", "migrate_from.data_dir": "/a b/c#d"}
    found = dict(parse({"migrate_from": "file", **given}, "session").migrate_from_options)

    assert found == {"url": "redis://:pa#ss;word@host/0", "data_dir": "/a b/c#d"}
    validate_source("file", found)


def test_a_secret_with_a_comment_after_it_is_not_shown() -> None:
    """This holds for our options and for those of the source backend."""
    for name in (*(n for n, row in OPTIONS.items() if row.secret), *SOURCE_OPTIONS):
        assert "hunter2" not in catch_option_error({name: "hunter2 # the old one"}, name)


ATTRIBUTES = ("hash_key", "range_key", "ttl_attribute", "special_keys")


@pytest.mark.parametrize("name", ATTRIBUTES)
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("x" * 256, "at most 255 bytes in UTF-8: it has 256"),
        ("\xe9" * 128, "at most 255 bytes in UTF-8: it has 256"),
        ("i\x00d", r"it holds '\x00'"),
        ("i\x7fd", r"it holds '\x7f'"),
        ("id\u200b", r"it holds '\u200b'"),
        ("\ufeffid", r"it holds '\ufeff'"),
        ("i\ud800d", r"it holds '\ud800'"),
        ("https://user:word@host", "not a URL with a user or a password"),
    ],
)
def test_an_attribute_that_is_invalid_or_invisible_is_refused(
    name: str, value: str, why: str
) -> None:
    """DynamoDB takes 1 to 255 bytes of UTF-8; an invisible character was copied by mistake."""
    assert why in catch_option_error(
        {name: {value: "S"} if name == "special_keys" else value}, name
    )


@pytest.mark.parametrize("name", ["hash_key", "range_key", "ttl_attribute"])
@pytest.mark.parametrize("value", ["x" * 255, "\xe9" * 127, "two words", "a#b;c", "i.d-"])
def test_dynamodb_accepts_every_attribute_that_is_accepted_here(
    name: str, value: str, dynamodb_local: str, table_name: str
) -> None:
    """Both as a key and as the attribute of TTL."""
    options = parse({name: value, "table": table_name, "endpoint_url": dynamodb_local}, "session")
    expected, client = table_spec(options), get_client(options)
    client.call("CreateTable", expected.to_create_request())
    ttl = {"Enabled": True, "AttributeName": options.ttl_attribute}
    client.call("UpdateTimeToLive", {"TableName": table_name, "TimeToLiveSpecification": ttl})
    found = client.call("DescribeTable", {"TableName": table_name}).body["Table"]

    assert value in {options.ttl_attribute, *(key["AttributeName"] for key in found["KeySchema"])}


def test_dynamodb_refuses_attributes_of_256_bytes(dynamodb_local: str, table_name: str) -> None:
    """The limit is in bytes, not in characters."""
    options = parse({"table": table_name, "endpoint_url": dynamodb_local}, "session")
    request = table_spec(options).to_create_request()
    for name in ("x" * 256, "\xe9" * 128):
        request["KeySchema"] = [{"AttributeName": name, "KeyType": "HASH"}]
        request["AttributeDefinitions"] = [{"AttributeName": name, "AttributeType": "S"}]
        error = catch_error(lambda: get_client(options).call("CreateTable", request))
        assert "ValidationException" in str(error)


@given(strategies.text("abAZ09-_. \xe9/", min_size=1, max_size=70))
def test_exactly_the_regions_that_boto3_accepts_are_accepted(name: str) -> None:
    """Any other region would be an error at each request."""
    try:
        validate_region_name(name.strip())
        allowed = bool(name.strip())
    except InvalidRegionError:
        allowed = False
    try:
        assert parsers.parse_region(name) == name.strip()
        accepted = True
    except parsers.BadValue:
        accepted = False

    assert accepted is allowed


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("region", "eu west 1", "letters, digits and '-'"),
        ("region", "https://x", "letters, digits and '-'"),
        ("profile", "a\nb", r"it holds '\n'"),
        ("aws_access_key_id", "AK IA", "without white space"),
        ("aws_secret_access_key", "caf\xe9", "of ASCII characters"),
        ("migrate_from", "ext: redis", "without white space"),
        ("client", "my.app make", "without white space"),
        ("serializer", "json,\xa0pickle", "it holds"),
        ("endpoint_url", "https://user:word@host", "without user and password"),
        ("table", "arn:aws:dynamodb:eu-west-1:12:table/x", "an ARN such as"),
    ],
)
def test_an_invalid_name_is_refused_with_the_reason(name: str, value: str, why: str) -> None:
    """It is refused at once, not at the first request."""
    rest = TOGETHER.get(name, {})
    assert why in catch_option_error({name: value, **rest}, name)
