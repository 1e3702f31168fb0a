"""The checker is checked: it finds each deliberate defect; the documents name what it checks."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from tests.model import cache_defects, cache_properties, history, properties, user_properties
from tests.model.defects import DEFECTS, Defect, find_violation
from tests.model.properties import PROPERTIES

pytestmark = pytest.mark.no_cover  # the tests of each module cover the branches

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name.replace(" ", "_"))
def test_a_deliberate_defect_is_found(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its shortest history breaks the property that guards against it, as the document says."""
    with monkeypatch.context() as patch:
        defect.put_in(patch)
        found = find_violation(defect.scenario, patch)

    assert found.violation.startswith(f"{defect.violates.__name__}: "), str(found)
    assert defect.format_row(found) in (DOCS / "verification.md").read_text().splitlines()


@pytest.mark.parametrize(
    ("title", "defects", "count"),
    [("defect", DEFECTS, 22), ("defect of a cache", cache_defects.DEFECTS, 13)],
)
def test_every_defect_is_in_the_documents(
    title: str, defects: tuple[Defect, ...], count: int
) -> None:
    """docs/verification.md lists these, and no others."""
    (table,) = re.findall(
        rf"\n\| {title} \|.*\n\|-.*\n((?:\|.*\n)+)", (DOCS / "verification.md").read_text()
    )
    names = [row.split(" | ")[0].removeprefix("| ") for row in table.splitlines()]

    assert names == [defect.name for defect in defects]
    assert len(names) == count


def test_every_guarantee_names_its_properties() -> None:
    """Each sentence under "Guaranteed" names properties of the checker, and each is named."""
    text = (DOCS / "consistency.md").read_text()
    (guaranteed,) = re.findall(r"## Guaranteed\n(.*?)\n## ", text, re.DOTALL)
    of_sessions, _, of_caches = guaranteed.partition("\nOf caches, ")
    sentences = [one for one in of_sessions.split("\n* ") if one.startswith("**")]
    names = [re.findall(r"`(\w+)`", one.rpartition("(")[2]) for one in sentences]
    names = [one for one, text in zip(names, sentences, strict=True) if "(by tests)" not in text]

    assert {name for one in names for name in one} == {one.__name__ for one in PROPERTIES}
    assert all(names)
    of_caches_named = {one.__name__ for one in cache_properties.PROPERTIES}
    assert of_caches_named <= set(re.findall(r"`(\w+)`", of_caches))


def test_every_exception_of_a_property_is_documented() -> None:
    """A property makes an exception only for what docs/consistency.md does not guarantee."""
    text = (DOCS / "consistency.md").read_text()
    sources = "".join(inspect.getsource(one) for one in (properties, user_properties, history))
    named = re.findall(r'Not guaranteed: "(.*?)"', sources, re.DOTALL)

    assert len(named) == 11
    assert [name for name in named if f"* **{name}" not in text] == []
