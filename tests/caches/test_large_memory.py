"""The memory that a large session takes while it is saved and loaded."""

from __future__ import annotations

import pytest

from tests.caches import subprocesses
from tests.caches.tables import Table

#: How many times the size of the pickle. Beaker alone takes 3.7 times: the pickle, its base64, and
#: the text made of that.
LIMIT, LIMIT_OF_OBJECTS = 5.0, 5.5
ENCRYPTION_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.mark.parametrize(
    ("transport", "has_object", "limit"),
    [("wire", False, LIMIT), ("boto3", False, LIMIT), ("wire", True, LIMIT_OF_OBJECTS)],
)
def test_a_large_session_takes_a_few_times_its_pickle(
    plain: Table, transport: str, *, has_object: bool, limit: float
) -> None:
    """A first save, a load, and a save of another value: the peaks that Python has allocated.

    A session with an object is opened to be compared with what was loaded, which is opened too.
    """
    table = plain.with_options(transport=transport, encryption_keys=ENCRYPTION_KEY)

    peaks = subprocesses.run("measure_memory", table, size=11_000_000, has_object=has_object)

    assert list(peaks) == ["create", "load", "change"]
    assert max(peaks.values()) < limit, peaks
