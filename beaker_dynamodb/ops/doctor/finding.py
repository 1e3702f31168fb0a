"""What a check says: how bad, about what, in one sentence, and the remedy.

error: sessions or caches do not work, or will not. warning: they work, but something is unsafe
or will hurt. note: worth knowing. ok: looked at, and well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from beaker_dynamodb.errors import mask

Severity = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; `remedy` is a command or a line of the ini file, "" where there is none.

    `unreachable`: the store did not answer, and nothing further can be found out.
    """

    severity: Severity
    check: str
    message: str
    remedy: str = ""
    unreachable: bool = False

    def __post_init__(self) -> None:
        """Mask what a URL in a name, a value or an address may hold."""
        for name in ("message", "remedy"):
            object.__setattr__(self, name, mask(getattr(self, name)))
