"""The commands that print what AWS is told: policies.

They make no call, and import no boto3.
"""

from __future__ import annotations

import json
from typing import cast

import click

from beaker_dynamodb.ops import templates
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli.arguments import with_application
from beaker_dynamodb.ops.cli.frame import example


@click.command(epilog=example("policy app -c production.ini > app.json"))
@click.argument("role", type=click.Choice(["app", "deploy", "operator"]))
@with_application
@click.option("--account", default="*", show_default=True, help="AWS account, 12 digits.")
def policy(role: str, application: Application, account: str) -> int:
    """Print the least IAM policy of a role, as JSON.

    app serves requests, deploy makes the table, operator looks after it. An application that
    keeps sessions and caches needs two, one of them printed with --cache.
    """
    found = templates.policy(cast("templates.Role", role), application.options, account=account)
    click.echo(json.dumps(found, indent=2))
    return 0


COMMANDS = (policy,)
