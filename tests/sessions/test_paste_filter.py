"""`use = egg:beaker-dynamodb`: what the filter refuses; other tests show that it serves."""

from __future__ import annotations

from pathlib import Path

import pytest
from paste.deploy import loadfilter

from beaker_dynamodb.errors import OptionError


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "sets no session.type = ext:dynamodb$"),
        ("type = ext:dynamodb\nsecret = s", "each line begins with 'session.'"),
        ("session.type =", "sets no session.type"),
    ],
)
def test_a_filter_that_names_no_type_does_not_start(tmp_path: Path, lines: str, words: str) -> None:
    """Beaker would keep the sessions in the memory of one process, and say nothing."""
    ini = tmp_path / "site.ini"
    ini.write_text(f"[filter:main]\nuse = egg:beaker-dynamodb\n{lines}\n")

    with pytest.raises(OptionError, match=words):
        loadfilter(f"config:{ini}")
