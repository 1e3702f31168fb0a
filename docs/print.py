"""Prints the generated parts of README.md from the code: options, policies, commands.

`python docs/print.py` writes them; with `--check` it only says whether they differ.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from beaker_dynamodb import options, sources
from beaker_dynamodb.ops import cli, templates

README = Path(__file__).parents[1] / "README.md"


def policies() -> str:
    """Print the three policies for a table of sessions with its defaults."""
    parsed = sources.parse({"table": "sessions", "region": "eu-central-1"}, "session")
    parts = []
    for role in ("app", "deploy", "operator"):
        text = json.dumps(templates.policy(role, parsed), indent=2)
        call = f"beaker-dynamodb policy {role} -o table=sessions -o region=eu-central-1"
        parts.append(
            f"<details><summary><code>{call}</code></summary>\n\n```json\n{text}\n```\n\n</details>"
        )
    return "\n\n".join(parts) + "\n"


def commands() -> str:
    """Print the help of every command, folded."""
    reference = cli.reference().rstrip()
    return f"<details><summary>All commands</summary>\n\n{reference}\n\n</details>\n"


PARTS: Mapping[str, Callable[[], str]] = {
    "options": options.reference,
    "policies": policies,
    "commands": commands,
}


def printed(text: str) -> str:
    """Return *text* with every generated part as the code prints it now."""
    for name, part in PARTS.items():
        first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, begun, rest = text.partition(first)
        _, ended, after = rest.partition(last)
        if not begun or not ended or first in after:
            raise SystemExit(f"README.md needs one place for {name!r}")
        text = f"{before}{first}\n{part()}\n{last}{after}"
    return text


def main(argv: list[str]) -> int:
    """Write README.md, or say whether it is as the code prints it."""
    before = README.read_text("utf-8")
    after = printed(before)
    if "--check" in argv:
        return int(before != after)
    README.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
