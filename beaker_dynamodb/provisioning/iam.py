"""What AWS is told about us, as data: IAM policies, each the least that a role needs.

Pure functions of the options. One table, GRANTS, holds the truth: which role needs which action,
on what, and when. A test compares it with the operations that are really called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.provisioning.features import NONE, Features

Role = Literal["app", "deploy", "operator"]
#: rows: the table, and only keys of our prefix. table: all of it. indexes: its indexes.
Scope = Literal["rows", "table", "indexes"]


def _always(_: Options) -> bool:
    return True


def _whatever(_: Features) -> bool:
    return True


def _ranged(options: Options) -> bool:
    return options.range_key is not None


def _creating(options: Options) -> bool:
    return options.create_table


def _indexed(options: Options) -> bool:
    return bool(options.special_keys)


def _moving(options: Options) -> bool:
    return options.migrate_from is not None


def _indexing(options: Options) -> bool:
    return bool(options.special_keys) and options.index_special_keys


def _switching(features: Features) -> bool:
    return features.protection is not None or features.ceilings is not None


def _recovering(features: Features) -> bool:
    return features.recovery is not None


def _tagging(features: Features) -> bool:
    return bool(features.tags)


@dataclass(frozen=True, slots=True)
class Grant:
    """One action of DynamoDB's that a role needs: on what, what for, and with which options.

    `asked`: with which features of the table.
    """

    role: Role
    scope: Scope
    action: str
    purpose: str
    when: Callable[[Options], bool] = _always
    asked: Callable[[Features], bool] = _whatever


GRANTS: Final = (
    Grant("app", "rows", "GetItem", "load a session or a cached value"),
    Grant("app", "rows", "PutItem", "save it, and take a creation lock"),
    Grant("app", "rows", "DeleteItem", "log out, remove, release a lock"),
    Grant("app", "rows", "BatchGetItem", "read a value over 400 KB, which is in chunks"),
    Grant("app", "rows", "BatchWriteItem", "delete the chunks of an old value; clear a cache"),
    Grant("app", "rows", "Query", "find every row of a namespace", _ranged),
    Grant("app", "table", "CreateTable", "option create_table", _creating),
    Grant("app", "table", "DescribeTable", "wait for the table just created", _creating),
    Grant("app", "table", "DescribeTimeToLive", "see whether its TTL is on", _creating),
    Grant("app", "table", "UpdateTimeToLive", "switch its TTL on", _creating),
    Grant("deploy", "table", "CreateTable", "`table create`"),
    Grant("deploy", "table", "DescribeTable", "see whether it exists; wait until it serves"),
    Grant("deploy", "table", "DescribeTimeToLive", "see whether TTL is on"),
    Grant("deploy", "table", "UpdateTimeToLive", "switch it on"),
    Grant("deploy", "table", "UpdateTable", "add an index to it", _indexing),
    Grant("deploy", "table", "UpdateTable", "protect it, or limit it", asked=_switching),
    Grant("deploy", "table", "DescribeContinuousBackups", "see its backups", asked=_recovering),
    Grant("deploy", "table", "UpdateContinuousBackups", "switch them", asked=_recovering),
    Grant("deploy", "table", "ListTagsOfResource", "see its tags", asked=_tagging),
    Grant("deploy", "table", "TagResource", "tag it", asked=_tagging),
    Grant("operator", "rows", "GetItem", "show a session; read it before a delete"),
    Grant("operator", "rows", "DeleteItem", "delete, revoke, purge"),
    Grant("operator", "rows", "PutItem", "put a tombstone while sessions are moved", _moving),
    Grant("operator", "rows", "BatchGetItem", "read what was found; show what is in chunks"),
    Grant("operator", "table", "Scan", "list, count, purge, stats"),
    Grant("operator", "table", "DescribeTable", "show the table, its size and its indexes"),
    Grant("operator", "table", "DescribeTimeToLive", "show its TTL"),
    Grant("operator", "table", "DescribeContinuousBackups", "show its backups"),
    Grant("operator", "table", "ListTagsOfResource", "show its tags"),
    Grant("operator", "indexes", "Query", "find the sessions of a user", _indexed),
)

_SIDS: Final[dict[Scope, str]] = {
    "rows": "BeakerRows",
    "table": "BeakerTable",
    "indexes": "BeakerIndexes",
}
#: AWS: Amazon Resource Names, "aws partition": by what a region's name begins with.
_PARTITIONS: Final = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


def actions(role: Role, options: Options, features: Features = NONE) -> frozenset[str]:
    """Name the operations that *role* may call with *options*, as AWS does: GetItem..."""
    return frozenset(grant.action for grant in _granted(role, options, features))


def policy(
    role: Role,
    options: Options,
    *,
    region: str | None = None,
    account: str = "*",
    features: Features = NONE,
) -> dict[str, Any]:
    """Write the IAM policy of a role: the least that it needs with *options* and *features*.

    Args:
        role: app (serves requests), deploy (creates the table) or operator (manages it).
        region: the option's, if not given; `*` (every one) where there is none either.
        account: 12 digits, or `*` for the one that the policy is attached in.

    Raises: OptionError, if the account is not one.
    """
    if account != "*" and not (account.isascii() and account.isdigit() and len(account) == 12):  # noqa: PLR2004  # AWS: Account identifiers
        raise OptionError(f"account {account!r} is not an AWS account; expected 12 digits, or *")
    table = _arn(options, region or options.region or "*", account)
    granted = tuple(_granted(role, options, features))
    return {
        "Version": "2012-10-17",
        "Statement": [
            _statement(
                scope,
                list(dict.fromkeys(one.action for one in granted if one.scope == scope)),
                table,
                options,
            )
            for scope in _SIDS
            if any(one.scope == scope for one in granted)
        ],
    }


def _granted(role: Role, options: Options, features: Features) -> Iterator[Grant]:
    for grant in GRANTS:
        if grant.role == role and grant.when(options) and grant.asked(features):
            yield grant


def _arn(options: Options, region: str, account: str) -> str:
    if options.table.startswith("arn:"):
        return options.table
    found = (name for start, name in _PARTITIONS.items() if region.startswith(start))
    return f"arn:{next(found, 'aws')}:dynamodb:{region}:{account}:table/{options.table}"


def _statement(scope: Scope, named: list[str], table: str, options: Options) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Sid": _SIDS[scope],
        "Effect": "Allow",
        "Action": [f"dynamodb:{action}" for action in named],
        "Resource": f"{table}/index/*" if scope == "indexes" else table,
    }
    if scope == "rows":
        # ForAllValues holds where a request has no leading keys at all, hence the second one
        # (IAM: Multivalued context keys). Operations on a table or an index have none of ours.
        statement["Condition"] = {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{options.prefix}*"]},
            "Null": {"dynamodb:LeadingKeys": "false"},
        }
    return statement
