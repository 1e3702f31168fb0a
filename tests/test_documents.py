"""tests/documents.py finds every block and link: one that it missed would not be tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from beaker_dynamodb import OptionError
from tests import documents
from tests.test_docs_blocks import parse_section, read_ini, run_after_previous, split_commands

TEXT = """# The first `page`

See [there](other.md#two-words-1), [here](#the-first-page), [the web](https://example.org/#x).

<!-- a remark -->
<!-- given: x = 1 -->
<!-- given:
y = 2
-->
<!-- then: assert z == 3 -->
```python
z = x + y
```

<!-- continued -->
```python
z += 1
```

* A list:

  ```sh
  beaker-dynamodb table create \\
    -c production.ini && echo "done"  # or not
  ```
"""
OTHER = "# Two words\n\n```sh\n# two words, too\n```\n\n## [Two](x.md) words\n"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Write the two pages into files."""
    (tmp_path / "other.md").write_text(OTHER, "utf-8")
    path = tmp_path / "page.md"
    path.write_text(TEXT, "utf-8")
    return path


def test_a_block_is_read_with_its_marks(page: Path) -> None:
    """Marks of one name are joined, other comments are ignored, a block in a list is found."""
    first, second, third = documents.read_blocks(page)

    assert (str(first), first.language, first.text) == ("page.md:11", "python", "z = x + y\n")
    assert first.marks == {"given": "x = 1\ny = 2", "then": "assert z == 3"}
    assert second.marks == {"continued": ""}
    assert list(split_commands(third.text)) == [
        "beaker-dynamodb table create    -c production.ini",
        'echo "done"',
    ]


def test_a_continued_block_has_the_names_of_the_previous_one(page: Path) -> None:
    """The code in `then` is run too: a wrong assertion fails."""
    first, second, _ = documents.read_blocks(page)

    assert run_after_previous(second)["z"] == 4
    wrong = page.read_text("utf-8").replace("z == 3", "z == 4")
    page.write_text(wrong, "utf-8")
    with pytest.raises(AssertionError):
        run_after_previous(next(documents.read_blocks(page)))
    assert first.marks != next(documents.read_blocks(page)).marks


def test_headings_are_named_as_github_names_them(page: Path) -> None:
    """The second heading of a name has a number; a comment in a block is not a heading."""
    assert documents.list_anchors(page) == {"the-first-page"}
    assert documents.list_anchors(page.with_name("other.md")) == {"two-words", "two-words-1"}


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("other.md#two-words-1", False),
        ("#the-first-page", False),
        ("other.md", False),
        ("other.md#three-words", True),
        ("#two-words", True),
        ("nowhere.md", True),
    ],
)
def test_a_broken_link_is_found(link: str, broken: bool, page: Path) -> None:
    """A link needs an existing file, and an anchor an existing heading."""
    assert documents.list_links(page) == ["other.md#two-words-1", "#the-first-page"]
    assert documents.is_broken(page, link) is broken


@pytest.mark.parametrize(
    "text",
    [
        "session.tabel = x",
        "session.touch_after = soon",
        "cache.regions = short\ncache.short.type = ext:dynamodb\ncache.short.lock = paper",
        "[app:main]\nsession.prefix = two words:",
    ],
)
def test_a_wrong_ini_line_is_found(text: str) -> None:
    """A misspelled option and an invalid value are errors, for sessions and for caches."""
    (section,) = read_ini(text).values()

    with pytest.raises(OptionError):
        parse_section(section)
