"""The model itself: deliberate defects in the package are found, within a bounded search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from beaker_dynamodb.dynamodb import user_rows
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.item.decide import Delete
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.refusal import AlreadyApplied, Next, RefusedSave, after_refusal
from beaker_dynamodb.migration.on_demand import LegacySession
from beaker_dynamodb.sessions import outage, saving
from tests.stateful.conftest import MakeBench
from tests.stateful.runs import make_settings
from tests.stateful.sessions import make_machine

pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
#: Examples in which each defect must be found.
MAX_EXAMPLES = 200


def drop_condition(patch: pytest.MonkeyPatch) -> None:
    """Write whatever is stored."""

    def put(table: Table, record: Record, condition: object) -> None:
        table.replace(record)

    patch.setattr(Table, "put", put)


def delete_once(patch: pytest.MonkeyPatch) -> None:
    """Let a delete be refused by a change, and take it for done."""

    def decide(refused: RefusedSave) -> Next:
        is_delete = isinstance(refused.write, Delete)
        return AlreadyApplied() if is_delete else after_refusal(refused)

    patch.setattr(saving, "after_refusal", decide)


def skip_tombstone(patch: pytest.MonkeyPatch) -> None:
    """Delete the row alone: the session is still in the backend that it came from."""

    def delete(session: LegacySession, key: Any, condition: Any, old: Any, **kind: Any) -> Any:
        return session._rows.delete(key, condition, old)

    patch.setattr(LegacySession, "delete_with_tombstone", delete)


def merge_nothing(patch: pytest.MonkeyPatch) -> None:
    """Write ours over theirs."""
    patch.setattr(saving, "merge_contents", lambda envelope, base, ours, theirs: ours)


def take_a_failure_for_a_miss(patch: pytest.MonkeyPatch) -> None:
    """Read a row that cannot be read as a missing one."""
    read = Rows.read

    def read_or_miss(*args: Any, **more: Any) -> Any:
        try:
            return read(*args, **more)
        except Exception:  # noqa: BLE001  # the defect
            return None

    patch.setattr(Rows, "read", read_or_miss)


def switch_off_the_outage_rule(patch: pytest.MonkeyPatch) -> None:
    """Let Beaker begin a new session in place of one that could not be loaded."""
    patch.setattr(outage, "refuse_in_place_of_another", lambda load: None)


def end_nothing_from_elsewhere(patch: pytest.MonkeyPatch) -> None:
    """Say that a session of the user has ended, and delete nothing."""
    patch.setattr(user_rows, "delete_until_gone", lambda rows, row, is_wanted: True)


DEFECTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], bool, bool]] = {
    "conditional write dropped": (drop_condition, False, False),
    "delete not repeated": (delete_once, False, False),
    "tombstone skipped": (skip_tombstone, False, True),
    "theirs not merged": (merge_nothing, True, False),
    "failed load taken for a miss": (take_a_failure_for_a_miss, True, False),
    "nothing ended from elsewhere": (end_nothing_from_elsewhere, True, False),
    "outage rule off": (switch_off_the_outage_rule, False, False),
}


@pytest.mark.long
@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found(
    name: str, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search is the same in each run, and ends at the first violation."""
    defect, strict, migrate = DEFECTS[name]
    bench = make_bench("wire", strict, migrate)
    defect(monkeypatch)
    machine = make_machine(bench, strict=strict)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            machine, settings=make_settings(MAX_EXAMPLES, derandomize=True, shrink=False)
        )
    print(name, dict(bench.figures))
