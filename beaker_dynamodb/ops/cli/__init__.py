"""The command line: parse arguments, call one function of `ops/`, print its result, exit.

It decides nothing itself. A file here holds the commands of one topic; `frame.py` holds what all
share. Nothing else in `ops/` prints.
"""

from beaker_dynamodb.ops.cli import (  # noqa: F401  # each adds its commands to the root
    doctor,
    migration,
    sessions,
    sweeps,
    table,
)
from beaker_dynamodb.ops.cli.frame import NAME, cli, format_reference, run

__all__ = ["NAME", "cli", "format_reference", "run"]
