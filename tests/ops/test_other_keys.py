"""A table of other keys than the options: every command says so, and none finds no session."""

from __future__ import annotations

import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.ops import cli
from tests.ops.example_apps import IDENT, ExampleApp
from tests.revisions import make_rev

COMMANDS = (
    ("list",),
    ("list", "--limit", "1"),
    ("count",),
    ("count", "--segments", "1"),
    ("find", "userId=42"),
    ("find", "userId=42", "--scan"),
    ("export", "userId=42"),
    ("export", "userId=42", "--scan"),
    ("revoke", "userId=42", "--scan", "--yes"),
    ("revoke", "--all", "--yes"),
    ("stats",),
    ("stats", "--sample", "10"),
    ("purge",),
    ("purge", "--dry-run", "--segments", "1"),
    ("show", IDENT),
    ("delete", IDENT),
)


def test_every_command_on_sessions_has_a_case() -> None:
    """One that is new is entered above."""
    group = cli.cli.commands["sessions"]
    assert {words[0] for words in COMMANDS} == set(getattr(group, "commands", {}))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "other", [{"hash_key": "pk"}, {"range_key": "none"}], ids=["hash", "range"]
)
def test_of_a_table_of_other_keys_no_command_tells_a_number(
    other: dict[str, str],
    words: tuple[str, ...],
    dynamodb_local: str,
    table_name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A scan meets no row under another key, or takes a cached value for a session.

    "0 live", or "nobody has userId=42", would be believed, and somebody stays logged in.
    """
    made = ExampleApp.create(dynamodb_local, table_name, range_key="part")
    made.save(IDENT, userId=42)
    made.put(
        id={"S": "sess:cached"}, part={"S": "key"}, data={"B": b"x"}, rev={"B": make_rev("a.b")}
    )
    site = ExampleApp.at(dynamodb_local, table_name, **({"range_key": "part"} | other))

    code = main(site.argv("sessions", *words))
    out, err = capsys.readouterr()

    assert (code, out) == (3, "")
    assert "the table's key schema is not that of the options" in err
    assert made.idents() == {"sess:" + IDENT, "sess:cached"}
