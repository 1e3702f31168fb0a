"""Check options that contradict each other or the server's time-outs, and forgotten ones.

Facts: the application's settings, ours and Beaker's own. Each check is one function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import DynamoDBBackendError, Unavailable, shown
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.doctor.finding import Finding

Check = Callable[[Application], Iterator[Finding]]

#: Seconds after which gunicorn kills a worker that is silent (gunicorn: settings, "timeout").
_GUNICORN: Final = 30.0
#: The longest that botocore waits between attempts of one call (standard mode, per attempt).
_BACKOFF: Final = 1.0
_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]", "embedded", "host.docker.internal")


def ini(application: Application, line: str) -> str:
    """Return a line of the ini file."""
    return f"{application.begin}{line}"


def is_local(options: Options) -> bool:
    """Tell whether the options name a store for development."""
    return any(word in (options.endpoint_url or "") for word in _LOCAL)


def duration(value: object) -> float | None:
    """Parse one of Beaker's own durations, in seconds; None if it is not a number."""
    try:
        return float(str(value)) if value not in {None, ""} else None
    except ValueError:
        return None


def touches(application: Application) -> Iterator[Finding]:
    """How often a session that is only read is written, to move its expiry."""
    options, timeout = application.options, duration(application.settings.get("timeout"))
    if options.touch_after == 0:
        yield Finding(
            "note",
            "touch_after",
            "every request that reads a session also writes it, which costs five to twenty reads",
            ini(application, "touch_after = 5m"),
        )
    elif timeout and options.touch_after and options.touch_after > timeout / 10:
        yield Finding(
            "note",
            "touch_after",
            f"{options.touch_after:g} s is more than a tenth of the timeout ({timeout:g} s), so"
            f" {timeout / 10:g} s is used",
            ini(application, f"touch_after = {timeout / 10:g}"),
        )


def lifetimes(application: Application) -> Iterator[Finding]:
    """Rows that never expire cost money forever."""
    options = application.options
    timeout = application.settings.get("timeout")
    if options.ttl == 0:
        yield Finding(
            "warning",
            "ttl",
            "rows to which Beaker gives no lifetime are kept forever",
            ini(application, "ttl = 30d"),
        )
    elif not timeout and application.kind == "session":
        yield Finding(
            "note",
            "timeout",
            f"sessions have no timeout; they expire {options.ttl / 86400:g} days after the last"
            " write",
            "session.timeout = 3600",
        )


def waiting(application: Application) -> Iterator[Finding]:
    """A worker that waits longer than its server does is killed, with all its requests."""
    options = application.options
    longest = (options.connect_timeout + options.read_timeout + _BACKOFF) * options.max_attempts
    if longest >= _GUNICORN:
        yield Finding(
            "warning",
            "time-outs",
            f"a call that DynamoDB does not answer takes up to {longest:g} s"
            f" ({options.max_attempts} attempts); gunicorn kills a worker after {_GUNICORN:g} s",
            ini(application, "read_timeout = 2s"),
        )
    if application.kind == "cache" and options.lock_wait >= _GUNICORN:
        yield Finding(
            "warning",
            "lock_wait",
            f"a page waits up to {options.lock_wait:g} s for another that creates the value;"
            f" gunicorn kills a worker after {_GUNICORN:g} s",
            ini(application, "lock_wait = 20s"),
        )
    if application.kind == "cache" and options.lock_lease > options.lock_wait:
        yield Finding(
            "note",
            "lock_lease",
            "if the process that creates a value dies, waiting ones give up before its lock"
            " expires, and create the value themselves",
            ini(application, f"lock_wait = {options.lock_lease + 5:g}s"),
        )


def places(application: Application) -> Iterator[Finding]:
    """A store for development, or long-lived keys, in the configuration."""
    options = application.options
    if options.endpoint_url == "embedded":
        yield Finding(
            "warning",
            "endpoint_url",
            "the table is in the memory of one process: a second worker does not share it, and a"
            " restart logs everybody out; for development only",
            f"remove {ini(application, 'endpoint_url')}",
        )
    elif is_local(options):
        yield Finding(
            "note",
            "endpoint_url",
            "the table is on this machine; for development only",
            f"remove {ini(application, 'endpoint_url')} in production",
        )
    elif (options.endpoint_url or "").startswith("http://"):
        yield Finding(
            "warning",
            "endpoint_url",
            "sessions are sent without TLS",
            ini(application, "endpoint_url = https://..."),
        )
    if options.aws_secret_access_key and not is_local(options):
        yield Finding(
            "warning",
            "credentials",
            "an AWS key is in the configuration; with a role you need none",
            f"remove {ini(application, 'aws_secret_access_key')}, and attach a role",
        )


def conflicts(application: Application) -> Iterator[Finding]:
    """Settings under which overlapping requests can lose a change."""
    options = application.options
    if application.kind == "cache":
        return
    if options.on_conflict == "overwrite":
        yield Finding(
            "note",
            "on_conflict",
            "if two requests overlap, the later save wins and the other's change is lost",
            "session.on_conflict = merge",
        )
    if options.envelope == "none":
        yield Finding(
            "note",
            "envelope",
            "sessions are never opened, so never merged: a slow request can undo a change",
            "session.envelope = auto",
        )
    if not options.consistent_read:
        yield Finding(
            "note",
            "consistent_read",
            "a page may see the session as it was before the redirect that led to it",
            "session.consistent_read = true",
        )


def encryption(application: Application) -> Iterator[Finding]:
    """What encryption leaves readable, and unfinished steps of a change of keys."""
    options = application.options
    if not options.encryption_keys:
        return
    if options.special_keys:
        names = ", ".join(name for name, _ in options.special_keys)
        yield Finding("note", "special_keys", f"{names}: readable in the table, for the indexes")
    if options.encryption_keys[0] == b"":
        yield Finding(
            "warning",
            "encryption_keys",
            "`plain` comes first: rows are written without encryption (a step of a change)",
            "move `plain` behind the key, or remove it; docs/changing.md",
        )
    elif not options.encryption_required:
        yield Finding(
            "warning",
            "encryption_required",
            "rows without encryption are read too: whoever can write to the table can plant one",
            ini(application, "encryption_required = true"),
        )


def moving(application: Application) -> Iterator[Finding]:
    """During a migration each new visitor costs a read of the old store."""
    if application.options.migrate_from:
        yield Finding(
            "note",
            "migrate_from",
            "sessions are still looked for in the old store",
            "when the longest session lifetime is over: remove session.migrate_from",
        )


def unmoved(error: DynamoDBBackendError) -> Finding:
    """A visitor whose session is not moved yet gets an error page, and keeps the cookie."""
    remedy = "start it, or remove session.migrate_from, which logs out whoever was not moved"
    down = isinstance(error, Unavailable)  # a mistake in the options holds its own remedy
    return Finding("error", "migrate_from", str(error), remedy if down else "")


def no_place(place: str) -> Finding:
    """Beaker creates a missing folder, so a misspelled name looks like a store without sessions."""
    message = f"there is no {shown(place)}, so no session can be moved from there"
    return Finding("error", "migrate_from", message, "check the options of session.migrate_from")


def nothing_moved(place: str) -> Finding:
    """An application that ran once under a misspelled name has created the folder."""
    message = f"there is no session in {shown(place)}: is it the folder of the old application?"
    return Finding("warning", "migrate_from", message, "check the options of session.migrate_from")


CHECKS: Final[tuple[Check, ...]] = (
    touches,
    lifetimes,
    waiting,
    places,
    conflicts,
    encryption,
    moving,
)
