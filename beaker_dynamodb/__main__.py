"""Start the command line: `python -m beaker_dynamodb` and the script `beaker-dynamodb`.

It needs the extra `cli`, and prints that if it is missing. From here on Ctrl-C prints one line.
Before, while Python starts and imports the package (about 50 ms), it prints Python's traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. By default *argv* is the process's own."""
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
    except KeyboardInterrupt:  # during this import; run() handles it later
        sys.stderr.write("beaker-dynamodb: interrupted\n")
        return 130
    return cli.run(argv)


if __name__ == "__main__":
    sys.exit(main())
