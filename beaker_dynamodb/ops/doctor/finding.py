"""The result of a check: severity, name of the check, message and remedy.

error: sessions or caches do not work, or will not. warning: they work, but something is unsafe
or will cause trouble. note: worth knowing. ok: checked, nothing wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from beaker_dynamodb.errors import mask

Severity = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; `remedy` is a command or a line of the ini file, or "".

    `unreachable`: the store did not answer, and nothing further can be checked.
    """

    severity: Severity
    check: str
    message: str
    remedy: str = ""
    unreachable: bool = False

    def __post_init__(self) -> None:
        """Mask passwords that a URL in a name, a value or an address may hold."""
        for name in ("message", "remedy"):
            object.__setattr__(self, name, mask(getattr(self, name)))
