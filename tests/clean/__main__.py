"""Run `session.py` by the Python of a clean venv, from an empty folder, against DynamoDB Local."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.servers import KEY, REGION, DynamoDBLocal

SCRIPT = Path(__file__).with_name("session.py")


def main() -> int:
    """Return the exit code of the script."""
    python = Path(sys.argv[1]).absolute()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), KEY)
    environ = {**kept, **keys, "AWS_DEFAULT_REGION": REGION, "NO_PROXY": "*"}
    with DynamoDBLocal() as server, tempfile.TemporaryDirectory() as folder:
        # Isolated (-I): neither the checkout nor the user's own packages are found.
        command = [str(python), "-I", "-W", "error", str(SCRIPT), server.url]
        return subprocess.run(command, cwd=folder, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
