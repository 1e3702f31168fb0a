"""Each option takes texts and Python values, and names what it expects instead of others."""

from __future__ import annotations

import base64
from datetime import datetime, timezone
from urllib.parse import urlsplit

import hypothesis
import pytest
from botocore import utils
from hypothesis import strategies as st

from beaker_dynamodb.config.options import DAY, MB, OPTIONS
from beaker_dynamodb.config.sources import Kind, parse
from beaker_dynamodb.errors import OptionError

KEY, OTHER_KEY = bytes(range(32)), bytes(range(32, 64))
KEY_TEXT, OTHER_TEXT = (base64.b64encode(key).decode() for key in (KEY, OTHER_KEY))


class Thing:
    """Any object of an application."""


THING = Thing()

#: The default, pairs of a given and a parsed value, bad values, and a part of the error message.
Case = tuple[object, list[tuple[object, object]], list[object], str]

Shared = tuple[list[tuple[object, object]], list[object], str]
TEXT: Shared = (
    [("x", "x"), (" x ", "x")],
    [5, True, b"x", ["x"]],
    "a text",
)
BOOLEAN: Shared = (
    [
        *((word, True) for word in ("true", "True", "yes", "on", "1", " y ", "t", True, 1)),
        *((word, False) for word in ("false", "FALSE", "no", "off", "0", "n", "f", False, 0)),
    ],
    ["maybe", "2", 2, "truee", [True]],
    "true or false",
)
WHOLE: Shared = (
    [("5", 5), (5, 5), (" 7 ", 7), ("1", 1)],
    ["0", "-1", 0, "x", 1.5, "1.5", True, [5], "9" * 5000, 10**20, str(10**20)],
    "a whole number of at least 1 and at most ",
)
SECONDS: Shared = (
    [
        ("5", 5.0),
        (5, 5.0),
        (2.5, 2.5),
        ("90s", 90.0),
        ("15m", 900.0),
        ("2H", 7200.0),
        ("30 d", 30.0 * DAY),
        ("1.5h", 5400.0),
    ],
    ["-1", -1, "x", "5w", "h", True, float("nan"), float("inf"), [5], "1e3", "9" * 400],
    "a duration",
)
ALSO_ZERO = ([*SECONDS[0], ("0", 0.0), (0, 0.0)], SECONDS[1], "a duration")
WAIT = (
    [pair for pair in SECONDS[0] if pair[1] != 30.0 * DAY] + [("1d", float(DAY))],
    [*SECONDS[1], "25h", DAY + 1, "30d"],
    "a duration",
)
POSITIVE_SECONDS: Shared = (SECONDS[0], [*SECONDS[1], 0, "0", "0s"], "a duration")
POSITIVE_WAIT = (WAIT[0], [*WAIT[1], 0, "0", "0s"], "a duration")
SIZE: Shared = (
    [("5", 5), ("1024MB", 1024 * MB), (5, 5), ("64KB", 65536), ("16 mb", 16 * MB), ("7B", 7)],
    ["0", 0, -5, "5GB", "x", True, 5.5, "5.5", [5], 1024 * MB + 1, "1025MB", "9" * 18 + "MB"],
    "a size above zero",
)
ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/shop"
TABLE_OF_CASES: dict[str, Case] = {
    "table": (
        "sessions",
        [("shop", "shop"), (" a.b-c_9 ", "a.b-c_9"), (ARN, ARN), ("t" * 255, "t" * 255)],
        ["ab", "t" * 256, "my table", "a/b", "caf\xe9", "arn:a b", 5, b"tab"],
        "expected",
    ),
    "region": (None, *TEXT),
    "profile": (None, *TEXT),
    "endpoint_url": (
        None,
        [
            (" embedded ", "embedded"),
            ("Embedded", "embedded"),
            *(
                (url, url)
                for url in (
                    "http://127.0.0.1:8000",
                    "http://[::1]:8000/path/",
                    "https://dynamodb.eu-west-1.amazonaws.com.",
                    "HTTP://localhost:65535",
                )
            ),
        ],
        [
            *("localhost:8000", "http://", 5, True, b"http://x", ["http://x"]),
            *("http://[", "http://[::1", "http://a:65536", "http://a:x", "http://a:-1"),
            *("http://a:80:80", "http://..", "http://a..b", f"http://{'a' * 64}", "http://*"),
            *("http:///x", "http://:80", "http://\N{ACCOUNT OF}", "http://a\\b", "http://a_b"),
            *("http://-a-", f"http://{'a.' * 128}", "http://[x]"),
        ],
        "http://",
    ),
    "aws_access_key_id": (None, *TEXT),
    "aws_secret_access_key": (None, *TEXT),
    "aws_session_token": (None, *TEXT),
    "client": (None, [(THING, THING), (" my.app:make ", "my.app:make"), (len, len)], [], ""),
    "transport": ("auto", [("auto", "auto"), (" BOTO3 ", "boto3")], ["x", 5], "boto3"),
    "connect_timeout": (1.0, *POSITIVE_WAIT),
    "read_timeout": (2.0, *POSITIVE_WAIT),
    "max_attempts": (3, [*WHOLE[0], ("100", 100)], [*WHOLE[1], 101, "101"], WHOLE[2]),
    "max_pool_connections": (50, [*WHOLE[0], (10_000, 10_000)], [*WHOLE[1], 10_001], WHOLE[2]),
    "hash_key": ("id", *TEXT),
    "range_key": (None, [*TEXT[0], ("none", None)], *TEXT[1:]),
    "prefix": (
        "sess:",
        [("app:", "app:"), (" a.b-c_9: ", "a.b-c_9:")],
        ["app", ":", "a:b:", "a b:", "a:b", "caf\xe9:", "a#:", 5, b"a:"],
        "one colon",
    ),
    "ttl_attribute": ("expires", *TEXT),
    "ttl": (30.0 * DAY, *ALSO_ZERO),
    "touch_after": (None, *ALSO_ZERO),
    "max_age": (None, [*POSITIVE_SECONDS[0], ("none", None)], *POSITIVE_SECONDS[1:]),
    "created_after": (
        None,
        [
            ("2026-11-28T12:00Z", 1795867200.0),
            (" 2026-11-28 13:00:00+01:00 ", 1795867200.0),
            (datetime(2026, 11, 28, 12, tzinfo=timezone.utc), 1795867200.0),
            ("none", None),
        ],
        ["2026-11-28T12:00", "yesterday", "Z", 1795867200],
        "a moment in UTC",
    ),
    "consistent_read": (True, *BOOLEAN),
    "create_table": (True, *BOOLEAN),
    "read_capacity_units": (None, *WHOLE),
    "write_capacity_units": (None, *WHOLE),
    "special_keys": (
        (),
        [
            ("userId", (("userId", "S"),)),
            ("userId:S, visits:n", (("userId", "S"), ("visits", "N"))),
            ("a:B\n b", (("a", "B"), ("b", "S"))),
            ("a:S a:S", (("a", "S"),)),
            (" None ", ()),
            ("none:S", (("none", "S"),)),
            ({"a": "N"}, (("a", "N"),)),
            ([("a", "N"), ("b", "")], (("a", "N"), ("b", "S"))),
            (("a", "b"), (("a", "S"), ("b", "S"))),
            (", ", ()),
            ((), ()),
        ],
        [
            "a:X",
            "a:S:S",
            ":S",
            "a:S a:N",
            5,
            [5],
            [("a",)],
            [("a", "S", "S")],
            {"a": 5},
            {5: "S"},
            {" a": "S"},
        ],
        "names with a type",
    ),
    "require_special_keys": (False, *BOOLEAN),
    "index_special_keys": (
        True,
        [
            *BOOLEAN[0],
            ("userId", ("userId",)),
            (["userId"], ("userId",)),
            ("userId, device userId", ("userId", "device")),
        ],
        [5, 1.5, [5], [""], {"userId": "S"}],
        "true, false, or the names",
    ),
    "on_conflict": (
        "merge",
        [("merge", "merge"), ("OVERWRITE", "overwrite"), (" raise ", "raise")],
        ["x", 5, True],
        "merge or overwrite or raise",
    ),
    "envelope": (
        "auto",
        [("none", "none"), ("auto", "auto"), (" JSON ", "json")],
        ["x", True],
        "auto or json or none",
    ),
    "migrate_from": (
        None,
        [("ext:redis", "ext:redis"), (" file ", "file"), ("None", None)],
        [5, " "],
        "a text",
    ),
    "hash_ids": (False, *BOOLEAN),
    "encryption_keys": (
        (),
        [
            (KEY_TEXT, (KEY,)),
            (f"{KEY_TEXT}, {OTHER_TEXT}", (KEY, OTHER_KEY)),
            (f"{KEY_TEXT}\n{OTHER_TEXT}", (KEY, OTHER_KEY)),
            ([KEY_TEXT, OTHER_KEY], (KEY, OTHER_KEY)),
            ((KEY,), (KEY,)),
            ("none", ()),
            ("None", ()),
            (f"plain {KEY_TEXT}", (b"", KEY)),
            (f"Plain {KEY_TEXT}", (b"", KEY)),
            ([b"", KEY], (b"", KEY)),
        ],
        [
            "x",
            "AAAA",
            KEY_TEXT[:-1],
            KEY_TEXT + "!",
            "caf\xe9",
            ", ",
            5,
            KEY,
            [],
            [KEY[:-1]],
            [1.5],
        ],
        "keys of 32 bytes",
    ),
    "encryption_required": (True, *BOOLEAN),
    "compress": (True, [*BOOLEAN[0], (" Fast ", "fast")], BOOLEAN[1], "true, false or fast"),
    "serializer": ("pickle", [("json", "json"), (THING, THING), (" a.b ", "a.b")], [], ""),
    "max_value_size": (16 * MB, *SIZE),
    "lock": ("table", [("process", "process"), ("Table", "table")], ["x", 5], "table or process"),
    "lock_lease": (15.0, *POSITIVE_WAIT),
    "lock_wait": (20.0, [*WAIT[0], ("0", 0.0), (0, 0.0)], *WAIT[1:]),
    "stale_for": (60.0, *ALSO_ZERO),
    "cache_errors": ("bypass", [("raise", "raise")], ["x", 5], "bypass or raise"),
}
TOGETHER = {
    "read_capacity_units": {"write_capacity_units": "5"},
    "write_capacity_units": {"read_capacity_units": "5"},
    "aws_access_key_id": {"aws_secret_access_key": "s"},
    "aws_secret_access_key": {"aws_access_key_id": "k"},
    "encryption_required": {"encryption_keys": KEY_TEXT},
    "index_special_keys": {"special_keys": "userId, device"},
    "aws_session_token": {"aws_access_key_id": "k", "aws_secret_access_key": "s"},
}


