"""The commands that print what AWS is told about us: policies and templates.

They make no call, and import no boto3.
"""

from __future__ import annotations

import json
from typing import cast

import click

from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli.arguments import with_application
from beaker_dynamodb.ops.cli.features import with_features, with_range_key
from beaker_dynamodb.ops.cli.frame import example
from beaker_dynamodb.provisioning import iam, templates
from beaker_dynamodb.provisioning.features import Features


@click.command(epilog=example("policy app -c production.ini > app.json"))
@click.argument("role", type=click.Choice(["app", "deploy", "operator"]))
@with_application
@with_features
@click.option("--account", default="*", show_default=True, help="AWS account, 12 digits.")
def policy(role: str, application: Application, features: Features, account: str) -> int:
    """Print the least IAM policy of a role, as JSON.

    app serves requests, deploy makes the table, operator looks after it. An application that
    keeps sessions and caches needs two, one of them printed with --cache. Give deploy the same
    options as `table create`: a right comes with the option that needs it. No role may delete
    the table.
    """
    found = iam.policy(
        cast("iam.Role", role), application.options, account=account, features=features
    )
    click.echo(json.dumps(found, indent=2))
    return 0


@click.command(epilog=example("cloudformation -c production.ini > table.json"))
@with_range_key
@with_application
@with_features
def cloudformation(application: Application, features: Features) -> int:
    """Print the table as a CloudFormation template, in JSON.

    The same table as `table create` makes. It is kept when its stack is deleted.
    """
    click.echo(templates.to_cloudformation(application.options, features), nl=False)
    return 0


@click.command(epilog=example("terraform -c production.ini > table.tf"))
@with_range_key
@with_application
@with_features
def terraform(application: Application, features: Features) -> int:
    """Print the table as a Terraform resource.

    The same table as `table create` makes. Terraform refuses to destroy it.
    """
    click.echo(templates.to_terraform(application.options, features), nl=False)
    return 0


COMMANDS = (policy, cloudformation, terraform)
