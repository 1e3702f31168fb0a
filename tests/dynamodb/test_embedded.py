"""An in-memory DynamoDB inside the process: `endpoint_url = embedded`, for development."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from beaker_dynamodb.dynamodb import embedded
from tests.dynamodb.doubles import run_in_child
from tests.servers import answers
from tests.sessions import apps

ROOT = Path(__file__).parents[2]

WITHOUT = """
import sys

sys.modules["{module}"] = None
import beaker_dynamodb
manager = beaker_dynamodb.DynamoDBNamespaceManager(
    "abc", digest_filenames=False, endpoint_url="embedded"
)
try:
    manager["session"]
except beaker_dynamodb.OptionError as error:
    print(error)
"""


@pytest.fixture(autouse=True)
def no_aws_at_all(no_aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take away what a machine without an account has not: keys and a region."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    yield
    embedded.stop()


def test_a_session_needs_neither_account_nor_table(table_name: str) -> None:
    """One line of ini is enough: no keys, no region, no table made by hand."""
    lines = {"session.type": "ext:dynamodb", "session.endpoint_url": "embedded"}
    site = apps.under_beaker(apps.application, {**lines, "session.table": table_name})
    web = apps.browser(site)

    session = web.get("/set?user=alice").json["id"]

    assert web.get("/read").json == {"id": session, "new": False, "values": {"user": "alice"}}
    assert embedded.get_url().startswith("http://127.0.0.1:")


def test_a_new_table_in_memory_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Each start of the process creates it, also under the default name: nothing is wrong."""
    lines = {"session.type": "ext:dynamodb", "session.endpoint_url": "embedded"}
    apps.browser(apps.under_beaker(apps.application, lines)).get("/set?user=alice")

    assert not [record for record in caplog.records if "was created" in record.getMessage()]


def test_the_server_is_one_a_process_and_ends() -> None:
    """All managers share it; when it is stopped nothing listens any more."""
    first, second = embedded.get_url(), embedded.get_url()

    embedded.stop()

    assert first == second
    assert not answers(first)


@pytest.mark.parametrize("module", ["moto", "flask", "flask_cors"])
def test_without_the_extra_the_error_names_it(module: str) -> None:
    """Where moto or its server is not installed, the error says what to install."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(module=module)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stderr == ""
    assert "pip install 'beaker-dynamodb[embedded]'" in done.stdout


def test_a_forked_child_has_a_server_of_its_own(table_name: str) -> None:
    """What a child stores is its own: a second process needs DynamoDB Local."""
    manager = apps.manager("embedded", table_name, "alice")
    manager["session"] = "text"
    here = embedded.get_url()

    def child() -> tuple[str, str]:
        apps.manager("embedded", table_name, "bob")["session"] = "text of the child"
        return embedded.get_url(), apps.manager("embedded", table_name, "bob")["session"]

    there, found = run_in_child(child)

    assert there != here
    assert found == "text of the child"
    assert "session" not in apps.manager("embedded", table_name, "bob")
    assert apps.manager("embedded", table_name, "alice")["session"] == "text"
