"""`table create` and `policy`, by their entry point."""

from __future__ import annotations

import json

import pytest

from beaker_dynamodb import errors
from beaker_dynamodb.__main__ import main
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.provisioning import provision
from tests.instruments import Recorder
from tests.servers import REGION, Server, free_port


def create(url: str, table: str, *more: str) -> int:
    """Run `table create` at a server."""
    where = (f"table={table}", f"endpoint_url={url}", f"region={REGION}")
    return main(["table", "create", *(word for one in where for word in ("-o", one)), *more])


# table create


def test_a_table_is_created_once_and_then_found(
    server: Server, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run at every deploy: the first time it creates, afterwards it finds; both are success."""
    assert create(server.url, table_name) == 0
    first = capsys.readouterr()
    assert create(server.url, table_name) == 0
    again = capsys.readouterr()

    assert first.out.startswith(f"created: table '{table_name}', region ")
    assert again.out.startswith(f"exists: table '{table_name}', region ")
    for line in (
        "keys      hash key 'id' (String), no range key",
        "TTL       on 'expires' (enabled)",
        "capacity  on-demand",
    ):
        assert f"  {line}\n" in again.out


def test_the_options_of_an_ini_file_may_be_pasted(
    dynamodb_local: str, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`session.table=x` means what it means in the file, and is not set aside in silence."""
    given = ("session.special_keys=userId:S", "beaker.session.range_key=rk")
    words = [word for one in given for word in ("-o", one)]

    assert create(dynamodb_local, table_name, *words, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["range_key"] == {"name": "rk", "type": "S"}
    assert [index["name"] for index in told["indexes"]] == ["userId-index"]


def test_machines_read_one_json_object(
    server: Server, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """--json has everything that the text has, and stdout has nothing else."""
    assert create(server.url, table_name, "--json") == 0
    told = json.loads(capsys.readouterr().out)

    assert told["table"] == table_name
    assert (told["new"], told["status"], told["differences"]) == (True, "active", [])
    assert told["ttl"]["attribute"] == "expires"


def test_progress_is_for_a_terminal_and_quiet_is_quiet(
    dynamodb_local: str,
    table_name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Piped, stderr is empty; on a terminal it says what is waited for; --quiet says nothing."""
    assert create(dynamodb_local, table_name) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert create(dynamodb_local, table_name) == 0
    assert "until it is active" in capsys.readouterr().err

    assert create(dynamodb_local, table_name, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_a_table_that_differs_is_answered_with_no(
    dynamodb_local: str, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each setting that cannot be changed has one line, and the exit code is 1."""
    create(dynamodb_local, table_name)
    capsys.readouterr()

    assert create(dynamodb_local, table_name, "-o", "range_key=rk") == 1
    assert (
        "error: key schema is hash key 'id' (String), no range key,"
        " expected hash key 'id' (String) and range key 'rk' (String)\n"
    ) in capsys.readouterr().out


def test_a_note_is_not_a_no(
    dynamodb_local: str, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another billing mode is no difference that counts."""
    create(dynamodb_local, table_name)
    units = ("-o", "read_capacity_units=5", "-o", "write_capacity_units=5")

    assert create(dynamodb_local, table_name, *units) == 0
    assert "note: capacity is on-demand" in capsys.readouterr().out


def test_the_control_plane_gets_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt after a time-out would find the table that the first one made."""
    seen = []

    def ensure(way: Client, _: object) -> None:
        seen.append(way.connection.read_timeout)
        raise errors.Unavailable("enough")

    monkeypatch.setattr(provision, "ensure", ensure)
    create("http://127.0.0.1:1", "t-1")
    create("http://127.0.0.1:1", "t-1", "-o", "read_timeout=60")

    assert seen == [30.0, 60.0]


# policy


@pytest.mark.parametrize("role", ["app", "deploy", "operator"])
def test_a_policy_is_json_and_costs_no_call(
    role: str, capsys: pytest.CaptureFixture[str], calls: Recorder
) -> None:
    """It can be piped into a file or into AWS's own command line."""
    assert main(["policy", role, "-o", "table=t-1", "--account", "123456789012"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)

    assert found["Statement"][0]["Resource"] == "arn:aws:dynamodb:*:123456789012:table/t-1"
    assert err == ""
    assert calls == []


def test_a_cache_has_a_policy_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """--cache changes the prefix, and takes the names of a cache's ini file."""
    assert main(["policy", "app", "--cache", "default", "-o", "cache.table=t-1"]) == 0

    assert "cache:*" in capsys.readouterr().out


def test_a_store_that_does_not_answer_exits_with_3(capsys: pytest.CaptureFixture[str]) -> None:
    """A real refused connection, not a double."""
    assert create(f"http://127.0.0.1:{free_port()}", "t-1", "-o", "max_attempts=1") == 3
    assert "did not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "is_noted"),
    [
        (["app", "-o", "special_keys=userId"], True),
        (["app", "-o", "special_keys=userId", "--user-sessions"], False),
        (["app", "-o", "special_keys=userId", "-o", "index_special_keys=false"], False),
        (["app"], False),
        (["deploy", "-o", "special_keys=userId"], False),
    ],
)
def test_a_policy_without_user_sessions_says_so_if_there_are_indexes(
    words: list[str], is_noted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise the page "my devices" is the first to find that Query is not permitted."""
    assert main(["policy", *words, "-o", "region=eu-central-1"]) == 0

    printed = capsys.readouterr()
    assert ("needs --user-sessions too" in printed.err) == is_noted
    assert "note" not in printed.out


def test_the_policy_of_an_application_with_user_sessions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The flag is for the role app, which alone has no Query on indexes."""
    words = ["-o", "special_keys=userId", "-o", "region=eu-central-1", "--user-sessions"]

    assert main(["policy", "app", *words]) == 0
    sids = [one["Sid"] for one in json.loads(capsys.readouterr().out)["Statement"]]
    assert "BeakerUserSessions" in sids
    assert main(["policy", "operator", *words]) == 2
    assert "--user-sessions is for the role app" in capsys.readouterr().err
