"""The steps of `table create` on an existing table, by scripted responses; differing features."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from typing import Any

import pytest

from beaker_dynamodb.errors import Refused, TableMissing, Unavailable
from beaker_dynamodb.provisioning import tables
from beaker_dynamodb.provisioning.description import Description, Expiry, compare
from beaker_dynamodb.provisioning.provision import Waiter
from beaker_dynamodb.provisioning.spec import Features, Index, TableSpec
from beaker_dynamodb.runtime import Runtime
from tests.dynamodb.scripted_client import Script, make_description, make_error
from tests.instruments import Clock

ACTUAL = Description.from_response(make_description()["Table"], Expiry("expires", "enabled"))
INDEXED = TableSpec("sessions", indexes=(Index("u-index", "u", "S"), Index("v-index", "v", "S")))


def waiter(clock: Clock) -> Waiter:
    """Return a waiter of 100 seconds by the test clock."""
    return Waiter(100, Runtime(sleep=clock.sleep, monotonic=clock.monotonic))


def update(
    script: Script, expected: TableSpec, actual: Description = ACTUAL
) -> tuple[list[str], list[str]]:
    """Update a table by a test clock; return the steps, and what was told meanwhile."""
    clock, said = Clock(), list[str]()
    steps = tables.update_table(script.client, expected, ACTUAL, said.append, waiter(clock))
    return [str(step) for step in steps], said


def test_indexes_are_added_one_after_the_other() -> None:
    """AWS builds one at a time; the operator reads what is waited for."""
    filling = make_description("UPDATING", {"IndexStatus": "CREATING", "Backfilling": True})
    script = Script(
        DescribeTable=[make_description(), filling, filling, make_description()], UpdateTable={}
    )
    steps, said = update(script, INDEXED)

    assert steps == ["index 'u-index': done", "index 'v-index': done"]
    assert said == ["index 'u-index': the index is being built"] * 2
    assert len(script.asked["UpdateTable"]) == 2


def test_another_operators_change_is_waited_for() -> None:
    """Two operators at once both succeed."""
    script = Script(
        DescribeTable=[make_description(), make_description("UPDATING"), make_description()],
        UpdateTable=[make_error("ResourceInUseException"), {}],
    )
    steps, said = update(script, TableSpec("sessions", features=Features(protection=True)))

    assert steps == ["deletion protection: done"]
    assert said == ["deletion protection: the table is being changed"]


def test_recovery_is_retried_until_a_new_table_accepts_it() -> None:
    """AWS refuses it for a few seconds after the table was created."""
    script = Script(
        DescribeContinuousBackups={},
        UpdateContinuousBackups=[make_error("ContinuousBackupsUnavailableException"), {}],
    )

    steps, _ = update(script, TableSpec("sessions", features=Features(recovery=True)))

    assert steps == ["point-in-time recovery: done"]


def test_a_table_of_another_schema_is_not_changed() -> None:
    """It may belong to another application."""
    assert update(Script(), TableSpec("sessions", "other", indexes=INDEXED.indexes)) == ([], [])


def test_an_unexpected_refusal_is_raised() -> None:
    """Only UnknownOperationException means that a server does not support the operation."""
    for expected, answers in (
        (
            INDEXED,
            {"DescribeTable": make_description(), "UpdateTable": make_error("ValidationException")},
        ),
        (
            TableSpec("sessions", features=Features(recovery=True)),
            {"DescribeContinuousBackups": {}, "UpdateContinuousBackups": make_error("X")},
        ),
        (
            TableSpec("sessions", features=Features(tags=(("a", "b"),))),
            {"ListTagsOfResource": {}, "TagResource": make_error("X")},
        ),
    ):
        with pytest.raises(Refused):
            update(Script(**answers), expected)


def test_a_change_that_the_server_does_not_support_is_skipped() -> None:
    """The step says so, and the next one follows."""
    script = Script(
        DescribeTable=make_description(), UpdateTable=make_error("UnknownOperationException")
    )
    both = Features(protection=True, max_read_units=5)

    assert update(script, TableSpec("sessions", features=both))[0] == [
        "deletion protection: not supported by this server; skipped",
        "limit of units: not supported by this server; skipped",
    ]


def test_a_change_that_is_always_refused_ends_after_the_timeout() -> None:
    """AWS's last refusal is raised."""
    script = Script(
        DescribeTable=make_description(), UpdateTable=make_error("ResourceInUseException")
    )

    with pytest.raises(Refused):
        update(script, TableSpec("sessions", features=Features(protection=True)))


