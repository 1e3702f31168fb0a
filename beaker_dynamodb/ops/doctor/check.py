"""A check as a row of data, and the finding that it yields if it applies.

error: sessions or caches do not work, or will not. warning: they work, but something is unsafe
or will cause trouble. note: worth knowing. ok: checked, nothing wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from beaker_dynamodb.errors import mask

Severity = Literal["ok", "note", "warning", "error"]
F = TypeVar("F")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, and what to do about it.

    `remedy` can be pasted as it is: lines of the ini file, `remove NAME` or `rename NAME to NAME`
    for a line that is there, a command of the shell, or a line of Python; "" if there is none.
    `logs_out` says whom the remedy logs out, "" for nobody. `unreachable`: the store did not
    answer, and nothing further can be checked.
    """

    severity: Severity
    check: str
    message: str
    remedy: str = ""
    logs_out: str = ""
    unreachable: bool = False

    def __post_init__(self) -> None:
        """Mask passwords that a URL in a name, a value or an address may hold."""
        for name in ("message", "remedy"):
            object.__setattr__(self, name, mask(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Check(Generic[F]):
    """One check of facts of type F: what it reports, and the condition on which it does."""

    severity: Severity | Callable[[F], Severity]
    topic: str | Callable[[F], str]
    applies: Callable[[F], object]
    message: str | Callable[[F], str]
    remedy: str | Callable[[F], str] = ""
    logs_out: str = ""
    unreachable: bool = False


def run_checks(checks: Iterable[Check[F]], *facts: F) -> Iterator[Finding]:
    """Walk a table of checks for each of the facts, and yield what applies."""
    for fact in facts:
        for check in checks:
            if check.applies(fact):
                remedy = _resolve(check.remedy, fact)
                yield Finding(
                    _resolve(check.severity, fact),
                    _resolve(check.topic, fact),
                    _resolve(check.message, fact),
                    remedy,
                    check.logs_out if remedy else "",
                    check.unreachable,
                )


def withhold_logouts(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings without the remedies that log people out.

    During a migration such a remedy would cost the very sessions that are migrated.
    """
    for one in findings:
        reason = (
            f"while migrate_from is set no remedy is offered, for it would log out {one.logs_out}"
        )
        yield (
            replace(one, message=f"{one.message}; {reason}", remedy="", logs_out="")
            if one.logs_out
            else one
        )


def exit_code(findings: Iterable[Finding]) -> int:
    """Return the exit code: 0; 1 if an error was found; 3 if the store was not reached."""
    return max((3 if f.unreachable else int(f.severity == "error") for f in findings), default=0)


def _resolve(value: V | Callable[[F], V], facts: F) -> V:
    return value(facts) if callable(value) else value
