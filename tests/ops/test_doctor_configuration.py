"""The doctor on configurations: wrong options, unread settings, caches, source backends."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import beaker.cache
import pytest
from beaker.container import MemoryNamespaceManager

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.dynamodb.client import get_client
from beaker_dynamodb.dynamodb.diagnostics import list_regions
from tests.servers import KEY

Findings = list[tuple[str, str, str]]


def run_doctor(
    capsys: pytest.CaptureFixture[str], *words: str, code: int, topic: str = ""
) -> Findings:
    """Run the doctor; return severity, message and remedy of the findings of a topic."""
    capsys.readouterr()
    assert main(["doctor", *words, "--json"]) == code
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    results = [(one["severity"], one["message"], one["remedy"]) for one in found]
    return [one for one, raw in zip(results, found, strict=True) if topic in {"", raw["check"]}]


def test_each_wrong_option_is_a_finding_with_its_line(
    ini: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All are reported at once, so one deployment corrects them."""
    with Path(ini).open("a") as file:
        file.write(
            "session.ttl = soon\nsession.tabel = x\nsession.time_out = 5\ncache.lock = nobody\n"
        )
    lines = Path(ini).read_text().splitlines()
    ttl = lines.index("session.ttl = soon") + 1
    found = run_doctor(capsys, "-c", ini, code=1, topic="options")

    assert [
        (severity, re.split(" has |; did", message)[0], remedy)
        for severity, message, remedy in found
    ] == [
        ("error", f"session.tabel: unknown option 'tabel' in line {ttl + 1} of {ini}", ""),
        ("error", f"session.ttl: option 'ttl' in line {ttl} of {ini}", ""),
        (
            "error",
            f"session.time_out in line {ttl + 2} of {ini} is not read by anything",
            "rename session.time_out to session.timeout",
        ),
    ]
    (cache,) = run_doctor(capsys, "-c", ini, "--cache", "default", code=1, topic="options")
    assert cache[1].startswith(f"cache.lock: option 'lock' in line {ttl + 3} of {ini} has")


