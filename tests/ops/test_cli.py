"""The command line as an operator meets it: by its entry point, with its words and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from beaker_dynamodb import errors
from beaker_dynamodb.__main__ import main
from beaker_dynamodb.ops import cli
from beaker_dynamodb.ops.cli import frame
from beaker_dynamodb.store import provision
from beaker_dynamodb.store.client import Door
from tests.instruments import Recorder
from tests.servers import REGION, Server, free_port

ROOT = Path(__file__).parents[2]


def create(url: str, table: str, *more: str) -> int:
    """Run `table create` at a server."""
    where = (f"table={table}", f"endpoint_url={url}", f"region={REGION}")
    return main(["table", "create", *(word for one in where for word in ("-o", one)), *more])


def commands(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with its words, the group itself first."""
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(below, *path, name)


ALL = dict(commands(cli.cli))


# Help


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_explains_itself_with_an_example(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """--help works, costs nothing, and shows a line that can be copied."""
    assert main([*path, "--help"]) == 0
    out, err = capsys.readouterr()

    assert f"Usage: beaker-dynamodb {' '.join(path)}".rstrip() in out
    assert "Example:\n    beaker-dynamodb " in out
    assert err == ""


def test_every_example_names_a_command_and_options_that_exist() -> None:
    """An example that does not parse is worse than none."""
    for command in ALL.values():
        _, _, example = (command.epilog or "").rpartition(f"{cli.NAME} ")
        words = example.partition(" > ")[0].split()
        path = next(p for p in sorted(ALL, key=len, reverse=True) if tuple(words[: len(p)]) == p)

        ALL[path].make_context(path[-1], words[len(path) :])


def test_the_reference_is_what_help_says(capsys: pytest.CaptureFixture[str]) -> None:
    """README's reference has each command once, in the words of its --help."""
    printed = cli.reference()
    main(["table", "create", "--help"])
    helped = " ".join(capsys.readouterr().out.split())

    assert printed.count("### `") == len(ALL)
    assert all(f"### `{' '.join((cli.NAME, *path))}`\n" in printed for path in ALL)
    assert helped in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 100


def test_the_reference_is_the_same_on_every_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is 80 columns wide, whoever prints it."""
    wide = cli.reference()
    monkeypatch.setenv("COLUMNS", "40")

    assert cli.reference() == wide


def test_the_version_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--version names the installed version; a checkout that is not installed says so."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("beaker-dynamodb, version ")
    monkeypatch.setattr("importlib.metadata.version", lambda name: {cli.NAME: "1.2.3"}[name])

    assert frame._version() == "1.2.3"


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
    assert told["range_key"] == {"name": "rk", "kind": "S"}
    assert [index["name"] for index in told["indexes"]] == ["userId-index"]


def test_machines_read_one_json_object(
    server: Server, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """--json holds all that the text holds, and nothing else stands on stdout."""
    assert create(server.url, table_name, "--json") == 0
    told = json.loads(capsys.readouterr().out)

    assert told["table"] == table_name
    assert (told["created"], told["status"], told["differences"]) == (True, "active", [])
    assert told["expiry"]["attribute"] == "expires"


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
    """What cannot be made so is told in one line each, and the exit code is 1."""
    create(dynamodb_local, table_name)
    capsys.readouterr()

    assert create(dynamodb_local, table_name, "-o", "range_key=rk") == 1
    assert (
        "error: key schema is hash key 'id' (String), no range key,"
        " ought to be hash key 'id' (String) and range key 'rk' (String)\n"
    ) in capsys.readouterr().out


def test_a_note_is_not_a_no(
    dynamodb_local: str, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table that is paid for in another way serves as well."""
    create(dynamodb_local, table_name)
    units = ("-o", "read_capacity_units=5", "-o", "write_capacity_units=5")

    assert create(dynamodb_local, table_name, *units) == 0
    assert "note: capacity is on-demand" in capsys.readouterr().out


def test_the_control_plane_gets_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt after a time-out would find the table that the first one made."""
    seen = []

    def ensure(way: Door, _: object) -> None:
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


# Exit codes


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "Usage: beaker-dynamodb"),
        (["tabel"], "No such command 'tabel'"),
        (["policy"], "Missing argument"),
        (["policy", "root"], "'root' is not one of"),
        (["table", "create", "-o", "table"], "'table' is not NAME=VALUE"),
        (["table", "create", "-o", "=t"], "'=t' is not NAME=VALUE"),
        (["policy", "app", "-o", "tabel=t"], "did you mean 'table'?"),
        (["policy", "app", "-o", "shoe_size=44"], "unknown option 'shoe_size'"),
        (["policy", "app", "-o", "ttl=soon"], "option 'ttl' has 'soon'; expected a duration"),
        (["policy", "app", "-o", "cache.table=t"], "'cache.table' is not a session's"),
        (["policy", "app", "--cache", "default", "-o", "session.table=t"], "is not a cache's"),
        (["policy", "app", "--account", "12"], "12 digits"),
        (["demo", "--port", "70000"], "70000"),
    ],
)
def test_a_wrong_call_is_2_and_says_what_is_wrong(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing on stdout, the reason on stderr, and no traceback."""
    assert main(argv) == 2
    out, err = capsys.readouterr()

    assert out == ""
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.OptionError("no region is set"), 2),
        (errors.Unavailable("DynamoDB\ndid not   answer"), 3),
        (errors.AccessRefused("AWS refuses the action"), 3),
        (errors.TableMissing("run it elsewhere"), 3),
        (errors.Refused("no"), 3),
    ],
)
def test_each_of_our_errors_is_one_line_and_its_code(
    error: errors.DynamoDBBackendError,
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A script can tell its own mistake (2) from a store that it cannot reach (3)."""

    def ensure(*_: object) -> None:
        raise error

    monkeypatch.setattr(provision, "ensure", ensure)

    assert main(["table", "create", "-o", "region=us-east-1"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"beaker-dynamodb: {' '.join(str(error).split())}\n"


def test_a_store_that_nobody_answers_at_is_3(capsys: pytest.CaptureFixture[str]) -> None:
    """A real refused connection, not a double."""
    assert create(f"http://127.0.0.1:{free_port()}", "t-1", "-o", "max_attempts=1") == 3
    assert "did not answer" in capsys.readouterr().err


def test_ctrl_c_is_told_from_an_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """130, as every shell knows it, and one line instead of a traceback."""

    def ensure(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(provision, "ensure", ensure)

    assert main(["table", "create"]) == 130
    assert capsys.readouterr().err.strip() == "beaker-dynamodb: interrupted"


# demo


def test_the_demo_gets_its_port_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command hands on what it was given, and adds nothing."""
    served = []
    app = ModuleType("beaker_dynamodb.demo.app")
    app.serve = lambda *given: served.append(given)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "beaker_dynamodb.demo.app", app)

    assert main(["demo", "--port", "0", "-o", "endpoint_url=http://127.0.0.1:8000"]) == 0
    assert served == [(0, {"endpoint_url": "http://127.0.0.1:8000"})]


