"""A whole configuration in one line: `url`."""

from __future__ import annotations

import base64

import pytest

from beaker_dynamodb.config.sources import Kind, parse
from beaker_dynamodb.errors import OptionError

#: A key of 32 bytes whose base64 is mostly plus signs.
PLUSES = base64.b64decode("+/" * 21 + "8=")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("dynamodb://eu-west-1/tab", {"region": "eu-west-1", "table": "tab"}),
        (" dynamodb://eu-west-1/tab/ ", {"region": "eu-west-1", "table": "tab"}),
        ("DynamoDB://eu-west-1/tab", {"region": "eu-west-1", "table": "tab"}),
        ("dynamodb:///tab", {"region": None, "table": "tab"}),
        ("dynamodb://eu-west-1", {"region": "eu-west-1", "table": "sessions"}),
        ("dynamodb://us-gov-west-1?ttl=5", {"region": "us-gov-west-1", "ttl": 5.0}),
        ("dynamodb:///", {"region": None, "table": "sessions"}),
        ("dynamodb:///my%2Dtable", {"table": "my-table"}),
        ("dynamodb://r/tab?ttl=2h&compress=no", {"ttl": 7200.0, "compress": False}),
        ("dynamodb://r/tab?special_keys=a%3AN%2Cb", {"special_keys": (("a", "N"), ("b", "S"))}),
        (f"dynamodb://r/tab?encryption_keys={'+/' * 21}8=", {"encryption_keys": (PLUSES,)}),
        ("dynamodb://r/tab?ttl=", {"ttl": 2_592_000.0}),
        ("dynamodb://r/tab?region_name=s", {"region": "r"}),
        ("dynamodb://r/tab?", {"table": "tab"}),
        ("redis://host/t?ttl=5", {"table": "sessions", "ttl": 2_592_000.0}),
        ("mysql://user:word@host/t", {"table": "sessions"}),
        ("127.0.0.1:11211", {"table": "sessions"}),
    ],
)
def test_a_url_sets_several_options(url: str, expected: dict[str, object]) -> None:
    """It is `dynamodb://REGION/TABLE?option=value`; one of another scheme sets nothing."""
    found = parse({"url": url}, "session")

    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    "url",
    [
        "dynamodb://r/tab/u",
        "dynamodb://myapp-sessions",
        "dynamodb://sessions?ttl=5",
        "dynamodb://r/tab#x",
        "dynamodb:/r/tab",
        "dynamodb:r/tab",
        "dynamodb",
        "dynamo://r/tab",
        "DynamDB:r",
        "dynamodb://r/tab?x",
        "dynamodb://r/tab?=x",
        "dynamodb://r/tab?ttl=5&ttl=6",
        "dynamodb://r/tab?ttl=x",
        "dynamodb://r/tab?tabel=x",
        5,
        b"x",
    ],
)
def test_a_malformed_url_is_an_error(url: object) -> None:
    """Too many parts, options without value or given twice, bad or unknown ones: OptionError."""
    with pytest.raises(OptionError, match=r"'url'|'ttl'|'tabel'"):
        parse({"url": url}, "session")


@pytest.mark.parametrize(("kind", "lines"), [("session", 1), ("cache", 0)])
def test_a_url_of_another_backend_is_logged_once_for_sessions(
    kind: Kind, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A session's url may be a mistake; pyramid_beaker passes cache.url to all caches."""
    for table in ("one", "two"):
        parse({"url": "redis://:secret@host", "table": table}, kind)

    assert [line.partition(" is ")[0] for line in caplog.messages] == ["option 'url'"] * lines
    assert "secret" not in caplog.text