def test_the_wait_ends_if_the_table_is_deleted_or_never_active() -> None:
    """Another operator deletes it, or building an index takes longer than the timeout."""
    gone = make_error("ResourceNotFoundException", TableMissing)
    with pytest.raises(TableMissing, match="deleted meanwhile"):
        update(Script(DescribeTable=[make_description("UPDATING"), gone], UpdateTable={}), INDEXED)

    filling = make_description("UPDATING", {"IndexStatus": "CREATING", "Backfilling": True})
    with pytest.raises(Unavailable, match="index 'u-index': the table is still being changed"):
        update(Script(DescribeTable=filling, UpdateTable={}), INDEXED)


def test_a_deletion_is_waited_for_until_the_timeout() -> None:
    """Deleting a large table takes AWS a while; the operator reads that."""
    gone = make_error("ResourceNotFoundException", TableMissing)
    for answers, ends in (
        ([make_description("DELETING")] * 2 + [gone], True),
        ([make_description("DELETING")], False),
    ):
        clock, said = Clock(), list[str]()
        script = Script(DeleteTable={}, DescribeTable=answers)

        with nullcontext() if ends else pytest.raises(Unavailable, match="still being deleted"):
            tables.delete_table(script.client, "sessions", said.append, waiter(clock))

        assert set(said) == {"table sessions: being deleted"}
        assert len(said) == 2 or not ends


def test_tags_are_read_to_the_last_page() -> None:
    """A tag on the second page is not set again."""
    pages = [
        {"Tags": [{"Key": "a", "Value": "1"}], "NextToken": "more"},
        {"Tags": [{"Key": "b", "Value": "2"}]},
    ]
    script = Script(ListTagsOfResource=pages)

    assert update(script, TableSpec("s", features=Features(tags=(("b", "2"),))))[0] == []


# Differing features


@pytest.mark.parametrize(
    ("found", "asked", "line"),
    [
        (
            {"protection": False},
            Features(protection=True),
            "warning: deletion protection is off, expected on",
        ),
        (
            {"recovery": None},
            Features(recovery=True),
            "note: point-in-time recovery is unknown, expected on",
        ),
        (
            {"kms_key": None},
            Features(kms_key="alias/k"),
            "warning: encryption is by a key of AWS's own, expected by alias/k",
        ),
        (
            {"kms_key": None, "created": True},
            Features(kms_key="alias/k"),
            "note: encryption is by a key of AWS's own, expected by alias/k",
        ),
        (
            {"limits": (5, None)},
            Features(max_read_units=7),
            "warning: limit of units is 5 read units a second, expected 7 read units a second",
        ),
        ({"tags": None}, Features(tags=(("a", "b"),)), "note: tags is unknown, expected a=b"),
        ({"tags": ()}, Features(tags=(("a", "b"),)), "warning: tags is missing, expected a=b"),
        ({"kms_key": "arn:aws:kms:x:1:key/ab"}, Features(kms_key="ab"), ""),
        ({"kms_key": "arn:aws:kms:x:1:key/ab"}, Features(kms_key="alias/k"), ""),
        ({"recovery": False}, Features(), ""),
    ],
)
def test_a_feature_that_differs(found: dict[str, Any], asked: Features, line: str) -> None:
    """A feature that was not asked for is not compared; one that an emulator ignores is a note."""
    expected = TableSpec("sessions", features=asked)
    actual = dataclasses.replace(ACTUAL, **found)

    assert "\n".join(map(str, compare(actual, expected))) == line
