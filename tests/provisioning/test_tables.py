"""The commands on the table: create and update it, show, check and delete it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.provisioning import tables
from beaker_dynamodb.provisioning.spec import Features, TableSpec, table_spec
from tests.instruments import Recorder
from tests.servers import REGION, Flavor, Server, free_port

EVERYTHING = (
    *("--tag", "team=web", "--tag", "stage=test", "--point-in-time-recovery"),
    *("--deletion-protection", "--max-read-units", "40", "--max-write-units", "10"),
)


def run(command: str, url: str, table: str, *more: str) -> int:
    """Run one of the `table` commands at a server."""
    where = (f"table={table}", f"endpoint_url={url}", f"region={REGION}")
    return main(["table", command, *(word for one in where for word in ("-o", one)), *more])


def options(url: str, table: str, **given: Any) -> Options:
    """Return the options that `run` passes."""
    return Options(table=table, endpoint_url=url, region=REGION, **given)


def test_a_new_table_has_every_feature_asked_for(
    server: Server, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A feature that the server does not support is reported, and the exit code is still 0."""
    assert run("create", server.url, table_name, *EVERYTHING, "--json") == 0
    out, err = capsys.readouterr()
    printed = json.loads(out)
    assert run("create", server.url, table_name, "--no-deletion-protection") == 0

    assert printed["deletion_protection"] is True
    if server.flavor is Flavor.MOTO:
        assert printed["point_in_time_recovery"] is True
        assert [one["severity"] for one in printed["differences"]] == ["note"]  # moto has no limits
        assert printed["tags"] == {"stage": "test", "team": "web"}
    else:
        assert (printed["max_read_units"], printed["max_write_units"]) == (40, 10)
        assert printed["point_in_time_recovery"] is printed["tags"] is None
        assert "tags: not supported by this server; skipped" in err
        assert "point-in-time recovery: not supported by this server; skipped" in err


