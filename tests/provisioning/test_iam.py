"""IAM policies: what each role may do with given options, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

import boto3
import pytest
from moto import mock_aws

from beaker_dynamodb.config import sources
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.client import DATA_OPERATIONS, get_client
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.provisioning import provision, tables
from beaker_dynamodb.provisioning.iam import GRANTS, Role, actions, policy
from beaker_dynamodb.provisioning.spec import Features, table_spec
from tests.instruments import Recorder
from tests.servers import REGION, Server

ROLES: tuple[Role, ...] = get_args(Role)
CONTROL = {"CreateTable", "DescribeTable", "DescribeTimeToLive", "UpdateTimeToLive"}
SHOW_TABLE = {
    "DescribeTable",
    "DescribeTimeToLive",
    "DescribeContinuousBackups",
    "ListTagsOfResource",
}
ROWS = {"GetItem", "PutItem", "DeleteItem", "BatchWriteItem"}
#: The operations that have LeadingKeys (AWS: Service Authorization Reference, DynamoDB).
WITH_KEYS = frozenset("GetItem PutItem DeleteItem BatchGetItem BatchWriteItem Query".split())


def parse(**given: object) -> Options:
    """Parse the options of a session."""
    return sources.parse(given, "session")


def find_statement(role: Role, options: Options, sid: str) -> dict[str, Any] | None:
    """Return one statement of a policy, None if the policy has none of that name."""
    found = [one for one in policy(role, options)["Statement"] if one["Sid"] == sid]
    return found[0] if found else None


def test_the_policy_of_an_application() -> None:
    """The whole document allows operations on rows with our prefix in one table."""
    assert policy("app", parse(create_table="false", region="eu-central-1"), account="1" * 12) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "BeakerRows",
                "Effect": "Allow",
                "Action": [
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:BatchWriteItem",
                ],
                "Resource": "arn:aws:dynamodb:eu-central-1:111111111111:table/sessions",
                "Condition": {
                    "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["sess:*"]},
                    "Null": {"dynamodb:LeadingKeys": "false"},
                },
            }
        ],
    }


OPERATOR = {"GetItem", "DeleteItem", "Scan"} | SHOW_TABLE
ALLOWED: tuple[tuple[Role, dict[str, object], set[str]], ...] = (
    ("app", {}, ROWS | CONTROL),
    ("app", {"create_table": "false"}, ROWS),
    ("app", {"create_table": "false", "range_key": "rk"}, ROWS | {"Query"}),
    ("deploy", {}, CONTROL),
    ("deploy", {"create_table": "false", "range_key": "rk"}, CONTROL),
    ("deploy", {"special_keys": "u", "index_special_keys": "false"}, CONTROL),
    ("deploy", {"special_keys": "u"}, CONTROL | {"UpdateTable"}),
    ("deploy", {"special_keys": "u, v", "index_special_keys": "v"}, CONTROL | {"UpdateTable"}),
    ("operator", {}, OPERATOR),
    (
        "operator",
        {"special_keys": "userId"},
        OPERATOR | {"BatchGetItem", "Query"},
    ),
)


@pytest.mark.parametrize(("role", "given", "allowed"), ALLOWED)
def test_a_role_may_do_what_its_options_need(
    role: Role, given: dict[str, object], allowed: set[str]
) -> None:
    """An action is allowed if, and only if, an option needs it."""
    written = policy(role, parse(**given))["Statement"]

    assert actions(role, parse(**given)) == allowed
    assert {a for one in written for a in one["Action"]} == {f"dynamodb:{a}" for a in allowed}


def test_an_application_with_user_sessions_may_query_that_index_alone() -> None:
    """No other index; and it may read several of its rows at once."""
    plain = parse(table="sessions", region="eu-central-1", create_table="false")
    indexed = parse(
        table="sessions",
        region="eu-central-1",
        create_table="false",
        special_keys="userId, device",
        index_special_keys="userId",
    )

    rows, users = policy("app", indexed, user_sessions=True)["Statement"]

    before = policy("app", plain, account="*")["Statement"][0]
    assert set(rows["Action"]) - set(before["Action"]) == {"dynamodb:BatchGetItem"}
    assert {**rows, "Action": before["Action"]} == before
    assert users == {
        "Sid": "BeakerUserSessions",
        "Effect": "Allow",
        "Action": ["dynamodb:Query"],
        "Resource": "arn:aws:dynamodb:eu-central-1:*:table/sessions/index/userId-index",
    }
    assert policy("app", indexed)["Statement"] == [before]
    with pytest.raises(OptionError, match="special_keys = userId:S"):
        policy("app", plain, user_sessions=True)


def test_no_role_may_do_another_roles_work() -> None:
    """Whatever the options, an application may not scan, and a deployment reads no rows."""
    everything = parse(range_key="rk", special_keys="u:S", create_table="true")

    assert "Scan" not in actions("app", everything)
    assert not actions("deploy", everything) & DATA_OPERATIONS
    assert not actions("operator", everything) & {"PutItem", "BatchWriteItem", "UpdateTimeToLive"}


@pytest.mark.parametrize("role", ROLES)
def test_each_statement_on_rows_is_limited_to_the_prefix(role: Role) -> None:
    """It also refuses requests without any key."""
    options = parse(prefix="shop:", range_key="rk", special_keys="u:S")
    for one in policy(role, options)["Statement"]:
        condition = {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["shop:*"]},
            "Null": {"dynamodb:LeadingKeys": "false"},
        }
        assert one.get("Condition") == (condition if one["Sid"] == "BeakerRows" else None)


def test_only_operations_with_keys_have_a_condition_on_keys() -> None:
    """With a condition on LeadingKeys, any other operation would always be refused."""
    for grant in GRANTS:
        assert (grant.scope == "rows") <= (grant.action in WITH_KEYS), grant
        assert (grant.scope == "indexes") <= (grant.action == "Query"), grant


def test_a_caches_policy_is_limited_to_its_own_prefix() -> None:
    """It does not allow access to sessions in the same table."""
    found = policy("app", sources.parse({}, "cache"))["Statement"][0]["Condition"]

    assert found["ForAllValues:StringLike"] == {"dynamodb:LeadingKeys": ["cache:*"]}


def test_an_operator_may_query_the_indexes() -> None:
    """A user's id has no prefix, so the statement has no condition on keys."""
    found = find_statement("operator", parse(special_keys="userId:S"), "BeakerIndexes")

    assert found == {
        "Sid": "BeakerIndexes",
        "Effect": "Allow",
        "Action": ["dynamodb:Query"],
        "Resource": "arn:aws:dynamodb:*:*:table/sessions/index/*",
    }
    assert find_statement("operator", parse(), "BeakerIndexes") is None