@pytest.mark.parametrize(
    "failure", [SystemExit("port 80 is taken"), errors.OptionError("port 80 is taken")]
)
def test_a_demo_that_cannot_be_served_says_why(
    failure: BaseException, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A taken port or a missing extra is a wrong call: one line, and 2."""

    def serve(*_: object) -> None:
        raise failure

    app = ModuleType("beaker_dynamodb.demo.app")
    app.serve = serve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "beaker_dynamodb.demo.app", app)

    assert main(["demo"]) == 2
    assert capsys.readouterr().err == "beaker-dynamodb: port 80 is taken\n"


# Processes of their own


def python(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run a Python of its own in the checkout."""
    return subprocess.run(
        [sys.executable, *argv], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_runs_as_a_module() -> None:
    """`python -m beaker_dynamodb` answers on stdout and by its exit code."""
    good = python("-m", "beaker_dynamodb", "policy", "app")
    bad = python("-m", "beaker_dynamodb", "policy", "app", "-o", "tabel=x")

    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout)["Version"] == "2012-10-17"
    assert (bad.returncode, bad.stdout) == (2, "")


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_click_it_says_which_extra_to_install(missing: str) -> None:
    """Whoever installed the package for an application alone reads what to do, not a traceback."""
    done = python(
        "-c",
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from beaker_dynamodb.__main__ import main\n"
        "sys.exit(main(['--help']))",
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"beaker-dynamodb: the command line needs {missing}: pip install 'beaker-dynamodb[cli]'\n"
    )


def test_another_module_that_is_missing_is_not_called_click() -> None:
    """A broken installation must not be explained by the wrong extra."""
    done = python(
        "-c",
        "import sys; sys.modules['beaker_dynamodb.ops.templates'] = None\n"
        "from beaker_dynamodb.__main__ import main\n"
        "sys.exit(main(['--help']))",
    )

    assert done.returncode == 1
    assert "beaker_dynamodb.ops.templates" in done.stderr
    assert "cli" not in done.stderr.splitlines()[-1]


def test_a_policy_costs_no_boto3() -> None:
    """What needs no network starts without the third of a second that boto3 takes."""
    done = python(
        "-c",
        "import sys\n"
        "from beaker_dynamodb.__main__ import main\n"
        "main(['policy', 'app'])\n"
        "sys.exit('boto3' in sys.modules or 'beaker_dynamodb.demo' in sys.modules)",
    )

    assert done.returncode == 0