def kind_of(name: str) -> Kind:
    """Return whether the option is tried on a session or a cache."""
    return "cache" if name == "serializer" else "session"


def test_every_option_has_its_cases() -> None:
    """The table here has the options of the table of options, in its order."""
    assert list(TABLE_OF_CASES) == list(OPTIONS)


@pytest.mark.parametrize("name", TABLE_OF_CASES)
def test_an_option_that_is_not_given_has_its_default(name: str) -> None:
    """None and "" mean "not given"."""
    default = TABLE_OF_CASES[name][0]

    for given in ({}, {name: None}, {name: ""}):
        assert getattr(parse(given, "session"), name) == default


@pytest.mark.parametrize(
    ("name", "given", "parsed"),
    [(name, *pair) for name, case in TABLE_OF_CASES.items() for pair in case[1]],
)
def test_an_option_takes_ini_texts_and_python_values(
    name: str, given: object, parsed: object
) -> None:
    """The parsed value and its type are the same for both."""
    found = getattr(parse({name: given, **TOGETHER.get(name, {})}, kind_of(name)), name)

    assert found == parsed
    assert type(found) is type(parsed)


@pytest.mark.parametrize(
    ("name", "bad"),
    [(name, value) for name, case in TABLE_OF_CASES.items() for value in case[2]],
)
def test_a_bad_value_is_refused_with_what_is_expected(name: str, bad: object) -> None:
    """The error names the option, what is expected, and the value, unless it is a secret."""
    with pytest.raises(OptionError) as caught:
        parse({name: bad}, kind_of(name))

    message = str(caught.value)
    assert repr(name) in message
    assert "expected " in message
    assert TABLE_OF_CASES[name][3] in message
    assert (repr(bad) in message) is not OPTIONS[name].secret


