"""Options that take a dotted path accept the same paths, and refuse the others alike."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from beaker_dynamodb.config.options import OPTIONS
from beaker_dynamodb.config.parsers import import_object, parse_object
from beaker_dynamodb.config.sources import Kind, parse
from beaker_dynamodb.dynamodb.client import get_client
from beaker_dynamodb.dynamodb.rows import build_rows
from beaker_dynamodb.errors import OptionError
from tests.dynamodb.doubles import catch_error


class Both:
    """A client and a serializer at once, as far as the options check them."""

    get_item = staticmethod(len)
    dumps = staticmethod(bytes)
    loads = staticmethod(bytes)


THING = Both()
FOLDER = SimpleNamespace(thing=THING)


def use_client(path: str) -> object:
    """Return the client that option `client` names."""
    client = get_client(parse({"client": path, "region": "us-east-1"}, "session"))
    return client.inspect(lambda clients: clients.boto3)


def use_serializer(path: str) -> object:
    """Return the `loads` of the serializer that option `serializer` names."""
    kind: Kind = "cache"
    options = parse({"serializer": path, "region": "us-east-1"}, kind)
    return build_rows(options, kind).serializer.loads


USES = {"client": use_client, "serializer": use_serializer}
PATHS = tuple(
    f"{__name__}{path}" for path in (":THING", ".THING", ":FOLDER.thing", ".FOLDER.thing")
)


def test_every_option_that_takes_a_path_is_tested_here() -> None:
    """The options whose parser keeps objects are those that also take a path."""
    assert set(USES) == {name for name, row in OPTIONS.items() if row.parser is parse_object}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("option", USES)
def test_a_path_may_have_a_colon_or_a_period_before_the_attribute(option: str, path: str) -> None:
    """`package.module:attribute` and `package.module.attribute` name the same object."""
    assert USES[option](path) is {"client": THING, "serializer": bytes}[option]


@pytest.mark.parametrize("path", ["no_such_module:x", f"{__name__}:nothing", "nonsense", "a..b:c"])
@pytest.mark.parametrize("option", USES)
def test_a_path_that_cannot_be_imported_is_refused_alike(option: str, path: str) -> None:
    """The error names the option and the path, and keeps no other exception."""
    error = catch_error(lambda: USES[option](path))

    assert type(error) is OptionError
    assert f"option {option!r} has {path!r}; expected " in str(error)
    assert "'package.module:attribute', that this process can import" in str(error)
    assert error.__context__ is error.__cause__ is None


def test_an_error_inside_the_imported_module_is_not_hidden(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that fails for reasons of its own fails with its own error."""
    (tmp_path / "failing_module.py").write_text("1 / 0\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ZeroDivisionError):
        import_object("failing_module:client", "client")
