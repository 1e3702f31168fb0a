"""The commands on the table itself: create, show, check and delete it; policies and templates.

A difference between the actual and the expected table is a result, not an error. The commands that
print policies and templates make no call to AWS, and do not import boto3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

import click

from beaker_dynamodb.errors import say_table_missing
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli import wording
from beaker_dynamodb.ops.cli.arguments import (
    confirm_deletion,
    with_application,
    with_features,
    with_range_key,
    with_table,
)
from beaker_dynamodb.ops.cli.drawing import Output, echo
from beaker_dynamodb.ops.cli.frame import NO, cli, example
from beaker_dynamodb.ops.cli.wording import format_count
from beaker_dynamodb.provisioning import iam, tables, templates
from beaker_dynamodb.provisioning.description import (
    Description,
    format_capacity,
    format_encryption,
    format_limits,
    format_switch,
    is_match,
)
from beaker_dynamodb.provisioning.spec import Features

_with_alarms = click.option(
    "--alarms",
    "topic",
    metavar="TOPIC_ARN",
    help="Add CloudWatch alarms that notify this SNS topic.",
)


@cli.group(epilog=example("table check -c production.ini"))
def table() -> None:
    """Create, show, check or delete the table."""


@table.command(
    epilog=example(
        "table create -c production.ini --deletion-protection --tag team=web",
        "table create -o table=sessions -o special_keys=userId:S",
    )
)
@with_range_key
@with_table
@with_features
def create(application: Application, features: Features, output: Output) -> int:
    """Create the table, or add what is missing to an existing one.

    It can be run at every deploy. It waits until the table is active, turns its TTL on, adds a
    sparse index for each special key, one at a time, and applies the options below. What cannot
    be changed on an existing table, such as its keys, is printed as a difference, and the exit
    code is 1.
    """
    with output.waiting(f"table {application.options.table}: until it is active") as status:
        created = tables.create(application.options, features, status.update)
    for step in created.steps:
        output.remark(str(step))
    matches = is_match(created.differences)
    result = {
        **wording.table_to_json(created.table),
        "new": created.table.created,
        "matches": matches,
        "steps": created.steps,
        "differences": created.differences,
    }
    done = "created" if created.table.created else "exists"
    output.answer(result, (*_describe(created.table, done), *map(str, created.differences)))
    return 0 if matches else NO


@table.command(epilog=example("table show -c production.ini --json"))
@with_table
def show(application: Application, output: Output) -> int:
    """Show the table's settings and size; exit 1 if there is no table.

    The numbers of rows and bytes are AWS's own, and up to six hours old.
    """
    with output.waiting(f"table {application.options.table}"):
        found = tables.show(application.options)
    if found is None:
        output.refuse(say_table_missing(application.options.table, application.create_command()))
        return NO
    output.answer(
        wording.table_to_json(found), (*_describe(found, "exists"), *_describe_more(found))
    )
    return 0


@table.command(epilog=example("table check -c production.ini --deletion-protection"))
@with_range_key
@with_table
@with_features
def check(application: Application, features: Features, output: Output) -> int:
    """Compare the table with the options; exit 1 if it differs.

    Differences that are only notes (such as the billing mode) do not count. Nothing is changed.
    """
    with output.waiting(f"table {application.options.table}"):
        found = tables.check(
            application.options, features, create_command=application.create_command(features)
        )
    result = {"table": application.options.table, "matches": is_match(found), "differences": found}
    verb = "differs from" if found else "matches"
    title = f"table {application.options.table!r} {verb} the options"
    output.answer(result, [title, *map(str, found)])
    return 0 if is_match(found) else NO


@table.command(epilog=example("table delete -o table=test-sessions --yes"))
@with_table
@click.option("--yes", is_flag=True, help="Do not ask for the table's name.")
def delete(application: Application, yes: bool, output: Output) -> int:  # noqa: FBT001  # click's
    """Delete the table with every session in it.

    It asks for the table's name first, and refuses while deletion protection is on. Exit 1 if
    there is no table.
    """
    name = application.options.table
    if not yes and not confirm_deletion(output, "row", name):
        return NO
    with output.waiting(f"table {name}: until it is gone") as status:
        unprotect = application.create_command(tables.UNPROTECTED)
        ended = tables.delete(application.options, status.update, unprotect_command=unprotect)
    if not ended.done:
        output.refuse(ended.message)
        return NO
    output.answer(ended, [ended.message])
    return 0


@cli.command(epilog=example("policy app -c production.ini > app.json"))
@click.argument("role", type=click.Choice(["app", "deploy", "operator"]))
@with_application
@with_features
@click.option("--account", default="*", show_default=True, help="AWS account, 12 digits.")
@click.option("--user-sessions", is_flag=True, help="For app: the application uses UserSessions.")
def policy(
    role: str, application: Application, features: Features, account: str, *, user_sessions: bool
) -> int:
    """Print a role's smallest sufficient IAM policy, in JSON.

    app serves requests, deploy creates the table, operator manages it. An application that
    stores sessions and caches needs two policies, one of them printed with --cache. Give deploy
    the same options as `table create`: each option adds the permissions that it needs, except
    those on a KMS key. No role may delete the table.
    """
    if user_sessions and role != "app":
        raise click.UsageError("--user-sessions is for the role app; operator may query indexes")
    if role == "app" and application.options.indexed_keys and not user_sessions:
        echo("note: an application that uses UserSessions needs --user-sessions too", err=True)
    found = iam.policy(
        cast("iam.Role", role),
        application.options,
        account=account,
        features=features,
        user_sessions=user_sessions,
    )
    click.echo(json.dumps(found, indent=2))
    return 0


@cli.command(epilog=example("cloudformation -c production.ini > table.json"))
@with_range_key
@with_application
@with_features
@_with_alarms
def cloudformation(application: Application, features: Features, topic: str | None) -> int:
    """Print the table as a CloudFormation template, in JSON.

    The same table as `table create` creates. It is retained when its stack is deleted.
    The alarms are explained in the documentation under "What to alarm on".
    """
    text = templates.to_cloudformation(
        application.options, features, topic, is_cache=application.cache is not None
    )
    click.echo(text, nl=False)
    return 0


@cli.command(epilog=example("terraform -c production.ini > table.tf"))
@with_range_key
@with_application
@with_features
@_with_alarms
def terraform(application: Application, features: Features, topic: str | None) -> int:
    """Print the table as a Terraform resource.

    The same table as `table create` creates. Terraform refuses to destroy it.
    The alarms are explained in the documentation under "What to alarm on".
    """
    text = templates.to_terraform(application.options, features, topic, cache=application.cache)
    click.echo(text, nl=False)
    return 0


def _describe(actual: Description, result: str) -> Iterator[str]:
    """Describe a table in lines for people."""
    account = f", account {actual.account}" if actual.account else ""
    yield f"{result}: table {actual.table!r}, region {actual.region}{account} ({actual.status})"
    yield f"  keys      {actual.schema()}"
    yield f"  TTL       {actual.expiry}"
    yield f"  capacity  {format_capacity(actual.capacity)}"
    for index in actual.indexes:
        built = ", being built" if index.building else ""
        yield f"  index     {index.name!r} of {index.attribute!r} ({index.projection}{built})"


def _describe_more(actual: Description) -> Iterator[str]:
    """Describe the settings that `table create` does not print."""
    yield f"  limit     {format_limits(actual.limits)}"
    rows = format_count(actual.rows, "row")
    yield f"  contents  {rows}, {actual.size:,} bytes (up to six hours ago)"
    yield f"  deletion  protection {format_switch(actual.protection)}"
    yield f"  backups   point-in-time recovery {format_switch(actual.recovery)}"
    yield f"  at rest   encrypted {format_encryption(actual.kms_key)}"
    tags = (
        "unknown"
        if actual.tags is None
        else ", ".join(f"{n}={v}" for n, v in actual.tags) or "none"
    )
    yield f"  tags      {tags}"
