"""The policies, compared with the calls that applications and operators really make."""

from __future__ import annotations

import pytest

from beaker_dynamodb import DynamoDBNamespaceManager, UserSessions
from beaker_dynamodb.__main__ import main
from beaker_dynamodb.config.sources import Kind, parse
from beaker_dynamodb.provisioning import iam
from tests.instruments import Recorder
from tests.ops.example_apps import LARGE, ExampleApp


def use_a_session(options: dict[str, str]) -> None:
    """Create a session, read it, change it, make it large and small again, and delete it."""
    manager = DynamoDBNamespaceManager("session", digest_filenames=False, **options)
    for text in ("text", LARGE, LARGE + "!"):
        manager["session"] = text
        fresh = DynamoDBNamespaceManager("session", digest_filenames=False, **options)
        assert fresh["session"] == text
    del manager["session"]


def use_a_cache(options: dict[str, str]) -> None:
    """Fill a cache under its lock, read it, replace a large value, remove one, and clear it."""
    manager = DynamoDBNamespaceManager("cache", **options)
    lock = manager.get_creation_lock("key")
    assert lock.acquire()
    for value in ("text", LARGE, LARGE + "!"):
        manager["key"] = value
        assert manager["key"] == value
    lock.release()
    del manager["key"]
    if "range_key" in options:
        assert manager.keys() == []
        manager["key"] = "text"
        manager.remove()


USES = {"session": use_a_session, "cache": use_a_cache}


@pytest.mark.parametrize("kind", ["session", "cache"])
@pytest.mark.parametrize("range_key", ["", "part"], ids=["hash", "range"])
@pytest.mark.parametrize("create_table", ["true", "false"])
def test_an_applications_policy_allows_its_calls_and_no_more(
    kind: Kind,
    range_key: str,
    create_table: str,
    dynamodb_local: str,
    table_name: str,
    calls: Recorder,
) -> None:
    """Every operation that was sent is allowed; an action that is not needed is named here."""
    options = {"endpoint_url": dynamodb_local, "table": table_name, "compress": "false"}
    options |= {"range_key": range_key} if range_key else {}
    if create_table == "false":
        DynamoDBNamespaceManager("x", **options).keys() if range_key else use_a_cache(options)
        calls.clear()
    options["create_table"] = create_table
    USES[kind](options)

    granted = iam.actions("app", parse(options, kind))

    assert set(calls.names) <= granted
    # A session with a range key needs no Query: it is for clear() and keys() of a cache.
    unused = {"Query"} if kind == "session" else set()
    assert granted - set(calls.names) <= unused


def test_an_applications_policy_allows_what_user_sessions_calls(
    dynamodb_local: str, table_name: str, calls: Recorder
) -> None:
    """The flag adds a Query and a BatchGetItem, and nothing that is not called."""
    site = ExampleApp.create(
        dynamodb_local, table_name, special_keys="userId", create_table="false"
    )
    site.save("phone", userId=42)
    settings = {f"session.{name}": value for name, value in site.options.items()}
    calls.clear()

    users = UserSessions({"session.type": "ext:dynamodb", **settings}, "userId", 42)
    assert (len(list(users)), users.end_all()) == (1, 1)

    options = parse(site.options, "session")
    granted = iam.actions("app", options, user_sessions=True)
    assert set(calls.names) == {"Query", "BatchGetItem", "DeleteItem"} <= granted
    assert granted - iam.actions("app", options) == {"Query", "BatchGetItem"}


def run_operator_commands(site: ExampleApp) -> None:
    """Show the table; run every command on sessions once, on small ones and one in chunks."""
    for words in (
        ["list"],
        ["count"],
        ["show", "large"],
        ["stats", "--sample", "10"],
        ["purge"],
        *([["revoke", "userId=42", "--yes"]] if "special_keys" in site.options else []),
        ["delete", "large"],
        ["revoke", "--all", "--yes"],
    ):
        assert main(site.argv("sessions", *words)) == 0, words
    assert main(site.argv("table", "show")) == 0


@pytest.mark.parametrize("range_key", ["", "part"], ids=["hash", "range"])
@pytest.mark.parametrize("special_keys", ["", "userId:S"], ids=["no index", "index"])
def test_an_operators_policy_allows_the_commands_and_no_more(
    range_key: str, special_keys: str, dynamodb_local: str, table_name: str, calls: Recorder
) -> None:
    """It allows exactly the operations that the commands on sessions and tables send."""
    more = {"range_key": range_key, "special_keys": special_keys, "compress": "false"}
    site = ExampleApp.at(dynamodb_local, table_name)
    site = ExampleApp({n: v for n, v in (site.options | more).items() if v})
    site.create_table()
    site.save("small", userId=42)
    site.save("large", text=LARGE)
    site.expire("gone")
    calls.clear()
    run_operator_commands(site)

    granted = iam.actions("operator", parse(site.options, "session"))

    assert set(calls.names) == granted
