"""What a command says in its caller's own words: remedies to paste, names that were meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.ops import prices
from beaker_dynamodb.ops.application import load_application
from beaker_dynamodb.ops.cli import wording
from tests.servers import REGION


@pytest.mark.parametrize(
    "command",
    [
        *("table create", "table show", "table check", "table delete --yes", "sessions list"),
        *("sessions count", "sessions stats", "sessions purge", "import --from file"),
    ],
)
def test_no_command_pretends_to_reach_an_embedded_table(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would make one in its own memory, and say that it is done."""
    embedded.stop()
    assert main([*command.split(), "-o", "endpoint_url=embedded"]) == 2
    out, err = capsys.readouterr()

    assert (out, "use DynamoDB Local" in err) == ("", True)


@pytest.mark.parametrize("command", ["list", "count", "stats", "find userId=1"])
def test_a_missing_table_names_the_command_with_the_callers_arguments(
    ini: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it says can be pasted, and makes the table that is missing."""
    words = ("-c", ini, "-o", "special_keys=userId")
    assert main(["sessions", *command.split(), *words]) == 3
    err = capsys.readouterr().err
    creates = f"table create -c {ini} -o special_keys=userId"

    assert f"`beaker-dynamodb {creates}` creates it" in err
    assert main([*creates.split(), "--quiet"]) == 0
    assert main(["sessions", "count", *words]) == 0


def test_another_table_that_is_missing_keeps_its_name(
    ini_with_table: str, dynamodb_local: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An import's own table is there; the one that sessions come from is not."""
    where = (f"endpoint_url={dynamodb_local}", f"region={REGION}", "table=no-such-table")
    words = [word for one in where for word in ("--from-option", one)]

    assert main(["import", "-c", ini_with_table, "--from", "connect-dynamodb", *words]) == 3
    assert "no-such-table" in (err := capsys.readouterr().err)
    assert ini_with_table not in err


def test_a_command_without_its_group_is_reported_with_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The message names the group that has the command."""
    assert main(["purge", "-o", "table=tab"]) == 2
    assert "did you mean 'sessions purge'?" in capsys.readouterr().err
    assert main(["zzz"]) == 2
    assert "did you mean" not in capsys.readouterr().err


def test_a_misspelled_option_on_the_command_line_names_the_nearest_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Beaker's own, too."""
    assert main(["sessions", "count", "-o", "time_out=3"]) == 2
    assert "unknown option 'time_out'; did you mean 'timeout'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["sessions", "count", "-o", "table=one", "-o", "table=two"], "table"),
        (["sessions", "count", "-o", "table=one", "-o", "table=one"], "table"),
        (["sessions", "count", "-o", "table=one", "-o", "session.table=two"], "table"),
        (["sessions", "count", "-o", "beaker.session.ttl=1d", "-o", "ttl=2d"], "ttl"),
        (["sessions", "count", "-o", "table=one", "-o", "table_name=two"], "table"),
        (["table", "create", "--range-key", "a", "-o", "range_key=b"], "range_key"),
        (["table", "create", "--range-key", "a", "-o", "session.range_key=b"], "range_key"),
        (["table", "create", "--tag", "team=web", "--tag", "team=shop"], "team"),
        (
            ["import", "--from", "file", "--from-option", "data_dir=a", "--from-option=data_dir=b"],
            "data_dir",
        ),
    ],
)
def test_a_name_that_is_given_twice_is_a_usage_error(
    words: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last one used to win without a word: a pasted command worked on another table."""
    assert main(words) == 2
    assert name in capsys.readouterr().err.splitlines()[-1]


def test_an_alias_on_the_command_line_wins_over_the_file(ini: str) -> None:
    """As every option does that is given there, whatever it is called in the file."""
    with Path(ini).open("a") as file:
        file.write("\n[app:other]\nsession.type = ext:dynamodb\nsession.table = mine\n")

    assert (
        load_application(f"{ini}#other", given={"table_name": "theirs"}).options.table == "theirs"
    )


@pytest.mark.parametrize("rate", ["1e-320", "0.09", "0", "-1", "nan"])
def test_a_rate_that_would_take_for_ever_is_a_usage_error(
    rate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first page would be waited for until the end of the world."""
    assert main(["sessions", "purge", "-o", "table=tab", "--rate", rate]) == 2
    assert "--rate" in capsys.readouterr().err


def test_a_store_without_https_is_reported(ini: str, capsys: pytest.CaptureFixture[str]) -> None:
    """DynamoDB Local does not."""
    text = Path(ini).read_text()
    Path(ini).write_text(text.replace("endpoint_url = http:", "endpoint_url = https:"))

    assert main(["sessions", "count", "-c", ini, "-o", "max_attempts=1"]) == 3
    assert ": does it support https" in capsys.readouterr().err


def test_half_a_unit_is_not_announced_as_none() -> None:
    """A small table is read for half a unit."""
    cost = prices.Cost(prices.estimate_scan(2000))

    for text in (wording.scan_message(30, cost), wording.format_cost(cost)):
        assert "1 read unit, less than $0.01" in text
