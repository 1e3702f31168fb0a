"""IAM policies: the actions that each role needs, and no more.

Pure functions of the options. The table GRANTS says which role needs which action, on what and
when; a test compares it with the operations that are really called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.user_rows import make_index_name
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.provisioning.spec import NONE, Features

Role = Literal["app", "deploy", "operator"]
#: rows: rows of the table whose keys have our prefix. table: the table. indexes: its indexes.
#: special keys: the indexes on the special keys alone.
Scope = Literal["rows", "table", "indexes", "special keys"]


def _evaluate_conditions(
    options: Options, features: Features, *, user_sessions: bool
) -> dict[str, bool]:
    """Return the conditions of grants, by the names that GRANTS uses, and whether they hold."""
    return {
        "always": True,
        "range key": options.range_key is not None,
        "create_table": options.create_table,
        "special keys": bool(options.special_keys),
        "indexes": bool(options.indexed_keys),
        "migrate_from": options.migrate_from is not None,
        "protection or limits": features.protection is not None or features.limits is not None,
        "recovery": features.recovery is not None,
        "tags": bool(features.tags),
        "user sessions": user_sessions,
    }


@dataclass(frozen=True, slots=True)
class Grant:
    """An action of DynamoDB that a role needs: on what, what for, and under which condition."""

    role: Role
    scope: Scope
    action: str
    purpose: str
    condition: str = "always"


GRANTS: Final = (
    Grant("app", "rows", "GetItem", "load a session or a cached value"),
    Grant("app", "rows", "PutItem", "save it, and take a creation lock"),
    Grant("app", "rows", "DeleteItem", "log out, remove, release a lock"),
    Grant("app", "rows", "BatchGetItem", "read a user's sessions", "user sessions"),
    Grant("app", "rows", "BatchWriteItem", "delete the chunks of an old value; clear a cache"),
    Grant("app", "rows", "Query", "find every row of a namespace", "range key"),
    Grant("app", "table", "CreateTable", "option create_table", "create_table"),
    Grant("app", "table", "DescribeTable", "wait for the table just created", "create_table"),
    Grant("app", "table", "DescribeTimeToLive", "check whether its TTL is on", "create_table"),
    Grant("app", "table", "UpdateTimeToLive", "enable its TTL", "create_table"),
    Grant("app", "special keys", "Query", "show and end a user's sessions", "user sessions"),
    Grant("deploy", "table", "CreateTable", "`table create`"),
    Grant("deploy", "table", "DescribeTable", "find it, and wait until it is active"),
    Grant("deploy", "table", "DescribeTimeToLive", "check whether TTL is on"),
    Grant("deploy", "table", "UpdateTimeToLive", "enable TTL"),
    Grant("deploy", "table", "UpdateTable", "add an index", "indexes"),
    Grant("deploy", "table", "UpdateTable", "change protection or limits", "protection or limits"),
    Grant("deploy", "table", "DescribeContinuousBackups", "show its backups", "recovery"),
    Grant("deploy", "table", "UpdateContinuousBackups", "change its backups", "recovery"),
    Grant("deploy", "table", "ListTagsOfResource", "show its tags", "tags"),
    Grant("deploy", "table", "TagResource", "tag it", "tags"),
    Grant("operator", "rows", "GetItem", "show a session; read it before a delete"),
    Grant("operator", "rows", "DeleteItem", "delete, revoke, purge"),
    Grant("operator", "rows", "PutItem", "write tombstones while sessions move", "migrate_from"),
    Grant("operator", "rows", "BatchGetItem", "read the sessions of a user", "special keys"),
    Grant("operator", "table", "Scan", "list, count, purge, stats, revoke --all"),
    Grant("operator", "table", "DescribeTable", "show the table, its size and its indexes"),
    Grant("operator", "table", "DescribeTimeToLive", "show its TTL"),
    Grant("operator", "table", "DescribeContinuousBackups", "show its backups"),
    Grant("operator", "table", "ListTagsOfResource", "show its tags"),
    Grant("operator", "indexes", "Query", "find the sessions of a user", "special keys"),
)

_SIDS: Final[dict[Scope, str]] = {
    "rows": "BeakerRows",
    "table": "BeakerTable",
    "indexes": "BeakerIndexes",
    "special keys": "BeakerUserSessions",
}
#: The partition by the beginning of the region's name (AWS: Amazon Resource Names).
_PARTITIONS: Final = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


def actions(
    role: Role, options: Options, features: Features = NONE, *, user_sessions: bool = False
) -> frozenset[str]:
    """Return the operations that *role* may call, by AWS's names: GetItem..."""
    return frozenset(
        grant.action for grant in _list_grants(role, options, features, user_sessions=user_sessions)
    )


