"""The tree of errors: none of them looks to Beaker like a missing session."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any

import pytest
from beaker.exceptions import BeakerException

from beaker_dynamodb import errors
from beaker_dynamodb.errors import (
    AccessRefused,
    CallFacts,
    Conflict,
    CorruptItem,
    DynamoDBBackendError,
    ItemTooLarge,
    LoadOrigin,
    OptionError,
    Refused,
    TableError,
    TableMismatch,
    TableMissing,
    Unavailable,
    UnknownFormat,
    digest,
    raise_clean,
)

FACTS = CallFacts("GetItem", "sessions", "eu-west-1", "Throttled", "REQUEST", 3, "KeyRange")
ORIGIN = LoadOrigin(("http://127.0.0.1:8000", "eu-west-1", "sessions"), "0" * 64)
ABSTRACT = (DynamoDBBackendError, TableError)
RAISED: tuple[DynamoDBBackendError, ...] = (
    OptionError("unknown option 'tabel'"),
    TableMissing("no table", call=FACTS),
    TableMismatch("another schema", call=FACTS),
    AccessRefused("dynamodb:GetItem", call=FACTS),
    Unavailable("no answer", call=FACTS),
    Refused("an answer", call=FACTS),
    UnknownFormat("format 9"),
    Conflict("two writers"),
    CorruptItem("01234567", "its checksum is wrong"),
    ItemTooLarge(1001, 1000, item="01234567"),
)


def read_tree() -> dict[str, str | None]:
    """Read the tree in the docstring of errors.py: each class, and the one that it stands under."""
    lines = (inspect.getdoc(errors) or "").splitlines()
    start = lines.index("BeakerException")
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in lines[start:]:
        found = re.fullmatch(r"([ │├└─]*)([A-Z]\w+)(?:  .*)?", line)
        if found is None:
            break
        depth = len(found[1]) // 4
        parents[found[2]] = path[depth - 1] if depth else None
        path[depth:] = [found[2]]
    return parents


def test_the_tree_is_as_drawn() -> None:
    """The docstring's drawing is the hierarchy, whole and exact, and the face of the file."""
    classes = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
    ours = [kind for kind in classes if issubclass(kind, DynamoDBBackendError)]
    tree: dict[str, str | None] = {kind.__name__: kind.__bases__[0].__name__ for kind in ours}

    assert read_tree() == {"BeakerException": None, **tree}
    assert sorted(tree) == sorted(errors.__all__) == errors.__all__
    assert {type(error) for error in RAISED} == set(ours) - set(ABSTRACT)


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_no_error_looks_like_a_missing_session(error: DynamoDBBackendError) -> None:
    """None is a KeyError, TypeError or ValueError: Beaker would begin a new session over it."""
    assert isinstance(error, BeakerException)
    assert not isinstance(error, (KeyError, TypeError, ValueError, LookupError, OSError))


@pytest.mark.parametrize("kind", ABSTRACT)
def test_the_branches_of_the_tree_are_never_raised(kind: type[DynamoDBBackendError]) -> None:
    """The root and TableError refuse to be made: an error always says what it means."""
    with pytest.raises(TypeError, match=kind.__name__):
        kind("text")


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_an_error_survives_a_copy_and_a_pickle(error: DynamoDBBackendError) -> None:
    """Type, text, arguments, facts and findings are kept: error reporters send errors along."""
    error = copy.copy(error)
    error.origin = ORIGIN

    for same in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert same is not error
        assert type(same) is type(error)
        assert (str(same), same.args) == (str(error), error.args)
        assert vars(same) == vars(error)
        assert (same.call, same.origin) == (error.call, ORIGIN)


def test_an_error_says_what_it_found() -> None:
    """Findings are attributes: sizes, a digest, theirs; and theirs is not in the text."""
    conflict = Conflict("two writers")
    assert conflict.theirs is None
    conflict.theirs = "secret"
    large, corrupt = ItemTooLarge(2_000, 1_000), CorruptItem("01234567", "its checksum is wrong")

    assert "secret" not in f"{conflict} {conflict!r} {conflict.args}"
    assert copy.copy(conflict).theirs == "secret"
    assert (large.size, large.limit) == (2_000, 1_000)
    assert "2,000 bytes are more than the limit of 1,000" in str(large)
    assert "max_value_size" in str(large)
    assert str(ItemTooLarge(2, 1, item="01234567")).startswith("item 01234567: 2 bytes")
    assert (corrupt.item, corrupt.wrong) == ("01234567", "its checksum is wrong")
    assert str(corrupt) == "item 01234567 cannot be read: its checksum is wrong"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (CallFacts("GetItem"), "GetItem"),
        (CallFacts("GetItem", "sessions"), "GetItem, table sessions"),
        (CallFacts("GetItem", attempts=0), "GetItem"),
        (CallFacts("GetItem", attempts=3), "GetItem, attempts 3"),
        (
            FACTS,
            (
                "GetItem, table sessions, region eu-west-1, code Throttled, throttled by KeyRange,"
                " attempts 3, request REQUEST"
            ),
        ),
    ],
)
def test_an_operator_reads_the_facts_of_the_call(facts: CallFacts, expected: str) -> None:
    """The facts that are known stand in a fixed order at the end of the message."""
    error = Unavailable("no answer", call=facts)

    assert str(facts) == expected
    assert str(error) == f"no answer ({expected})"
    assert error.call == facts
    assert str(Unavailable("no answer")) == "no answer"
    assert Unavailable("no answer").call is None


@pytest.mark.parametrize("text", ["", "a", "sess:" + "a" * 5000, "caf\xe9", "\ud800", "\0"])
def test_a_digest_names_an_id_without_showing_it(text: str) -> None:
    """A digest is 8 hex digits, or as many as asked for, of any text at all, always the same."""
    assert re.fullmatch("[0-9a-f]{8}", digest(text))
    assert digest(text) == digest(text, 64)[:8]
    assert len(digest(text, 64)) == 64
    assert digest(text) != digest(text + "x")


def test_an_error_that_a_server_raises_anew_says_the_same() -> None:
    """WSGI hands on class, error and traceback; some raise the class with the error in it."""
    first = Unavailable("nobody answers")
    kind: Any = type(first)
    again = kind(first)  # as apig_wsgi does

    assert str(again) == str(first)


def test_an_error_raised_clean_holds_nothing_of_the_exception_that_was_handled() -> None:
    """Neither as a context or cause, nor in a variable of a frame of its traceback."""
    secret = ValueError("a user's data")

    def load() -> None:
        try:
            raise secret
        except ValueError as error:
            raise_clean(Unavailable(type(error).__name__))

    with pytest.raises(Unavailable, match="ValueError") as caught:
        load()
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)
    frames = [entry.frame for entry in caught.traceback if entry.name == "load"]
    assert [frame.f_locals.get("error") for frame in frames] == [None]
