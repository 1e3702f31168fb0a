"""All options together: defaults, contradictions, and secrets that are not shown."""

from __future__ import annotations

import base64
import dataclasses
import re

import pytest

from beaker_dynamodb.config.options import OPTIONS
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.errors import OptionError

KEY = bytes(range(32))
KEY_TEXT = base64.b64encode(KEY).decode()
SECRETS = {name for name, row in OPTIONS.items() if row.secret}


def test_no_secret_is_shown() -> None:
    """Keys and credentials are in no repr and no error."""
    given: dict[str, object] = dict.fromkeys(SECRETS, KEY_TEXT)
    found = parse(given, "session")

    assert {*given} == {
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "encryption_keys",
    }
    assert KEY_TEXT not in repr(found)
    assert repr(KEY) not in repr(found)
    with pytest.raises(OptionError) as caught:
        parse({"url": f"dynamodb://r/t?encryption_keys=x{KEY_TEXT}"}, "session")
    assert KEY_TEXT not in str(caught.value)


def test_caches_have_defaults_of_their_own() -> None:
    """Caches differ from sessions in the prefix and in `consistent_read`."""
    session, cache = (dataclasses.asdict(parse({}, kind)) for kind in ("session", "cache"))
    differing = {name for name, value in session.items() if cache[name] != value}

    assert differing == {"prefix", "consistent_read"}
    assert (cache["prefix"], cache["consistent_read"]) == ("cache:", False)
    assert parse({"prefix": "a:", "consistent_read": "true"}, "cache").consistent_read
    assert parse({"prefix": "a:"}, "cache").prefix == "a:"


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"hash_key": "data"}, "'data'"),
        ({"hash_key": "expires"}, "'expires'"),
        ({"ttl_attribute": "rev"}, "'rev'"),
        ({"range_key": "id"}, "'id'"),
        ({"range_key": "prev"}, "'prev'"),
        ({"hash_key": "cache_key"}, "'cache_key'"),
        ({"hash_key": " "}, "'hash_key'"),
        *(({"special_keys": name}, repr(name)) for name in ("data", "rev", "prev", "cache_key")),
        *(({"special_keys": f"a, {name}:N"}, repr(name)) for name in ("id", "expires")),
        ({"special_keys": "pk", "hash_key": "pk"}, "'pk'"),
        ({"special_keys": "sk", "range_key": "sk"}, "'sk'"),
        ({"special_keys": "ttl", "ttl_attribute": "ttl"}, "'ttl'"),
        ({"read_capacity_units": "5"}, "'write_capacity_units'"),
        ({"write_capacity_units": "5"}, "'read_capacity_units'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    given: dict[str, object], word: str
) -> None:
    """The error names attributes of one name, or the capacity that is missing."""
    with pytest.raises(OptionError, match=re.escape(word)):
        parse(given, "session")


def test_names_of_renamed_attributes_may_be_special_keys() -> None:
    """With other key names, `id`, `expires` and `session` may be special keys."""
    given = {"hash_key": "pk", "ttl_attribute": "until", "special_keys": "id, expires, session"}

    assert len(parse(given, "session").special_keys) == 3