@pytest.mark.parametrize(
    ("given", "arn"),
    [
        ({}, "arn:aws:dynamodb:*:*:table/sessions"),
        ({"region": "cn-north-1"}, "arn:aws-cn:dynamodb:cn-north-1:*:table/sessions"),
        (
            {"url": "dynamodb://us-gov-west-1/t-1"},
            "arn:aws-us-gov:dynamodb:us-gov-west-1:*:table/t-1",
        ),
        (
            {"table": "arn:aws:dynamodb:eu-west-1:123456789012:table/theirs", "region": "x"},
            "arn:aws:dynamodb:eu-west-1:123456789012:table/theirs",
        ),
    ],
)
def test_the_resource_is_the_one_table(given: dict[str, object], arn: str) -> None:
    """Region and account are as narrow as the options allow; the ARN of a table is kept."""
    assert {one["Resource"] for one in policy("app", parse(**given))["Statement"]} == {arn}


@pytest.mark.parametrize("account", ["123", "12345678901x", "", "*:table/*", "\u0661" * 12])
def test_an_invalid_account_is_refused(account: str) -> None:
    """A typing error must not give a policy that allows nothing, or everything."""
    with pytest.raises(OptionError, match="12 digits"):
        policy("app", parse(), account=account)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("given", [{}, {"range_key": "rk", "special_keys": "u:S"}])
def test_aws_accepts_the_document(role: Role, given: dict[str, object]) -> None:
    """It follows IAM's grammar, as moto checks it, and has at most 6,144 characters."""
    document = json.dumps(policy(role, parse(**given)))

    with mock_aws():
        iam = boto3.client("iam", region_name=REGION)
        created = iam.create_policy(PolicyName=role, PolicyDocument=document)
        iam.close()
    assert created["Policy"]["PolicyName"] == role
    assert len(document) < 6144


@pytest.mark.parametrize(
    ("role", "create"), [("deploy", provision.ensure), ("app", provision.create_on_demand)]
)
def test_creating_a_table_calls_exactly_what_the_policy_allows(
    role: Role, create: Callable[..., object], server: Server, table_name: str, calls: Recorder
) -> None:
    """The policies of `app` and `deploy` hold no action too few or too many."""
    options = parse(table=table_name, region=REGION, endpoint_url=server.url)
    create(get_client(options), table_spec(options))

    assert set(calls.names) == set(actions(role, options)) - DATA_OPERATIONS


def test_changing_features_calls_exactly_what_the_policy_allows(
    moto_url: str, table_name: str, calls: Recorder
) -> None:
    """Indexes, protection, backups and tags each add the actions that they need."""
    options = parse(table=table_name, region=REGION, endpoint_url=moto_url, special_keys="userId:S")
    plain = parse(table=table_name, region=REGION, endpoint_url=moto_url)
    features = Features((("team", "web"),), recovery=True, protection=True)
    tables.create(plain)
    tables.create(options, features)
    tables.create(options, Features(protection=False))

    assert set(calls.names) == set(actions("deploy", options, features))
    assert actions("deploy", plain) == CONTROL
    calls.clear()
    tables.show(options)
    assert set(calls.names) == SHOW_TABLE