def test_an_existing_table_gets_what_it_misses(
    server: Server, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Indexes, one at a time, and features are added; a second run has no steps."""
    assert run("create", server.url, table_name) == 0
    keys = ("-o", "special_keys=userId:S visits:N")
    capsys.readouterr()
    run("create", server.url, table_name, *keys, *EVERYTHING)
    first = capsys.readouterr()
    assert run("create", server.url, table_name, *keys, "--deletion-protection") == 0
    again = capsys.readouterr()
    run("create", server.url, table_name, "--no-deletion-protection")

    for step in ("index 'userId-index'", "index 'visits-index'", "deletion protection"):
        assert f"{step}: done\n" in first.err
    assert "  index     'visits-index' of 'visits' (KEYS_ONLY)\n" in again.out
    assert again.err == ""


def test_an_index_of_a_provisioned_table_is_provisioned(
    dynamodb_local: str, table_name: str
) -> None:
    """It has the same units as the table."""
    units = ("-o", "read_capacity_units=2", "-o", "write_capacity_units=3")

    assert run("create", dynamodb_local, table_name, *units) == 0
    assert run("create", dynamodb_local, table_name, *units, "-o", "special_keys=u") == 0


def test_range_key_has_a_flag_of_its_own(
    dynamodb_local: str, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """--range-key is short for -o range_key=, in create and check."""
    assert run("create", dynamodb_local, table_name, "--range-key", "part") == 0
    assert run("check", dynamodb_local, table_name, "--range-key", "part") == 0
    capsys.readouterr()
    assert run("check", dynamodb_local, table_name) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ab", "its length is 2"),
        ("my table/1", "it holds ' ', '/'"),
        ("t" * 256, "its length is 256"),
    ],
)
def test_an_invalid_table_name_is_refused_before_any_call(
    name: str, words: str, capsys: pytest.CaptureFixture[str], calls: Recorder
) -> None:
    """The message says why, and what is expected."""
    assert run("create", "http://127.0.0.1:1", name) == 2
    err = capsys.readouterr().err

    assert words in err
    assert "expected 3 to 255 letters" in err
    assert calls == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_read_units": 0}, "a limit of 0 units"),
        ({"tags": (("", "x"),)}, "expected a name of 1 to 128"),
        ({"tags": (("x", "y" * 257),)}, "a value of up to 256"),
    ],
)
def test_an_invalid_feature_is_refused_before_the_table_is_created(
    given: dict[str, Any], words: str
) -> None:
    """AWS would refuse it only after the table was created."""
    with pytest.raises(OptionError, match=words):
        Features(**given)


def test_a_limit_of_units_is_refused_for_a_provisioned_table() -> None:
    """Its provisioned units are its limit."""
    provisioned = Options(read_capacity_units=1, write_capacity_units=1)

    with pytest.raises(OptionError, match="on-demand"):
        table_spec(provisioned, Features(max_read_units=5))


def test_the_command_in_messages_has_the_features() -> None:
    """The command in an error message creates the same table."""
    features = Features(
        (("a", "b c"),), recovery=True, protection=False, kms_key="alias/k", max_write_units=3
    )

    assert TableSpec("sessions", features=features).command() == (
        "beaker-dynamodb table create -o table=sessions --tag 'a=b c' --point-in-time-recovery"
        " --no-deletion-protection --kms-key alias/k --max-write-units 3"
    )


# check


def test_the_exit_code_of_check(
    dynamodb_local: str, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 if the table matches, 1 if it differs or is missing, 3 if no server answers."""
    assert run("check", dynamodb_local, table_name, "--json") == 1
    missing = json.loads(capsys.readouterr().out)
    assert run("check", dynamodb_local, table_name) == 1
    line = capsys.readouterr().out.splitlines()[-1]
    run("create", dynamodb_local, table_name, "--quiet")
    assert run("check", dynamodb_local, table_name) == 0
    good = capsys.readouterr().out
    assert run("check", dynamodb_local, table_name, "-o", "special_keys=u") == 1
    differs = capsys.readouterr().out
    closed = f"http://127.0.0.1:{free_port()}"
    assert run("check", closed, table_name, "-o", "max_attempts=1") == 3

    assert missing["differences"][0]["setting"] == "table"
    command = missing["differences"][0]["expected"]
    assert "beaker-dynamodb table create -o table=" in command
    assert line == f"error: the table does not exist; {command} creates it"
    assert good == f"table '{table_name}' matches the options\n"
    assert "warning" in differs
    assert "index of 'u'" in differs


# show


def test_show_prints_every_setting(
    server: Server, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The region is the client's, whatever ARN an emulator writes."""
    run("create", server.url, table_name, "--quiet", "-o", "special_keys=u")
    assert run("show", server.url, table_name) == 0
    lines = capsys.readouterr().out
    assert run("show", server.url, table_name, "--json") == 0
    printed = json.loads(capsys.readouterr().out)

    assert lines.startswith(f"exists: table '{table_name}', region {REGION}, account ")
    for line in (
        "  index     'u-index' of 'u' (KEYS_ONLY)\n",
        "  limit     none\n",
        "  contents  0 rows, 0 bytes (up to six hours ago)\n",
        "  deletion  protection off\n",
        "  at rest   encrypted by a key of AWS's own\n",
    ):
        assert line in lines
    assert printed["region"] == REGION
    assert printed["ttl"] == {"attribute": "expires", "status": "enabled"}


def test_showing_or_deleting_a_missing_table_exits_with_1(
    dynamodb_local: str, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stderr has the command that creates it; with --json stdout has a result."""
    assert run("show", dynamodb_local, table_name) == 1
    out, err = capsys.readouterr()
    assert run("show", dynamodb_local, table_name, "--json") == 1
    shown = json.loads(capsys.readouterr().out)
    assert run("delete", dynamodb_local, table_name, "--json", "--yes") == 1
    deleted = json.loads(capsys.readouterr().out)

    assert (out, shown["done"], deleted["done"]) == ("", False, False)
    made = f"beaker-dynamodb table create -o table={table_name}"
    assert f"`{made} -o endpoint_url={dynamodb_local} -o region={REGION}` creates it" in err


@pytest.mark.parametrize("name", ["[/x]", "[bold]x", ":warning:", "\x1b[31mred\x07"])
def test_a_key_name_is_printed_as_it_is(
    server: Server, table_name: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither rich's markup nor an escape sequence in it has any effect."""
    server.client().create_table(
        TableName=table_name,
        KeySchema=[{"AttributeName": name, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    assert run("check", server.url, table_name) == 1
    out = capsys.readouterr().out
    assert f"hash key {name!r} (String)" in out
    assert "\x1b" not in out


# delete


def test_a_table_is_deleted_if_its_name_is_typed(
    server: Server,
    table_name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any other text deletes nothing; --yes does not ask; a missing table exits with 1."""
    run("create", server.url, table_name, "--quiet")
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "yes")
    assert run("delete", server.url, table_name) == 1
    assert "nothing was deleted" in capsys.readouterr().err
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: table_name)
    assert run("delete", server.url, table_name) == 0
    assert capsys.readouterr().out == f"deleted: table '{table_name}', region {REGION}\n"
    assert run("delete", server.url, table_name, "--yes") == 1
    assert "there is no table" in capsys.readouterr().err


def test_a_protected_table_is_not_deleted(
    server: Server, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message has the command that turns the protection off; after it, delete works."""
    run("create", server.url, table_name, "--quiet", "--deletion-protection")
    assert run("delete", server.url, table_name, "--yes") == 1
    err = capsys.readouterr().err
    assert tables.show(options(server.url, table_name)) is not None
    run("create", server.url, table_name, "--quiet", "--no-deletion-protection")
    assert run("delete", server.url, table_name, "--yes", "--quiet") == 0

    assert f"{server.url} -o region={REGION} --no-deletion-protection` turns it off" in err
    assert capsys.readouterr() == ("", "")
