"""Mutants of `sessions/` and of `migrate_from`: where they are made, which survive, and why.

The list is not complete: docs/verification.md says how many have run. Until all have, the long test
of this group fails, and prints those that are not listed.
"""

from __future__ import annotations

from typing import Final

from tests.mutants.group import SHORTCUT, SPELLING, Group

TRUTH: Final = "it is read as a truth value, and None is false, too"
EPOCH: Final = "no session began, or was used, in the first second of 1970"

_SURVIVORS: Final = {
    # saving.py
    "value = None": (1, "a text without characters counts as none"),
    'return (value or b"").decode("utf-8", "surrogatepass")': (1, SPELLING),
    "self._is_first = False": (1, TRUTH),
    "has_start = prior is not None and not prior.rev.startswith(NO_START) and not state.restarts": (
        1,
        SHORTCUT,
    ),
    "start = None": (1, "it is not used if the row has a start"),
    "promoted = self._promote(write, content, old) if self.rows.schema.special else {}": (
        1,
        SHORTCUT,
    ),
    "rev, prev = prior.advance_rev(token, None if has_start else start)": (
        1,
        "the start is that of the row itself",
    ),
    'loaded = "" if state.row is None else state.row.pending': (
        1,
        "a note is removed only if its row was loaded",
    ),
    # store.py
    'state = self._state(None, Content("", {}), None)': (4, "a Delete writes nothing of it"),
    # strict.py
    "self._has_row = False": (1, TRUTH),
    "self._has_row = self._may_have_row = False": (1, TRUTH),
    # touches.py
    "if rows.runtime.monotonic() >= paused_until.get((table.client, table.name), 0.0):": (
        1,
        "no machine has been running for less than a second",
    ),
    # user_sessions.py
    'options = sources.parse(remove_beakers(selected, "session"), "session")': (
        3,
        "whatever is not the kind of caches counts as sessions",
    ),
    "return 0.0, last_seen or 0.0, row.key.hash": (2, EPOCH),
}

_LIFETIMES: Final = "tests/sessions/test_lifetimes.py"
GROUP: Final = Group(
    files=("beaker_dynamodb/sessions/*.py", "beaker_dynamodb/migration/on_demand.py"),
    tests=(
        "tests/sessions",
        "tests/migration/test_on_demand.py",
        "tests/migration/test_migrate_from.py",
        "tests/migration/test_migrate_races.py",
        "tests/migration/test_migrate_faults.py",
        "tests/migration/test_migrate_garbage.py",
        "tests/migration/test_memory.py",
        "tests/migration/test_no_unpickling.py::test_an_old_pickle_is_not_read_where_sessions_are_json",
    ),
    left_out=(  # they take minutes
        "tests/sessions/test_outage.py::test_a_killed_server_logs_nobody_out",
        f"{_LIFETIMES}::test_a_session_that_is_visited_all_the_time_ends_at_its_hour",
        "tests/sessions/test_two_configurations.py",
        "tests/sessions/test_payload_security.py",
        "tests/sessions/test_payload_hygiene.py",
        "tests/sessions/test_devices_example.py",
        "tests/sessions/test_outage_patience.py",
        "tests/sessions/test_altered_rows.py",
    ),
    survivors=_SURVIVORS,
)