def policy(
    role: Role,
    options: Options,
    *,
    account: str = "*",
    features: Features = NONE,
    user_sessions: bool = False,
) -> dict[str, Any]:
    """Return the IAM policy of a role: what it needs with *options* and *features*, and no more.

    Args:
        role: app (serves requests), deploy (creates the table) or operator (manages sessions).
        options: without a region, the policy is for all regions.
        account: 12 digits, or `*` for the account that the policy is attached in.
        user_sessions: whether the application uses `UserSessions`.

    Raises: OptionError, if the account is neither, or no special key has an index.
    """
    if account != "*" and not (account.isascii() and account.isdigit() and len(account) == 12):  # noqa: PLR2004  # AWS: Account identifiers
        raise OptionError(f"account {account!r} is not an AWS account; expected 12 digits, or *")
    if user_sessions and not options.indexed_keys:
        raise OptionError(
            "UserSessions needs an index on a special key, such as special_keys = userId:S"
        )
    table = _format_arn(options, options.region or "*", account)
    actions_of: dict[Scope, list[str]] = {}
    for grant in _list_grants(role, options, features, user_sessions=user_sessions):
        actions_of.setdefault(grant.scope, []).append(grant.action)
    return {
        "Version": "2012-10-17",
        "Statement": [
            _statement(scope, list(dict.fromkeys(actions_of[scope])), table, options)
            for scope in _SIDS
            if scope in actions_of
        ],
    }


def _list_grants(
    role: Role, options: Options, features: Features, *, user_sessions: bool
) -> list[Grant]:
    holds = _evaluate_conditions(options, features, user_sessions=user_sessions)
    return [grant for grant in GRANTS if grant.role == role and holds[grant.condition]]


def _format_arn(options: Options, region: str, account: str) -> str:
    if options.table.startswith("arn:"):
        return options.table
    partitions = (name for start, name in _PARTITIONS.items() if region.startswith(start))
    return f"arn:{next(partitions, 'aws')}:dynamodb:{region}:{account}:table/{options.table}"


def _list_resources(scope: Scope, table: str, options: Options) -> str | list[str]:
    """Return the ARNs that a statement is about; a single one as a text, as AWS prints it."""
    if scope == "special keys":
        # No condition on LeadingKeys can apply: these indexes are keyed by the users' ids.
        names = [f"{table}/index/{make_index_name(name)}" for name, _ in options.indexed_keys]
        return names[0] if len(names) == 1 else names
    return f"{table}/index/*" if scope == "indexes" else table


def _statement(scope: Scope, names: list[str], table: str, options: Options) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Sid": _SIDS[scope],
        "Effect": "Allow",
        "Action": [f"dynamodb:{action}" for action in names],
        "Resource": _list_resources(scope, table, options),
    }
    if scope == "rows":
        # ForAllValues alone would also hold for a request without any leading key (IAM:
        # Multivalued context keys). Operations on a table or an index have no key of ours.
        statement["Condition"] = {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{options.prefix}*"]},
            "Null": {"dynamodb:LeadingKeys": "false"},
        }
    return statement
