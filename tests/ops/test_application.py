"""An operator's options are the application's own: its ini file, read as its server reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.ops.application import (
    find_mistakes,
    find_unread,
    load_application,
)
from beaker_dynamodb.settings.beaker_settings import TYPE_SETTINGS, list_cache_regions
from beaker_dynamodb.settings.check import Mistake
from beaker_dynamodb.settings.ini import read_settings

ROOT = Path(__file__).parents[2]
INI = """
[DEFAULT]
place = %(here)s/data

[app:main]
use = base
session.type = ext:dynamodb
session.table = mine
beaker.session.hash_ids = true
session.timeout = 1800
session.key = c
session.secret = 50% of it
session.data_dir = %(place)s
cache.regions = short, other
cache.type = ext:dynamodb
cache.short.expire = 60
cache.short.table = short-one
cache.other.type = memory

[app:base]
session.table = theirs
session.region = eu-central-1

[filter:two]
use = config:more.ini#three
set session.table = two
session.type = dynamodb

[app:typo]
session.type = ext:dynamo

[app:plain]
session.type = file
"""


@pytest.fixture(name="ini")
def ini_(tmp_path: Path) -> str:
    """A file with what such files hold, and one that it builds upon."""
    (tmp_path / "more.ini").write_text("[filter:three]\nsession.region = eu-west-1\n")
    path = tmp_path / "app.ini"
    path.write_text(INI)
    return str(path)


def test_sessions_are_those_of_the_application(ini: str) -> None:
    """The options are those of the file, and Beaker's own settings are kept beside them."""
    found = load_application(ini)

    assert (found.options.table, found.options.region) == ("mine", "eu-central-1")
    assert found.options.hash_ids
    assert (found.kind, found.secret) == ("session", "50% of it")
    assert found.settings["timeout"] == "1800"
    assert found.settings["data_dir"] == f"{Path(ini).parent}/data"


def test_what_is_given_wins_over_the_file(ini: str) -> None:
    """By its plain name, or by the one that it has in the file."""
    assert load_application(ini, given={"table": "other"}).options.table == "other"
    assert load_application(ini, given={"session.table": "other"}).options.table == "other"


@pytest.mark.parametrize(
    ("given", "envelope"),
    [
        ({}, "auto"),
        ({"data_serializer": "json"}, "json"),
        ({"session.data_serializer": "json"}, "json"),
        ({"data_serializer": "pickle"}, "auto"),
        ({"data_serializer": "json", "envelope": "none"}, "none"),
        ({"envelope": "json"}, "json"),
    ],
)
def test_an_operator_opens_no_pickle_of_an_application_that_writes_json(
    ini: str, given: dict[str, str], envelope: str
) -> None:
    """Beaker's own setting decides if the option is not set."""
    assert load_application(ini, given=given).options.envelope == envelope


def test_what_the_file_says_of_the_serializer_counts(tmp_path: Path) -> None:
    """As it does for Beaker; a cache has no such setting."""
    path = tmp_path / "json.ini"
    path.write_text(
        "[app:main]\nsession.type = ext:dynamodb\nsession.data_serializer = json\n"
        "cache.type = ext:dynamodb\n"
    )

    assert load_application(str(path)).options.envelope == "json"
    assert (
        load_application(str(path), given={"data_serializer": "pickle"}).options.envelope == "auto"
    )
    assert load_application(str(path), cache="default").options.envelope == "auto"


def test_a_section_is_named_behind_a_hash_sign(ini: str) -> None:
    """By its short or its whole name; another file that it builds upon is read."""
    for name in ("two", "filter:two"):
        found = load_application(f"{ini}#{name}")
        assert (found.options.table, found.options.region) == ("two", "eu-west-1")


def test_a_region_of_a_cache_is_read_as_beaker_reads_it(ini: str) -> None:
    """A region inherits the type and no table; `default` means the options without a region."""
    short, plain = load_application(ini, cache="short"), load_application(ini, cache="default")

    assert (short.options.table, short.options.prefix) == ("short-one", "cache:")
    assert (plain.options.table, plain.settings["expire"]) == ("sessions", None)
    assert (
        load_application(cache="any").options.prefix == "cache:"
    )  # without a file all are the same


@pytest.mark.parametrize(
    ("section_", "cache", "words"),
    [
        ("plain", None, "session.type is 'file', not 'ext:dynamodb'"),
        ("base", None, "session.type is not set; name the section that sets it"),
        (
            "nobody",
            None,
            "no section 'nobody'; it has app:main, app:base, filter:two, app",
        ),
        ("typo", None, "session.type is 'ext:dynamo', not 'ext:dynamodb'; it is misspelled"),
        ("main", "nobody", "no cache region 'nobody'; it has short, other, default"),
        ("main", "other", "cache.type is 'memory'"),
    ],
)
def test_another_backend_is_not_inspected_by_mistake(
    ini: str, section_: str, cache: str | None, words: str
) -> None:
    """The sentence says what is there instead."""
    with pytest.raises(OptionError) as caught:
        load_application(f"{ini}#{section_}", cache=cache)

    assert words in str(caught.value)