PARTS = ("http://", "https://", "HTTP://", "a", "-", ".", "[", "]", "::1", ":", "80", "65536", "%")
MORE_PARTS = ("/", "?", "#", "_", "\N{KELVIN SIGN}", "\N{ARABIC-INDIC DIGIT ONE}", "@", "1.2.3.4")


@hypothesis.given(text=st.lists(st.sampled_from([*PARTS, *MORE_PARTS]), max_size=8).map("".join))
@hypothesis.example(text="http://[::1]")
@hypothesis.example(text="http://[fe80::1%25eth0]:80/")
def test_botocore_accepts_every_endpoint_that_is_accepted_here(text: str) -> None:
    """Otherwise every call would fail, which would look like an outage."""
    try:
        given = parse({"endpoint_url": f"http://{text}"}, "session").endpoint_url
    except OptionError:
        return

    assert given is not None
    assert utils.is_valid_uri(given)
    urlsplit(given).port  # noqa: B018  # raises where it is no port


def test_a_misspelled_word_is_answered_by_the_right_one() -> None:
    """As a misspelled name is."""
    with pytest.raises(OptionError, match=r"auto or json or none; did you mean 'json'\?"):
        parse({"envelope": "jsn"}, "session")
    with pytest.raises(OptionError, match=r"auto or json or none$"):
        parse({"envelope": "pickled"}, "session")
