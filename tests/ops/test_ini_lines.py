"""An error names the line of the ini file that must be changed."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaker_dynamodb.config.sources import PlacedText
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.ops.application import load_application
from beaker_dynamodb.ops.doctor.examine import examine
from beaker_dynamodb.settings.ini import find_section

NAMES = st.sampled_from(("session.a", "session.B", "session.c", "cache.d", "cache.e"))
SECTIONS = st.sampled_from(("DEFAULT", "app:main", "app:other"))
#: What may be between two options: no option itself.
FILLERS = st.sampled_from(("", "# session.a = 1", "; [app:main]", "#", "  # indented"))
#: Further lines of a value, some of which look like a header or an option.
FURTHER = st.sampled_from(("  more", "  [app:main]", "  session.a = 1", "\tx: y"))
OPTIONS = st.tuples(NAMES, st.sampled_from((" = ", "=", ": ")), st.lists(FURTHER, max_size=2))
BLOCKS = st.lists(st.tuples(SECTIONS, st.lists(OPTIONS | FILLERS, max_size=6)), max_size=6)


@given(BLOCKS)
def test_each_setting_knows_its_own_line(
    blocks: list[tuple[str, list[str | tuple[str, str, list[str]]]]],
) -> None:
    """In any file; each value here is the number of its line."""
    lines = ["[app:main]"]
    for section, parts in blocks:
        lines.append(f"[{section}]")
        for part in parts:
            if isinstance(part, str):
                lines.append(part)
            else:
                name, sign, further = part
                lines += [f"{name}{sign}{len(lines) + 1}", *further]
    with TemporaryDirectory() as folder:
        path = Path(folder, "app.ini")
        path.write_text("\n".join(lines))
        settings = find_section(f"{path}#main").settings

    for name in settings.keys() - {"here", "__file__"}:
        value = settings[name]
        assert isinstance(value, PlacedText)
        assert value.place == f"line {value.split()[0]} of {path}", name


SHARED = """[DEFAULT]
session.table = x

[app:base]
set session.ttl = y
session.type = ext:dynamodb
"""
MAIN = """[app:main]
use = config:shared.ini#base
wait = 5 minutes
session.lock_wait = %(wait)s
get session.read_timeout = session.ttl
session.connect_timeout = a
"""


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("table", "line 2 of {shared}"),
        ("ttl", "line 5 of {shared}"),
        ("lock_wait", "line 4 of {main}"),
        ("connect_timeout", "line 6 of {main}"),
    ],
)
def test_a_setting_from_another_file_names_that_file(tmp_path: Path, name: str, place: str) -> None:
    """Of `use = config:`, `set`, `[DEFAULT]` and interpolation, the line that was written."""
    shared, main = tmp_path / "shared.ini", tmp_path / "main.ini"
    shared.write_text(SHARED)
    main.write_text(MAIN)
    expected = f"option '{name}' in {place.format(shared=shared, main=main)} has"

    assert any(expected in one.message for one in examine(str(main)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("session.tabel = x", "unknown option 'tabel' in line 4 of {path}; did you mean"),
        ("session.ttl = x", "option 'ttl' in line 4 of {path} has 'x'"),
        ("session.url = dynamodb:///x", "option 'table' set in option 'url' in line 4 of {path}"),
        ("session.aws_access_key_id = x", "'aws_access_key_id' is in line 4 of {path}"),
    ],
)
def test_every_command_names_the_line(tmp_path: Path, line: str, message: str) -> None:
    """Whether the name, the value, the url or the combination is wrong."""
    path = tmp_path / "app.ini"
    path.write_text(f"[app:main]\nsession.type = ext:dynamodb\nsession.lock_wait = 1s\n{line}\n")

    with pytest.raises(OptionError) as caught:
        load_application(str(path))
    assert message.format(path=path) in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("session.timeout = 1h", "Beaker refuses line 3 of {path} at start-up: "),
        ("session.max_items = 4", "session.max_items in line 3 of {path} is not read"),
        ("cache.table = x", "cache.table in line 3 of {path} is not read by the cache region"),
    ],
)
def test_the_doctor_names_the_line(tmp_path: Path, line: str, message: str) -> None:
    """Of a setting that is not one of ours, or that nothing reads."""
    path = tmp_path / "app.ini"
    regions = "cache.regions = a\ncache.a.type = ext:dynamodb\ncache.a.region = eu-west-1\n"
    head = "[app:main]\nsession.type = ext:dynamodb\n"
    path.write_text(f"{head}{line}\nsession.endpoint_url = embedded\n{regions}")

    assert any(message.format(path=path) in one.message for one in examine(str(path)))
