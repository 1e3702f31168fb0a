"""Mutants of `sessions/` and of `migrate_from`: where they are made, which survive, and why."""

from __future__ import annotations

from typing import Final

from tests.mutants.group import Group

_SURVIVORS: Final[dict[str, tuple[int, str]]] = {}

_LIFETIMES: Final = "tests/sessions/test_lifetimes.py"
GROUP: Final = Group(
    files=("beaker_dynamodb/sessions/*.py", "beaker_dynamodb/migration/on_demand.py"),
    tests=(
        "tests/sessions",
        "tests/migration/test_migrate_from.py",
        "tests/migration/test_migrate_races.py",
        "tests/migration/test_migrate_faults.py",
        "tests/migration/test_migrate_garbage.py",
        "tests/migration/test_memory.py",
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
