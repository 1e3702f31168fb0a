"""The codec where the extra `fast` is not installed: base64 by the standard library."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
sys.modules["pybase64"] = None  # as if it were not installed
from beaker_dynamodb.item import codec
text = codec.encode_base64(b"a session")
print(codec.undo_base64(text), codec.undo_base64(text + b"="), codec.undo_base64(b"!"), sep="|")
"""


def test_base64_is_written_and_read_without_the_extra() -> None:
    """The same bytes, and None for what is not canonical."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )

    assert ran.stdout.strip() == "b'a session'|None|None"
