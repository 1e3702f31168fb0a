"""The commands that print IAM policies and table templates.

They make no call to AWS, and do not import boto3.
"""

from __future__ import annotations

import json
from typing import cast

import click

from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli.arguments import with_application, with_features, with_range_key
from beaker_dynamodb.ops.cli.drawing import echo
from beaker_dynamodb.ops.cli.frame import cli, example
from beaker_dynamodb.provisioning import iam, templates
from beaker_dynamodb.provisioning.spec import Features

_with_alarms = click.option(
    "--alarms",
    "topic",
    metavar="TOPIC_ARN",
    help="Add CloudWatch alarms that notify this SNS topic.",
)


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
    the same options as `table create`: each option adds the permissions that it needs. No role
    may delete the table.
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
    click.echo(templates.to_cloudformation(application.options, features, topic), nl=False)
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
    click.echo(templates.to_terraform(application.options, features, topic), nl=False)
    return 0
