"""What is read out of a document is what stands in it: else a block or a link goes untried."""

from __future__ import annotations

from pathlib import Path

import pytest

from beaker_dynamodb import OptionError
from tests import documents
from tests.test_docs_blocks import commands, lines_of, parsed, run_with_those_before

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
    """Write the two pages down."""
    (tmp_path / "other.md").write_text(OTHER, "utf-8")
    path = tmp_path / "page.md"
    path.write_text(TEXT, "utf-8")
    return path


def test_a_block_is_read_with_its_marks(page: Path) -> None:
    """Marks of one kind are lines, a remark is none, and a block in a list is a block."""
    first, second, third = documents.blocks(page)

    assert (str(first), first.language, first.text) == ("page.md:11", "python", "z = x + y\n")
    assert first.marks == {"given": "x = 1\ny = 2", "then": "assert z == 3"}
    assert second.marks == {"continued": ""}
    assert list(commands(third.text)) == [
        "beaker-dynamodb table create    -c production.ini",
        'echo "done"',
    ]


def test_a_block_goes_on_where_the_one_before_it_ended(page: Path) -> None:
    """A block that continues has the names of the former; what is to hold afterwards is tried."""
    first, second, _ = documents.blocks(page)

    assert run_with_those_before(second)["z"] == 4
    wrong = page.read_text("utf-8").replace("z == 3", "z == 4")
    page.write_text(wrong, "utf-8")
    with pytest.raises(AssertionError):
        run_with_those_before(next(documents.blocks(page)))
    assert first.marks != next(documents.blocks(page)).marks


def test_headings_are_named_as_github_names_them(page: Path) -> None:
    """A second heading of the same name has a number; a remark in a block is no heading."""
    assert documents.anchors(page) == {"the-first-page"}
    assert documents.anchors(page.with_name("other.md")) == {"two-words", "two-words-1"}


@pytest.mark.parametrize(
    ("link", "lost"),
    [
        ("other.md#two-words-1", False),
        ("#the-first-page", False),
        ("other.md", False),
        ("other.md#three-words", True),
        ("#two-words", True),
        ("nowhere.md", True),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link: str, lost: bool, page: Path) -> None:
    """A link needs its file, and an anchor its heading; the web is not asked."""
    assert documents.links(page) == ["other.md#two-words-1", "#the-first-page"]
    assert documents.leads_nowhere(page, link) is lost


@pytest.mark.parametrize(
    "text",
    [
        "session.tabel = x",
        "session.touch_after = soon",
        "cache.regions = short\ncache.short.type = ext:dynamodb\ncache.short.lock = paper",
        "[app:main]\nsession.prefix = two words:",
    ],
)
def test_an_ini_line_that_no_application_could_have_is_found(text: str) -> None:
    """A misspelled option and a value that is none are errors, for sessions and for caches."""
    (section,) = lines_of(text).values()

    with pytest.raises(OptionError):
        parsed(section)
