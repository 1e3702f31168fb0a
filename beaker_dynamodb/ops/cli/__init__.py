"""The command line: arguments in, one function called, results on stdout, an exit code out.

It decides nothing: what a command does, Python does through one function of `ops/`. A file here
holds the commands of one matter; `frame.py` holds what all share. Nothing else of `ops/` draws.
"""

from beaker_dynamodb.ops.cli import doctor, migration, sessions, surveys, table, templates
from beaker_dynamodb.ops.cli.frame import NAME, cli, reference, run

__all__ = ["NAME", "cli", "reference", "run"]

for _matter in (doctor, migration, sessions, surveys, table, templates):
    for _command in _matter.COMMANDS:
        cli.add_command(_command)
