"""The doctor on what was told: wrong options, settings nobody reads, stores it was not asked of."""

from __future__ import annotations

import json
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
from tests.migration.source_backends import redis_server
from tests.servers import KEY, free_port

Findings = list[tuple[str, str, str]]


def seen(capsys: pytest.CaptureFixture[str], *words: str, code: int, matter: str = "") -> Findings:
    """Run the doctor; return severity, sentence and remedy of what it says about a matter."""
    capsys.readouterr()
    assert main(["doctor", *words, "--json"]) == code
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [(one["severity"], one["message"], one["remedy"]) for one in found]
    return [one for one, raw in zip(told, found, strict=True) if matter in {"", raw["check"]}]


def test_each_wrong_option_is_a_finding_with_its_line(
    ini: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One at a time would be a deploy a time."""
    with Path(ini).open("a") as file:
        file.write(
            "session.ttl = soon\nsession.tabel = x\nsession.time_out = 5\ncache.lock = nobody\n"
        )
    found = seen(capsys, "-c", ini, code=1, matter="options")

    assert [(severity, remedy) for severity, _, remedy in found] == [
        ("error", f"session.tabel in {ini}"),
        ("error", f"session.ttl in {ini}"),
        ("error", "rename it"),
    ]
    (cache,) = seen(capsys, "-c", ini, "--cache", "default", code=1, matter="options")
    assert cache[2] == f"cache.lock in {ini}"


def test_a_misspelled_setting_of_beakers_is_an_error(
    made: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody else would say so, and the sessions live for a month."""
    with Path(made).open("a") as file:
        file.write("session.time_out = 60\nsession.zzzz = 1\n")

    assert [one[:2] for one in seen(capsys, "-c", made, code=1, matter="options")] == [
        ("error", "session.time_out is not read by anything; did you mean session.timeout?"),
        ("warning", "session.zzzz is not read by anything"),
    ]


def test_what_beaker_refuses_when_it_starts_is_an_error(
    made: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its times are plain seconds, and the application would not start."""
    text = Path(made).read_text()
    Path(made).write_text(text.replace("timeout = 3600", "timeout = 1h\nsession.secure = perhaps"))

    assert [one[1:] for one in seen(capsys, "-c", made, code=1, matter="options")] == [
        (
            "Beaker refuses it at start-up: Session timeout must be an integer.",
            f"session.timeout in {made}",
        ),
        (
            "Beaker refuses it at start-up: Session secure must be a boolean.",
            f"session.secure in {made}",
        ),
    ]


def test_caches_that_beaker_refuses_are_no_traceback(
    made: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sessions are looked over all the same."""
    with Path(made).open("a") as file:
        file.write("cache.expire = soon\n")

    (found,) = seen(capsys, "-c", made, code=1, matter="caches")
    assert "Beaker refuses the cache settings: expire must be" in found[1]
    assert seen(capsys, "-c", made, code=1, matter="round trip")
    assert main(["table", "show", "-c", made, "--cache", "default"]) == 2
    assert "expire must be" in capsys.readouterr().err


def test_caches_that_were_not_asked_for_are_named(
    made: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command that looks at them, which looks at them."""
    (found,) = seen(capsys, "-c", made, code=0, matter="caches")
    command = f"doctor -c {made} --cache default"

    assert found == ("note", "the caches of the file: not checked", f"beaker-dynamodb {command}")
    assert seen(capsys, *command.split()[1:], code=0, matter="caches") == []


def test_a_remedy_names_the_line_that_is_read(
    made: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A region inherits next to nothing from the global lines; what was typed stands in no file."""
    with Path(made).open("a") as file:
        lines = "cache.regions = short\ncache.short.lock_lease = 60\ncache.short."
        file.write(f"{lines}endpoint_url = http://127.0.0.1:1\ncache.short.max_attempts = 1\n")
    found = seen(capsys, "-c", made, "--cache", "short", code=3)
    remedies = [remedy for *_, remedy in found]

    assert "cache.short.serializer = json, or cache.short.encryption_keys" in remedies
    assert "cache.short.lock_wait = 65s" in remedies
    typed = seen(capsys, "-c", made, "-o", "ttl=soon", code=1, matter="options")
    assert [remedy for *_, remedy in typed] == ["-o ttl"]


def test_an_embedded_table_is_out_of_reach(
    ini: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no fault of the application's; the extra that lacks is. From inside it is in reach."""
    embedded.stop()
    words = ("-c", ini, "-o", "endpoint_url=embedded")

    assert "own process" in seen(capsys, *words, code=0, matter="table")[0][1]
    monkeypatch.setattr(embedded, "_MODULES", ("no_such_package",))
    assert "extra 'embedded'" in seen(capsys, *words, code=1, matter="table")[0][1]
    monkeypatch.undo()
    embedded.get_url()
    assert "does not exist" in seen(capsys, *words, code=1, matter="table")[0][1]
    embedded.stop()


def test_missing_credentials_are_one_error(
    ini: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call would say it once more."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    bare = Path(ini).read_text().replace(f"_key_id = {KEY}", "_key_id =")
    Path(ini).write_text(bare.replace(f"secret_access_key = {KEY}", "secret_access_key ="))

    found = seen(capsys, "-c", ini, code=1)
    assert [said for severity, said, _ in found if severity == "error"] == [
        "none found: neither in the options, the environment, AWS's files, nor from a role"
    ]


def test_an_extra_that_lacks_is_a_finding(
    made: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What else was found is still told."""
    monkeypatch.setitem(sys.modules, "isal", None)
    found = seen(capsys, "-c", made, "-o", "compress=fast", code=1)

    assert "beaker-dynamodb[fast]" in found[-1][1]
    assert found[0][0] == "ok"


@pytest.mark.parametrize(("region", "meant"), [("eu-centrall-1", "eu-central-1"), ("q", None)])
def test_a_region_that_does_not_exist_is_no_outage(
    ini: str, region: str, meant: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its address leads nowhere, and waiting does not help."""
    text = Path(ini).read_text()
    elsewhere = [line for line in text.splitlines() if "endpoint_url" not in line]
    Path(ini).write_text("\n".join(elsewhere).replace("us-east-1", region))
    fast = ("-o", "connect_timeout=0.2", "-o", "max_attempts=1")

    (found,) = seen(capsys, "-c", ini, *fast, code=3, matter="region")
    assert (found[0], f"did you mean {meant!r}" in found[1]) == ("warning", meant is not None)


def test_the_list_regions_every_partition_are_known() -> None:
    """China's and the government's, too; the newest need a newer boto3, and the remedy says so."""
    known = list_regions(get_client(Options(region="eu-central-1")))

    assert {"eu-central-1", "us-gov-west-1", "cn-north-1", "us-east-1"} <= known


def test_the_store_that_sessions_are_moved_from_is_tried(
    made: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a read of a session that nobody has."""
    moving = ("-c", made, "-o", "migrate_from=ext:redis", "-o")
    with redis_server() as url:
        found = seen(capsys, *moving, f"migrate_from.url={url}", code=0, matter="migrate_from")
    down = f"migrate_from.url=redis://127.0.0.1:{(port := free_port())}/0"
    missed = seen(capsys, *moving, down, code=1, matter="migrate_from")

    assert ("ok", "ext:redis answers", "") in found
    assert any(f"at 127.0.0.1:{port} failed" in said and "start it" in do for _, said, do in missed)
    wrong = seen(capsys, "-c", made, "-o", "migrate_from=file", code=1, matter="migrate_from")
    assert any("needs migrate_from.data_dir" in said and not do for _, said, do in wrong)


def test_an_old_folder_that_is_misspelled_is_not_made(
    made: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beaker would make an empty one, and everybody would be logged out."""
    moving = ("-c", made, "-o", "migrate_from=file", "-o", f"migrate_from.data_dir={tmp_path}/old")
    missed = seen(capsys, *moving, code=1, matter="migrate_from")

    assert missed[-1][1].startswith(f"there is no '{tmp_path}/old/container_file'")
    assert not (tmp_path / "old").exists()
    (tmp_path / "old" / "container_file" / "a").mkdir(parents=True)
    empty = seen(capsys, *moving, code=0, matter="migrate_from")
    said = f"there is no session in '{tmp_path}/old/container_file': is it the folder of"
    assert empty[-1][:2] == ("warning", f"{said} the old application?")
    (tmp_path / "old" / "container_file" / "a" / "s.cache").touch()
    assert ("ok", "file answers", "") in seen(capsys, *moving, code=0, matter="migrate_from")


@pytest.mark.parametrize(
    ("backend", "option"),
    [("file", "file_dir={}"), ("dbm", "dbm_dir={}"), ("ext:database", "url=sqlite:///{}/x.db")],
)
def test_read_only_writes_nothing_into_the_old_store(
    made: str, tmp_path: Path, backend: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beaker makes folders, files or a table when it only looks."""
    (home := tmp_path / "home").mkdir()
    (home / "x.db").touch()
    where = f"migrate_from.{option.format(home)}"
    words = ("-o", f"migrate_from={backend}", "-o", where, "-o", f"migrate_from.lock_dir={home}")
    found = seen(capsys, "-c", made, "--read-only", *words, code=0, matter="migrate_from")

    assert "was not checked" in found[-1][1]
    assert [one.name for one in home.iterdir()] == ["x.db"]
    assert (home / "x.db").stat().st_size == 0
    assert seen(capsys, "-c", made, *words, code=0, matter="migrate_from")[-1][1].endswith(
        "answers"
    )
    assert (home / "x.db").stat().st_size or len(list(home.iterdir())) > 1


class OwnLookup(dict[str, object]):
    """What `beaker.cache.clsmap` is, where its lookup goes another way."""

    def __missing__(self, name: str) -> object:
        """Look it up as Beaker 1.13 does: without pkg_resources there are no entry points."""
        raise KeyError(name)


def no_entry_points() -> object:
    """Make Beaker's own lookup, as it is before the first one."""
    return beaker.cache._backends({})


@pytest.mark.parametrize("lookup", [OwnLookup, no_entry_points])
def test_a_beaker_that_does_not_find_the_backend_is_an_error(
    lookup: Callable[[], object],
    made: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every request would fail with KeyError, and all the rest is well."""
    monkeypatch.setattr(beaker.cache, "clsmap", lookup())
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    ((severity, said, remedy),) = seen(capsys, "-c", made, code=1, matter="backend")

    assert severity == "error"
    assert "Beaker does not find ext:dynamodb" in said
    assert remedy == "pip install -U 'Beaker>=1.14' beaker-dynamodb"


def test_a_beaker_that_finds_another_class_is_an_error(
    made: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named, so that its package can be found."""
    monkeypatch.setattr(beaker.cache, "clsmap", {"ext:dynamodb": MemoryNamespaceManager})
    ((_, said, _),) = seen(capsys, "-c", made, code=1, matter="backend")

    assert said.endswith("ext:dynamodb: beaker.container.MemoryNamespaceManager")
