"""Mutants of `sessions/` and of `migrate_from`: where they are made, which survive, and why.

docs/verification.md says how they have run: not in one piece, and the survivors in strict.py and
rotation.py not with all tests. Whatever the long test prints beside this list is a gap.
"""

from __future__ import annotations

from typing import Final

from tests.mutants.group import SHORTCUT, SPELLING, Group

TRUTH: Final = "it is read as a truth value, and None is false, too"
EPOCH: Final = "no session began, or was used, in the first second of 1970"
_UNREAD: Final = "it is set before it is read"
_NO_COOKIE: Final = "Beaker sends a cookie only if there is one to be sent"
_LOGGED_OUT: Final = (
    "it differs only for a page that changes a session without saving it, after a new id, and"
    " beside a logout by another request"
)
_SETTINGS: Final = "an application's settings have no key of that name"

_SURVIVORS: Final = {
    # ending.py
    'user, _, name = rest.partition(" ")': (1, "no hash and no special key has a space"),
    # lifetime.py
    "self._configured_timeout: float | None = None": (1, _UNREAD),
    "self._is_configured = False": (1, TRUTH),
    # migration/on_demand.py
    'options.migrate_from or "", options.migrate_from_options, namespace, timeout': (
        2,
        "this is made only under the option; only a write would use the timeout",
    ),
    "ended = theirs if theirs is not None and theirs.ends_at is not None else None": (
        1,
        "a row that has merely expired is replaced on either condition",
    ),
    'return Record(self._key, b"", rev, expires=decision.expires, promoted=decision.promoted)': (
        2,
        "the data comes with the write",
    ),
    "stored = value if row.rev == record.rev else self._rows.open(row)": (1, SHORTCUT),
    'value = text.encode("utf-8", "surrogatepass")': (1, SPELLING),
    "raise Unavailable(_TOO_FAST)": (1, "it is only the sentence"),
    # saving.py
    'content.raw = undo_base64(content.text.encode("utf-8", "surrogatepass"))': (1, SPELLING),
    'is_raw, value = False, content.text.encode("utf-8", "surrogatepass")': (1, SPELLING),
    'return (value or b"").decode("utf-8", "surrogatepass")': (1, SPELLING),
    "value = None": (1, "a text without characters counts as none"),
    "self._is_first = False": (1, TRUTH),
    "self._may_have_deleted: bool = False": (1, TRUTH),
    "has_start = prior is not None and not prior.rev.startswith(NO_START) and not state.restarts": (
        1,
        SHORTCUT,
    ),
    "if len(content.text) > SMALL_DATA:": (1, "it is only about memory"),
    "one.forget_values(state.envelope)": (1, "it is only about memory"),
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
    "if sys.exc_info()[1] is not None:  # Beaker may be handling the error of another load": (
        1,
        "an exception that is handled has a traceback",
    ),
    "return LoadOrigin(table, digest(self.key.hash, 64))": (
        3,
        "a hash has 64 digits, and eight of them tell two sessions apart, too",
    ),
    'self.base = row.value.decode("utf-8", "surrogatepass")': (1, SPELLING),
    'state = self._state(None, Content("", {}), None)': (5, "a Delete writes nothing of it"),
    # strict.py
    "def _delete_previous_rows(self, accessed_only: bool = False) -> None:"
    "  # noqa: FBT001, FBT002  # as `save`": (1, _LOGGED_OUT),
    "self._delete_previous_rows(accessed_only)": (1, _LOGGED_OUT),
    "self._save(accessed_only)": (1, _LOGGED_OUT),
    "if accessed_only and (self.is_new or not self.save_atime):  # Beaker saves nothing then": (
        1,
        "it differs only for a new session whose new id could not be saved before",
    ),
    "if self._rotated and self.use_cookies:": (1, _NO_COOKIE),
    'raise_clean(KeyError("it cannot be opened"))': (
        1,
        "Beaker catches it, and does not read its message",
    ),
    "return False": (3, "there is no row of an old id then, or its new id could not be saved"),
    "self._deleted = False": (1, TRUTH),
    "self._deleted = self._may_have_row = False": (1, TRUTH),
    "self._has_row = False": (2, TRUTH),
    "self._has_row = self._may_have_row = False": (1, TRUTH),
    "self._is_constructed = False": (1, TRUTH),
    "self._loading += 1": (1, "no load is begun within another one"),
    "self._may_have_row = False": (
        4,
        f"{TRUTH}; and a new id resets it, while an old one has a row",
    ),
    "self._rotated = False": (2, f"{TRUTH}; {_NO_COOKIE}"),
    "self._update_cookie_out(set_cookie=not set_new)": (1, "a save sends the cookie"),
    "self.is_new = False": (1, TRUTH),
    "self.is_new = was_new": (
        1,
        "it differs only for a page that catches the error of a load and goes on",
    ),
    'self.request["set_cookie"] = False': (1, TRUTH),
    # touches.py
    "if rows.runtime.monotonic() >= paused_until.get((table.client, table.name), 0.0):": (
        1,
        "no machine has been running for less than a second",
    ),
    # user_sessions.py
    "given = source.get(key) if is_session else None": (1, _SETTINGS),
    "self._session: Any = source if is_session else None": (1, _SETTINGS),
    'options = sources.parse(remove_beakers(selected, "session"), "session")': (
        3,
        "whatever is not the kind of caches counts as sessions",
    ),
    'pickles = "json" if options.envelope == "json" else "auto"': (
        2,
        "whatever is neither json nor none opens both",
    ),
    "return 0.0, last_seen or 0.0, row.key.hash": (2, EPOCH),
    "return created, 0.0, row.key.hash": (1, "it is the same for all"),
    "session.id, data_dir=session.data_dir, digest_filenames=False, **session.namespace_args": (
        4,
        "our manager has no files",
    ),
    'text = (value or b"").decode("utf-8", "surrogatepass")': (
        5,
        "what Beaker writes is ASCII; and neither text opens",
    ),
    'text = f"handle\\0{key.hash}".encode("utf-8", "surrogatepass")': (1, SPELLING),
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
