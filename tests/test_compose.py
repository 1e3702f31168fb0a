"""The compose file starts DynamoDB Local as the tests start it, but no test runs Docker."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.servers import DynamoDBLocal

FILE: Final = Path(__file__).parents[1] / "examples" / "compose.yaml"


@pytest.fixture
def service() -> Any:
    """Return the only service of the file."""
    (found,) = yaml.safe_load(FILE.read_text("utf-8"))["services"].values()
    return found


def test_the_flags_are_those_that_the_tests_use(service: Any) -> None:
    """A process that these tests have started answers under the same flags, but another port."""
    with DynamoDBLocal() as server:
        line = Path(f"/proc/{server.process.pid}/cmdline").read_text("utf-8").split("\0")
    jar = line.index("-jar")
    flags = line[jar + 2 : line.index("-port")]

    assert service["command"].split() == ["-jar", Path(line[jar + 1]).name, *flags]


def test_only_this_machine_reaches_the_server(service: Any) -> None:
    """It has no password. Its port is the one that the fixtures look at."""
    assert service["ports"] == ["127.0.0.1:8000:8000"]


def test_the_file_has_no_misspelled_key(service: Any) -> None:
    """Docker would refuse it; the image's release is named, so that a new one is a decision."""
    document = yaml.safe_load(FILE.read_text("utf-8"))

    assert document.keys() == {"services"}
    assert service.keys() == {"image", "command", "ports"}
    assert service["image"].startswith("amazon/dynamodb-local:3.")
