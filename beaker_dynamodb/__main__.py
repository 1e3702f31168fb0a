"""`python -m beaker_dynamodb` and the script `beaker-dynamodb`: the way to the command line.

It needs the extra `cli`, and says so if that is missing; nothing else is done here. Ctrl-C is one
line from here on. Before, while Python itself starts and imports the package's face (about 50 ms),
it is Python's own traceback, and nothing of this file can change that.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; *argv* is that of the process if None."""
    try:
        from beaker_dynamodb.ops import cli
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in {"click", "rich"}:
            raise
        sys.stderr.write(
            f"beaker-dynamodb: the command line needs {missing}:"
            " pip install 'beaker-dynamodb[cli]'\n"
        )
        return 2
    except KeyboardInterrupt:  # Ctrl-C while all is imported; run() takes those that come later
        sys.stderr.write("beaker-dynamodb: interrupted\n")
        return 130
    return cli.run(argv)


if __name__ == "__main__":
    sys.exit(main())
