"""The command line as an operator meets it: its help, its words, and its exit codes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest

from beaker_dynamodb import errors
from beaker_dynamodb.__main__ import main
from beaker_dynamodb.ops import cli
from beaker_dynamodb.ops.cli import frame
from beaker_dynamodb.provisioning import provision


def list_commands(
    command: click.Command, *path: str
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with its words, the group itself first."""
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from list_commands(below, *path, name)


ALL = dict(list_commands(cli.cli))


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


def test_a_group_shows_each_command_in_a_whole_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Click would cut one that is longer than the line, and end it with dots."""
    for path, command in ALL.items():
        if isinstance(command, click.Group):
            main([*path, "--help"])

    assert "...\n" not in capsys.readouterr().out.replace("[ARGS]...\n", "")


def test_every_example_names_a_command_and_options_that_exist() -> None:
    """An example that does not parse is worse than none."""
    for command in ALL.values():
        _, *examples = (command.epilog or "").split(f"{cli.NAME} ")
        assert examples
        for example in examples:
            line = example.replace("\\\n", " ")  # as a shell does
            words = shlex.split(line.partition(" > ")[0])
            path = max((p for p in ALL if tuple(words[: len(p)]) == p), key=len)

            ALL[path].make_context(path[-1], words[len(path) :])


def test_the_reference_is_what_help_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The reference has each command once, in the words of its --help, within 80 columns."""
    printed = cli.format_reference()
    main(["table", "create", "--help"])
    helped = " ".join(capsys.readouterr().out.split())

    assert printed.count("## `") == len(ALL)
    assert all(f"## `{' '.join((cli.NAME, *path))}`\n" in printed for path in ALL)
    assert helped in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 80


def test_the_reference_is_the_same_on_every_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is 80 columns wide on every terminal."""
    wide = cli.format_reference()
    monkeypatch.setenv("COLUMNS", "40")

    assert cli.format_reference() == wide


def test_the_version_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--version names the installed version; a checkout that is not installed says so."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("beaker-dynamodb, version ")
    monkeypatch.setattr("importlib.metadata.version", lambda name: {cli.NAME: "1.2.3"}[name])

    assert frame._version() == "1.2.3"


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
        (["policy", "app", "-o", "cache.table=t"], "'cache.table' is not an option of a session"),
        (
            ["policy", "app", "--cache", "default", "-o", "session.table=t"],
            "is not an option of a cache",
        ),
        (["policy", "app", "--account", "12"], "12 digits"),
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
        (errors.TableMismatch("its keys are others"), 3),
        (errors.Refused("no"), 3),
    ],
)
def test_each_of_our_errors_is_one_line_and_its_code(
    error: errors.DynamoDBBackendError,
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A script can distinguish its own mistake (2) from a store that it cannot reach (3)."""

    def ensure(*_: object) -> None:
        raise error

    monkeypatch.setattr(provision, "ensure", ensure)

    assert main(["table", "create", "-o", "region=us-east-1"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"beaker-dynamodb: {' '.join(str(error).split())}\n"


def test_ctrl_c_has_its_own_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """130, as every shell knows it, and one line instead of a traceback."""

    def ensure(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(provision, "ensure", ensure)

    assert main(["table", "create"]) == 130
    assert capsys.readouterr().err.strip() == "beaker-dynamodb: interrupted"


def test_the_values_of_a_choice_are_indented(capsys: pytest.CaptureFixture[str]) -> None:
    """The tab by which click does that is not part of the user's text, and is not escaped."""
    assert frame.run(["policy"]) == 2
    assert "Choose from:\n  app,\n  deploy,\n  operator\n" in capsys.readouterr().err
