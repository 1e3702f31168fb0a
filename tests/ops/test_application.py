"""An operator's options are the application's own: its ini file, read as its server reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.ops.application import application, section

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
    """What the file says is what is inspected; Beaker's own settings stand beside it."""
    found = application(ini)

    assert (found.options.table, found.options.region) == ("mine", "eu-central-1")
    assert found.options.hash_ids
    assert (found.kind, found.source, found.secret) == ("session", ini, "50% of it")
    assert found.settings["timeout"] == "1800"
    assert found.settings["data_dir"] == f"{Path(ini).parent}/data"


def test_what_is_given_wins_over_the_file(ini: str) -> None:
    """By its plain name, or by the one that it has in the file."""
    assert application(ini, given={"table": "other"}).options.table == "other"
    assert application(ini, given={"session.table": "other"}).options.table == "other"


def test_a_section_is_named_behind_a_hash_sign(ini: str) -> None:
    """By its short or its whole name; another file that it builds upon is read."""
    for name in ("two", "filter:two"):
        found = application(f"{ini}#{name}")
        assert (found.options.table, found.options.region) == ("two", "eu-west-1")


def test_a_region_of_a_cache_is_read_as_beaker_reads_it(ini: str) -> None:
    """A region inherits the type and no table; `default` means the options without a region."""
    short, plain = application(ini, cache="short"), application(ini, cache="default")

    assert (short.options.table, short.options.prefix) == ("short-one", "cache:")
    assert (plain.options.table, plain.settings["expire"]) == ("sessions", None)


@pytest.mark.parametrize(
    ("section_", "cache", "words"),
    [
        ("plain", None, "session.type is 'file', not 'ext:dynamodb'"),
        ("base", None, "session.type is not set"),
        ("nobody", None, "no section 'nobody'; it has app:main, app:base, filter:two, app:plain"),
        ("main", "nobody", "no cache region 'nobody'; it has short, other, default"),
        ("main", "other", "cache.type is 'memory'"),
    ],
)
def test_another_backend_is_not_inspected_by_mistake(
    ini: str, section_: str, cache: str | None, words: str
) -> None:
    """The sentence says what is there instead."""
    with pytest.raises(OptionError) as caught:
        application(f"{ini}#{section_}", cache=cache)

    assert words in str(caught.value)


def test_a_file_that_is_not_switched_over_yet_can_be_told_to_be(ini: str) -> None:
    """The table is made before the switch."""
    assert application(f"{ini}#plain", given={"type": "ext:dynamodb"}).options.table == "sessions"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """No traceback of the parser's."""
    (tmp_path / "bad.ini").write_text("table = x\n")

    for name in ("none.ini", "bad.ini"):
        with pytest.raises(OptionError, match=name):
            application(str(tmp_path / name))


def test_the_examples_files_are_understood() -> None:
    """What people copy is what the command line reads."""
    found = application(str(ROOT / "examples" / "pyramid_app" / "production.ini"))

    assert (found.options.table, found.options.region) == ("myapp-sessions", "eu-central-1")


def test_files_that_build_upon_each_other_end(tmp_path: Path) -> None:
    """A circle of `use` is read a few times, not for ever."""
    path = tmp_path / "round.ini"
    path.write_text("[app:main]\nuse = config:round.ini\nsession.table = t\n")

    assert section(str(path))["session.table"] == "t"
