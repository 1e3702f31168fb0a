"""The steps of `table create`, on a table that is slow, refused or somebody else's; differences."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from typing import Any

import pytest

from beaker_dynamodb.errors import Refused, TableMissing, Unavailable
from beaker_dynamodb.provisioning import update
from beaker_dynamodb.provisioning.description import Description, Expiry
from beaker_dynamodb.provisioning.diff import differences
from beaker_dynamodb.provisioning.features import Features
from beaker_dynamodb.provisioning.provision import Patience
from beaker_dynamodb.provisioning.spec import Index, TableSpec
from tests.dynamodb.scripted_client import Script, refused, told
from tests.instruments import Clock

IS = Description.of(told()["Table"], Expiry("expires", "enabled"))
INDEXED = TableSpec("sessions", indexes=(Index("u-index", "u", "S"), Index("v-index", "v", "S")))


def equip(script: Script, ought: TableSpec, is_: Description = IS) -> tuple[list[str], list[str]]:
    """Equip a table by a hand-wound clock; return the steps and what was told meanwhile."""
    clock, said = Clock(), list[str]()
    patience = Patience(100, clock.sleep, clock.monotonic)
    steps = update.equip(script.client, ought, is_, said.append, patience)
    return [str(step) for step in steps], said


def test_the_next_index_waits_until_the_one_before_is_active() -> None:
    """AWS takes one at a time; whoever waits is told what for."""
    filling = told("UPDATING", {"IndexStatus": "CREATING", "Backfilling": True})
    script = Script(DescribeTable=[told(), filling, filling, told()], UpdateTable={})
    steps, said = equip(script, INDEXED)

    assert steps == ["index 'u-index': done", "index 'v-index': done"]
    assert said == ["index 'u-index': the index is being built"] * 2
    assert len(script.asked["UpdateTable"]) == 2


def test_a_change_by_somebody_else_is_waited_for() -> None:
    """Two operators at once: both succeed."""
    script = Script(
        DescribeTable=[told(), told("UPDATING"), told()],
        UpdateTable=[refused("ResourceInUseException"), {}],
    )
    steps, said = equip(script, TableSpec("sessions", features=Features(protection=True)))

    assert steps == ["deletion protection: done"]
    assert said == ["deletion protection: the table is being changed"]


def test_recovery_is_asked_for_until_a_new_table_takes_it() -> None:
    """Right after its creation AWS refuses for a few seconds."""
    script = Script(
        DescribeContinuousBackups={},
        UpdateContinuousBackups=[refused("ContinuousBackupsUnavailableException"), {}],
    )

    steps, _ = equip(script, TableSpec("sessions", features=Features(recovery=True)))

    assert steps == ["point-in-time recovery: done"]


def test_a_table_of_another_schema_is_left_alone() -> None:
    """It may be another application's."""
    assert equip(Script(), TableSpec("sessions", "other", indexes=INDEXED.indexes)) == ([], [])


def test_a_refusal_that_nobody_expects_is_not_swallowed() -> None:
    """Only "I do not know that operation" is a gap of an emulator."""
    for ought, answers in (
        (INDEXED, {"DescribeTable": told(), "UpdateTable": refused("ValidationException")}),
        (
            TableSpec("sessions", features=Features(recovery=True)),
            {"DescribeContinuousBackups": {}, "UpdateContinuousBackups": refused("X")},
        ),
        (
            TableSpec("sessions", features=Features(tags=(("a", "b"),))),
            {"ListTagsOfResource": {}, "TagResource": refused("X")},
        ),
    ):
        with pytest.raises(Refused):
            equip(Script(**answers), ought)


def test_a_server_that_knows_no_change_of_tables_is_no_failure() -> None:
    """It says so, and the next step follows."""
    script = Script(DescribeTable=told(), UpdateTable=refused("UnknownOperationException"))
    both = Features(protection=True, most_reads=5)

    assert equip(script, TableSpec("sessions", features=both))[0] == [
        "deletion protection: not supported by this server; skipped",
        "limit of units: not supported by this server; skipped",
    ]


def test_a_change_that_is_refused_for_ever_ends() -> None:
    """Within the patience, with AWS's own refusal."""
    script = Script(DescribeTable=told(), UpdateTable=refused("ResourceInUseException"))

    with pytest.raises(Refused):
        equip(script, TableSpec("sessions", features=Features(protection=True)))


def test_a_table_that_vanishes_or_never_settles_ends_the_wait() -> None:
    """Somebody deletes it meanwhile, or an index is built for longer than anybody waits."""
    gone = refused("ResourceNotFoundException", TableMissing)
    with pytest.raises(TableMissing, match="deleted meanwhile"):
        equip(Script(DescribeTable=[told("UPDATING"), gone], UpdateTable={}), INDEXED)

    filling = told("UPDATING", {"IndexStatus": "CREATING", "Backfilling": True})
    with pytest.raises(Unavailable, match="index 'u-index': the table is still being changed"):
        equip(Script(DescribeTable=filling, UpdateTable={}), INDEXED)


def test_a_deletion_is_waited_for_and_not_for_ever() -> None:
    """AWS takes its time with a large table; who waits is told, and is not held for ever."""
    gone = refused("ResourceNotFoundException", TableMissing)
    for answers, ends in (([told("DELETING")] * 2 + [gone], True), ([told("DELETING")], False)):
        clock, said = Clock(), list[str]()
        script = Script(DeleteTable={}, DescribeTable=answers)
        patience = Patience(100, clock.sleep, clock.monotonic)

        with nullcontext() if ends else pytest.raises(Unavailable, match="still being deleted"):
            update.remove(script.client, "sessions", said.append, patience)

        assert set(said) == {"table sessions: being deleted"}
        assert len(said) == 2 or not ends


def test_tags_are_read_to_the_last_page() -> None:
    """A tag on the second page is not set once more."""
    pages = [
        {"Tags": [{"Key": "a", "Value": "1"}], "NextToken": "more"},
        {"Tags": [{"Key": "b", "Value": "2"}]},
    ]
    script = Script(ListTagsOfResource=pages)

    assert equip(script, TableSpec("s", features=Features(tags=(("b", "2"),))))[0] == []


# What differs


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
            {"key": None},
            Features(key="alias/k"),
            "warning: encryption is by a key of AWS's own, expected by alias/k",
        ),
        (
            {"key": None, "created": True},
            Features(key="alias/k"),
            "note: encryption is by a key of AWS's own, expected by alias/k",
        ),
        (
            {"ceilings": (5, None)},
            Features(most_reads=7),
            "warning: limit of units is 5 read units a second, expected 7 read units a second",
        ),
        ({"tags": None}, Features(tags=(("a", "b"),)), "note: tags is unknown, expected a=b"),
        ({"tags": ()}, Features(tags=(("a", "b"),)), "warning: tags is missing, expected a=b"),
        ({"key": "arn:aws:kms:x:1:key/ab"}, Features(key="ab"), ""),
        ({"key": "arn:aws:kms:x:1:key/ab"}, Features(key="alias/k"), ""),
        ({"recovery": False}, Features(), ""),
    ],
)
def test_a_feature_that_differs_is_told(found: dict[str, Any], asked: Features, line: str) -> None:
    """What was not asked for is no difference; what an emulator ignores is a note."""
    ought = TableSpec("sessions", features=asked)
    is_ = dataclasses.replace(IS, **found)

    assert "\n".join(map(str, differences(is_, ought))) == line