def test_a_misspelled_setting_of_beakers_is_an_error(
    ini_with_table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beaker ignores it silently, and the sessions would live for a month."""
    with Path(ini_with_table).open("a") as file:
        file.write("session.time_out = 60\nsession.zzzz = 1\n")

    found = run_doctor(capsys, "-c", ini_with_table, code=1, topic="options")
    assert [(one[0], re.sub(" in line .* is", " is", one[1])) for one in found] == [
        ("error", "session.time_out is not read by anything; did you mean session.timeout?"),
        ("warning", "session.zzzz is not read by anything"),
    ]


def test_what_beaker_refuses_when_it_starts_is_an_error(
    ini_with_table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beaker's times are plain seconds; with `1h` the application would not start."""
    text = Path(ini_with_table).read_text()
    Path(ini_with_table).write_text(
        text.replace("timeout = 3600", "timeout = 1h\nsession.secure = perhaps")
    )
    line = text.splitlines().index("session.timeout = 3600") + 1
    refused = f"of {ini_with_table} at start-up: Session"

    assert [
        one[1] for one in run_doctor(capsys, "-c", ini_with_table, code=1, topic="options")
    ] == [
        (
            f"session.timeout: Beaker refuses line {line} {refused} timeout must be an integer"
            " of seconds, such as 1800"
        ),
        f"session.secure: Beaker refuses line {line + 1} {refused} secure must be a boolean",
    ]


def test_caches_that_beaker_refuses_are_no_traceback(
    ini_with_table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sessions are checked nevertheless."""
    with Path(ini_with_table).open("a") as file:
        file.write("cache.expire = soon\n")

    (found,) = run_doctor(capsys, "-c", ini_with_table, code=1, topic="caches")
    assert "Beaker refuses the cache settings: expire must be" in found[1]
    assert run_doctor(capsys, "-c", ini_with_table, code=1, topic="round trip")
    assert main(["table", "show", "-c", ini_with_table, "--cache", "default"]) == 2
    assert "expire must be" in capsys.readouterr().err


def test_caches_that_were_not_asked_for_are_named(
    ini_with_table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The finding has the command that checks them, and that command works."""
    (found,) = run_doctor(capsys, "-c", ini_with_table, code=0, topic="caches")
    command = f"doctor -c {ini_with_table} --cache default"

    assert found == ("note", "the caches of the file: not checked", f"beaker-dynamodb {command}")
    assert run_doctor(capsys, *command.split()[1:], code=0, topic="caches") == []


def test_a_file_without_caches_and_main_section_passes(
    ini_with_table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A filter of a pipeline is all that many files have; a deployment waits for exit 0."""
    text = Path(ini_with_table).read_text()
    lines = [line for line in text.splitlines() if not line.startswith("cache.")]
    Path(ini_with_table).write_text("\n".join(lines).replace("[app:main]", "[filter:shop]"))

    assert run_doctor(capsys, "-c", ini_with_table, code=0, topic="caches") == []


def test_caches_of_another_section_are_named(
    ini_with_table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A filter may hold the sessions, and the application the caches."""
    text = Path(ini_with_table).read_text()
    Path(ini_with_table).write_text(
        text.replace("[app:main]", "[filter:shop]").replace("cache.type", "[app:x]\ncache.type")
    )

    (found,) = run_doctor(capsys, "-c", ini_with_table, code=0, topic="caches")
    assert found[1] == "the caches of the file: not checked"


def test_what_is_ignored_is_said_once(
    ini_with_table: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """By the finding; a line of the log beside it would repeat it."""
    with Path(ini_with_table).open("a") as file:
        file.write("session.zzzz = 1\n")
    assert main(["doctor", "-c", ini_with_table]) == 0
    out, err = capsys.readouterr()

    assert out.count("zzzz") == 2  # the finding and its remedy
    assert "zzzz" not in err
    assert caplog.messages == []


def test_the_url_of_another_backend_may_stay(
    ini_with_table: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The doctor has a note of it, and no command warns of it."""
    text = Path(ini_with_table).read_text()
    url = next(line for line in text.splitlines() if line.startswith("session.url"))
    Path(ini_with_table).write_text(text.replace(url, "session.url = redis://127.0.0.1/0"))
    given = ("-o", f"table={url.partition('?')[0].rpartition('/')[2]}", "-o", "range_key=part")

    (found,) = run_doctor(capsys, "-c", ini_with_table, *given, code=0, topic="url")
    assert (found[0], found[2]) == ("note", "")
    assert main(["sessions", "count", "-c", ini_with_table, *given]) == 0
    assert caplog.messages == []


def test_a_forgotten_file_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command itself knows nothing of a region or a table, but the file does."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    assert main(["sessions", "list"]) == 2
    assert "-c FILE reads the options" in capsys.readouterr().err
    assert main(["sessions", "list", "-o", "table=other"]) == 2
    assert "-c FILE" not in capsys.readouterr().err
    found = run_doctor(capsys, code=1)
    assert any("no ini file was given (-c FILE)" in message for _, message, _ in found)
    assert "-c FILE reads the options" in found[-1][1]


def test_a_remedy_names_the_line_that_is_read(
    ini_with_table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A region inherits little from the global lines, and a typed option is not in the file."""
    with Path(ini_with_table).open("a") as file:
        lines = "cache.regions = short\ncache.short.lock_lease = 60\ncache.short."
        file.write(f"{lines}endpoint_url = http://127.0.0.1:1\ncache.short.max_attempts = 1\n")
    found = run_doctor(capsys, "-c", ini_with_table, "--cache", "short", code=3)
    remedies = [remedy for *_, remedy in found]

    assert "cache.short.serializer = json" in remedies
    assert "cache.short.lock_lease = 20\ncache.short.lock_wait = 25" in remedies
    typed = run_doctor(capsys, "-c", ini_with_table, "-o", "ttl=soon", code=1, topic="options")
    assert [message.partition(": ")[0] for _, message, _ in typed] == ["-o ttl"]


def test_an_embedded_table_is_out_of_reach(
    ini: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is a note; a missing extra is an error. In the process itself the table is checked."""
    embedded.stop()
    words = ("-c", ini, "-o", "endpoint_url=embedded")

    assert "own process" in run_doctor(capsys, *words, code=0, topic="table")[0][1]
    monkeypatch.setattr(embedded, "_MODULES", ("no_such_package",))
    assert "extra 'embedded'" in run_doctor(capsys, *words, code=1, topic="table")[0][1]
    monkeypatch.undo()
    embedded.get_url()
    assert "does not exist" in run_doctor(capsys, *words, code=0, topic="table")[0][1]
    embedded.stop()


def test_missing_credentials_are_one_error(
    ini: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every further call would fail for the same reason."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    bare = Path(ini).read_text().replace(f"_key_id = {KEY}", "_key_id =")
    Path(ini).write_text(bare.replace(f"secret_access_key = {KEY}", "secret_access_key ="))

    found = run_doctor(capsys, "-c", ini, code=1)
    (message,) = [message for severity, message, _ in found if severity == "error"]
    assert message.startswith("none found: neither in the options, the environment, AWS's files,")
    assert "DynamoDB Local accepts any" in message


def test_a_missing_extra_is_reported(
    ini_with_table: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The findings before it are printed too."""
    monkeypatch.setitem(sys.modules, "isal", None)
    found = run_doctor(capsys, "-c", ini_with_table, "-o", "compress=fast", code=1)

    assert "beaker-dynamodb[fast]" in found[-1][1]
    assert found[0][0] == "ok"


@pytest.mark.parametrize(("region", "meant"), [("eu-centrall-1", "eu-central-1"), ("q", None)])
def test_a_region_that_does_not_exist_is_no_outage(
    ini: str, region: str, meant: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The finding says so before the call that cannot be answered."""
    text = Path(ini).read_text()
    elsewhere = [line for line in text.splitlines() if "endpoint_url" not in line]
    Path(ini).write_text("\n".join(elsewhere).replace("us-east-1", region))
    fast = ("-o", "connect_timeout=0.2", "-o", "max_attempts=1")

    (found,) = run_doctor(capsys, "-c", ini, *fast, code=3, topic="region")
    assert (found[0], f"did you mean {meant!r}" in found[1]) == ("warning", meant is not None)


def test_the_list_regions_every_partition_are_known() -> None:
    """Those of China and the US government included."""
    known = list_regions(get_client(Options(region="eu-central-1")))

    assert {"eu-central-1", "us-gov-west-1", "cn-north-1", "us-east-1"} <= known


class PluginsWithoutEntryPoints(dict[str, object]):
    """A stand-in for `beaker.cache.clsmap` that finds no entry points."""

    def __missing__(self, name: str) -> object:
        """Fail as Beaker 1.13 does without pkg_resources."""
        raise KeyError(name)


def make_plugins() -> object:
    """Return Beaker's own mapping before its first lookup."""
    return beaker.cache._backends({})


@pytest.mark.parametrize("lookup", [PluginsWithoutEntryPoints, make_plugins])
def test_a_beaker_that_does_not_find_the_backend_is_an_error(
    lookup: Callable[[], object],
    ini_with_table: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every request would fail with KeyError, although all else is right."""
    monkeypatch.setattr(beaker.cache, "clsmap", lookup())
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    ((severity, message, remedy),) = run_doctor(
        capsys, "-c", ini_with_table, code=1, topic="backend"
    )

    assert severity == "error"
    assert "Beaker does not find ext:dynamodb" in message
    assert remedy == "pip install -U 'Beaker>=1.14' beaker-dynamodb"


def test_a_beaker_that_finds_another_class_is_an_error(
    ini_with_table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The class is named, so that its package can be found."""
    monkeypatch.setattr(beaker.cache, "clsmap", {"ext:dynamodb": MemoryNamespaceManager})
    ((_, message, _),) = run_doctor(capsys, "-c", ini_with_table, code=1, topic="backend")

    assert "ext:dynamodb: beaker.container.MemoryNamespaceManager;" in message


def test_what_only_some_frameworks_get_is_reported(
    ini_with_table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under Pyramid the sessions would be in memory, and every command would speak of a table."""
    path = Path(ini_with_table)
    text = path.read_text()
    path.write_text(
        text.replace("session.type = ext:dynamodb\n", "session.key = mine\n").replace(
            "[app:main]",
            "[DEFAULT]\nsession.type = ext:dynamodb\nsession.key = theirs\n[app:main]",
        )
    )
    warning, error = run_doctor(capsys, "-c", ini_with_table, code=1, topic="[DEFAULT]")

    assert warning[0] == "warning"
    assert warning[1].startswith(
        "session.type, session.key: set by [DEFAULT] or `set`, so not among"
    )
    assert error[0] == "error"
    assert error[1].startswith(
        "session.key: PasteDeploy drops the section's own line, as [DEFAULT]"
    )
    for words in (["table", "check"], ["policy", "app"], ["sessions", "list"]):
        assert main([*words, "-c", ini_with_table]) == 0
        assert "note: session.type, session.key: set by [DEFAULT]" in capsys.readouterr().err
    path.write_text(text)
    assert run_doctor(capsys, "-c", ini_with_table, code=0, topic="[DEFAULT]") == []
    assert main(["policy", "app", "-c", ini_with_table]) == 0
    assert capsys.readouterr().err == ""