def test_an_option_selects_this_backend_before_the_file_does(ini: str) -> None:
    """The table is made before the switch."""
    assert (
        load_application(f"{ini}#plain", given={"type": "ext:dynamodb"}).options.table == "sessions"
    )


def test_the_examples_files_are_understood() -> None:
    """What people copy is what the command line reads."""
    found = load_application(str(ROOT / "examples" / "pyramid_app" / "production.ini"))

    assert (found.options.table, found.options.region) == ("myapp-sessions", "eu-central-1")


@pytest.mark.parametrize(
    ("given", "cache", "call"),
    [
        ({}, None, "-c {ini}"),
        ({"ttl": "5 m"}, "short", "-c {ini} -o 'ttl=5 m' --cache short"),
        (
            {"session.secret": "s", "url": "dynamodb:///tab"},
            None,
            "-o session.secret=... -o url=dyn",
        ),
        ({"url": "dynamodb:///tab?ttl=5"}, None, "-o url=..."),
        ({"aws_access_key_id": "k", "aws_secret_access_key": "s"}, None, "key_id=... -o aws_sec"),
        ({"migrate_from": "file", "migrate_from.url": "x://:p@h"}, None, "-o migrate_from.url=..."),
        (
            {"migrate_from": "file", "migrate_from.data_dir": "/old s"},
            None,
            "-o 'migrate_from.data_dir=/old s'",
        ),
    ],
)
def test_what_the_caller_typed_is_repeated_in_remedies(
    ini: str, given: dict[str, str], cache: str | None, call: str
) -> None:
    """Then a remedy can be pasted, and means the same table; a secret is three dots."""
    found = load_application(ini, given=given, cache=cache)

    assert call.format(ini=ini) in found.arguments
    assert found.create_command() == f"beaker-dynamodb table create {found.arguments}"


def test_without_words_of_the_caller_a_remedy_is_written_from_the_options() -> None:
    """An environment says it all, for instance."""
    assert load_application().create_command() == "beaker-dynamodb table create -o table=sessions"


def test_every_mistake_is_reported_not_only_the_first(ini: str) -> None:
    """By the name that it has in the file; contradictions are among them."""
    given = {"ttl": "soon", "hash_key": "data", "touch_after": "x", "read_capacity_units": "5"}
    found = {one.name: one.message for one in find_mistakes(ini, given=given)}

    assert list(found) == ["-o ttl", "-o touch_after", "-o hash_key", "-o read_capacity_units"]
    assert "'soon'" in found["-o ttl"]
    text = Path(ini).read_text()
    Path(ini).write_text(text.replace("short-one", "x").replace("= mine", "= y"))
    assert [one.name for one in find_mistakes(ini)] == ["session.table"]
    assert [one.name for one in find_mistakes(ini, cache="short")] == ["cache.short.table"]
    Path(ini).write_text(text)
    assert list(find_mistakes(ini)) == []


def test_a_mistake_outside_the_file_is_reported_once(
    ini: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable is not in the file, so the mistake has no name."""
    monkeypatch.setenv("BEAKER_DYNAMODB_TTL", "soon")
    (found,) = find_mistakes(ini)

    assert found == Mistake("", found.message)
    assert "'ttl'" in found.message


def test_a_setting_that_nothing_reads_is_reported_with_the_nearest_one(ini: str) -> None:
    """Beaker takes any name without a word, and sessions live for a month."""
    with Path(ini).open("a") as file:
        file.write("session.time_out = 60\nsession.zzzz = 1\nsession.type = ext:dynamodb\n")

    found = [(name, nearest) for name, _, nearest in find_unread(f"{ini}#plain")]
    assert found == [("time_out", "timeout"), ("zzzz", None)]
    assert list(find_unread(ini)) == list(find_unread(ini, cache="short")) == []


def test_the_caches_of_a_file_are_those_kept_in_a_table(ini: str, tmp_path: Path) -> None:
    """Each region may have a table of its own; without regions there is one."""
    (tmp_path / "one.ini").write_text("[app:main]\ncache.type = ext:dynamodb\n")
    (tmp_path / "none.ini").write_text("[app:main]\nx = y\n")

    files = {"own": ini, "one": f"{tmp_path / 'one.ini'}", "none": f"{tmp_path / 'none.ini'}"}
    found = {
        name: list_cache_regions(read_settings(path, TYPE_SETTINGS["cache"]))
        for name, path in files.items()
    }

    assert found == {"own": ("short",), "one": ("default",), "none": ()}


@pytest.mark.parametrize("name", ["encryption_keys", "aws_secret_access_key"])
@pytest.mark.parametrize("begin", ["", "cache.", "beaker.cache."])
def test_a_secret_of_a_cache_is_hidden_under_each_of_its_names(begin: str, name: str) -> None:
    """The command that a remedy says is pasted into tickets."""
    secret = "UzNDUjNUUzNDUjNUUzNDUjNUUzNDUjNUUzNDUjNUUzM="
    given = {"table": "abc", f"{begin}{name}": secret}
    given |= {"aws_access_key_id": "x"} if name.startswith("aws_") else {}
    found = load_application(given=given, cache="default")

    assert secret not in found.create_command()
    assert f"{begin}{name}=..." in found.create_command()
