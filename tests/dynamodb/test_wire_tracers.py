"""Under `auto`, boto3 makes the calls if a tracer is at work that no other test has installed.

Each is installed in a virtual environment of its own, by pip, so these tests are run by hand.
"""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]

#: The package, and how an application begins to use it.
TRACERS: Final[dict[str, tuple[str, str]]] = {
    "Datadog": ("ddtrace", "import ddtrace.auto"),
    "Datadog, botocore alone": ("ddtrace", "import ddtrace; ddtrace.patch(botocore=True)"),
    "New Relic": ("newrelic", "import newrelic.agent; newrelic.agent.initialize()"),
    "Elastic": ("elastic-apm", "import elasticapm; elasticapm.instrument()"),
    "Powertools for AWS Lambda": (
        "aws-lambda-powertools[tracer]",
        "from aws_lambda_powertools import Tracer; Tracer(service='shop')",
    ),
}
PROCESS: Final = """
import sys
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.connection import Connection
client = Client(Connection())
if "late" in sys.argv:
    print(client.get_transport().name)
%s
print(client.get_transport().name)
"""
#: As in AWS Lambda. None of it lets a tracer send anything.
ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_LAMBDA_FUNCTION_NAME": "shop",
    "LAMBDA_TASK_ROOT": "/var/task",
    "HOME": "/nonexistent",
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(ROOT),
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "NEW_RELIC_LICENSE_KEY": "0" * 40,
    "NEW_RELIC_APP_NAME": "shop",
}


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for virtual environments."""
    return tmp_path_factory.mktemp("environments")


@pytest.mark.long
@pytest.mark.parametrize("tracer", TRACERS)
def test_auto_uses_boto3_from_the_first_call_that_a_tracer_could_miss(
    tracer: str, environments: Path
) -> None:
    """Whether it begins before the first call or after it."""
    package, begin = TRACERS[tracer]
    folder = environments / package.partition("[")[0]
    python = str(folder / "bin" / "python")
    if not folder.exists():
        venv.create(folder, with_pip=True)
        install = [python, "-m", "pip", "install", "-q", "boto3", "beaker", package]
        subprocess.run(install, check=True, capture_output=True)

    def list_transports(*when: str) -> list[str]:
        done = subprocess.run(
            [python, "-W", "ignore", "-c", PROCESS % begin, *when],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()[-1 - len(when) :]

    assert list_transports() == ["boto3"]
    assert list_transports("late") == ["wire", "boto3"]
