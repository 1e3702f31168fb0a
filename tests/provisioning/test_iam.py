"""IAM policies: what each role may do with these options, and nothing beyond."""

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
from beaker_dynamodb.provisioning.features import Features
from beaker_dynamodb.provisioning.iam import GRANTS, Role, actions, policy
from beaker_dynamodb.provisioning.spec import table_spec
from tests.instruments import Recorder
from tests.servers import REGION, Server

ROLES: tuple[Role, ...] = get_args(Role)
CONTROL = {"CreateTable", "DescribeTable", "DescribeTimeToLive", "UpdateTimeToLive"}
SHOWN = {
    "DescribeTable",
    "DescribeTimeToLive",
    "DescribeContinuousBackups",
    "ListTagsOfResource",
}
ROWS = {"GetItem", "PutItem", "DeleteItem", "BatchGetItem", "BatchWriteItem"}
#: What LeadingKeys can be asked of (AWS: Service Authorization Reference, DynamoDB).
KEYED = frozenset("GetItem PutItem DeleteItem BatchGetItem BatchWriteItem Query".split())


def told(**given: object) -> Options:
    """Parse the options of a session."""
    return sources.parse(given, "session")


def statement(role: Role, options: Options, sid: str) -> dict[str, Any] | None:
    """Find one statement of a policy."""
    found = [one for one in policy(role, options)["Statement"] if one["Sid"] == sid]
    return found[0] if found else None


def test_an_application_gets_what_sessions_need_and_no_more() -> None:
    """The whole document, as an administrator reads it: rows of our prefix in one table."""
    assert policy("app", told(create_table="false", region="eu-central-1"), account="1" * 12) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "BeakerRows",
                "Effect": "Allow",
                "Action": [
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:BatchGetItem",
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


LOOKS_AFTER = {"GetItem", "BatchGetItem", "DeleteItem", "Scan"} | SHOWN
ALLOWED: tuple[tuple[Role, dict[str, object], set[str]], ...] = (
    ("app", {}, ROWS | CONTROL),
    ("app", {"create_table": "false"}, ROWS),
    ("app", {"create_table": "false", "range_key": "rk"}, ROWS | {"Query"}),
    ("deploy", {}, CONTROL),
    ("deploy", {"create_table": "false", "range_key": "rk"}, CONTROL),
    ("deploy", {"special_keys": "u", "index_special_keys": "false"}, CONTROL),
    ("deploy", {"special_keys": "u"}, CONTROL | {"UpdateTable"}),
    ("operator", {}, LOOKS_AFTER),
    (
        "operator",
        {"special_keys": "userId"},
        LOOKS_AFTER | {"Query"},
    ),
)


@pytest.mark.parametrize(("role", "given", "allowed"), ALLOWED)
def test_a_role_may_do_what_its_options_need(
    role: Role, given: dict[str, object], allowed: set[str]
) -> None:
    """A right comes with the option that needs it, and goes with it."""
    written = policy(role, told(**given))["Statement"]

    assert actions(role, told(**given)) == allowed
    assert {a for one in written for a in one["Action"]} == {f"dynamodb:{a}" for a in allowed}


def test_an_application_never_reads_the_whole_table() -> None:
    """Whatever the options: no Scan, and no other table's or prefix's rows."""
    everything = told(range_key="rk", special_keys="u:S", create_table="true")

    assert "Scan" not in actions("app", everything)
    assert not actions("deploy", everything) & DATA_OPERATIONS
    assert not actions("operator", everything) & {"PutItem", "BatchWriteItem", "UpdateTimeToLive"}


@pytest.mark.parametrize("role", ROLES)
def test_rows_of_another_prefix_are_out_of_reach(role: Role) -> None:
    """Each statement on rows holds the prefix, and holds for requests without any key, too."""
    options = told(prefix="shop:", range_key="rk", special_keys="u:S")
    for one in policy(role, options)["Statement"]:
        condition = {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["shop:*"]},
            "Null": {"dynamodb:LeadingKeys": "false"},
        }
        assert one.get("Condition") == (condition if one["Sid"] == "BeakerRows" else None)


def test_a_condition_on_keys_stands_only_where_aws_can_ask_it() -> None:
    """LeadingKeys on an operation without one of our keys would refuse it always."""
    for grant in GRANTS:
        assert (grant.scope == "rows") <= (grant.action in KEYED), grant
        assert (grant.scope == "indexes") <= (grant.action == "Query"), grant


def test_caches_and_sessions_have_their_own_prefixes() -> None:
    """A cache's policy does not reach sessions in the same table."""
    found = policy("app", sources.parse({}, "cache"))["Statement"][0]["Condition"]

    assert found["ForAllValues:StringLike"] == {"dynamodb:LeadingKeys": ["cache:*"]}


def test_an_operator_finds_sessions_through_the_indexes() -> None:
    """An index is queried by a user's id, which has no prefix: so it has no such condition."""
    found = statement("operator", told(special_keys="userId:S"), "BeakerIndexes")

    assert found == {
        "Sid": "BeakerIndexes",
        "Effect": "Allow",
        "Action": ["dynamodb:Query"],
        "Resource": "arn:aws:dynamodb:*:*:table/sessions/index/*",
    }
    assert statement("operator", told(), "BeakerIndexes") is None


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
    """Region and account are as narrow as the options say; a table of another account is itself."""
    assert {one["Resource"] for one in policy("app", told(**given))["Statement"]} == {arn}


@pytest.mark.parametrize("account", ["123", "12345678901x", "", "*:table/*", "\u0661" * 12])
def test_an_account_that_is_none_is_refused(account: str) -> None:
    """A typing error must not become a policy that allows nothing, or everything."""
    with pytest.raises(OptionError, match="12 digits"):
        policy("app", told(), account=account)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("given", [{}, {"range_key": "rk", "special_keys": "u:S"}])
def test_aws_accepts_the_document(role: Role, given: dict[str, object]) -> None:
    """IAM's grammar, as moto knows it, and the 6,144 characters that a policy may have."""
    document = json.dumps(policy(role, told(**given)))

    with mock_aws():
        iam = boto3.client("iam", region_name=REGION)
        made = iam.create_policy(PolicyName=role, PolicyDocument=document)
        iam.close()
    assert made["Policy"]["PolicyName"] == role
    assert len(document) < 6144


@pytest.mark.parametrize(
    ("role", "make"), [("deploy", provision.ensure), ("app", provision.create_on_demand)]
)
def test_the_rights_to_a_table_are_those_that_are_used(
    role: Role, make: Callable[..., object], server: Server, table_name: str, calls: Recorder
) -> None:
    """What creating a table really calls, and what the policy allows, is the same."""
    options = told(table=table_name, region=REGION, endpoint_url=server.url)
    make(get_client(options), table_spec(options))

    assert set(calls.names) == set(actions(role, options)) - DATA_OPERATIONS


def test_the_rights_to_features_are_those_that_are_used(
    moto_url: str, table_name: str, calls: Recorder
) -> None:
    """A right comes with the feature that needs it: an index, protection, backups, tags."""
    options = told(table=table_name, region=REGION, endpoint_url=moto_url, special_keys="userId:S")
    plain = told(table=table_name, region=REGION, endpoint_url=moto_url)
    asked = Features((("team", "web"),), recovery=True, protection=True)
    tables.create(plain)
    tables.create(options, asked)
    tables.create(options, Features(protection=False))

    assert set(calls.names) == set(actions("deploy", options, asked))
    assert actions("deploy", plain) == CONTROL
    calls.clear()
    tables.show(options)
    assert set(calls.names) == SHOWN
