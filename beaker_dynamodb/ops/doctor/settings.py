"""Options that contradict each other or the waiting server around them, and forgotten ones.

Facts: what the application tells Beaker, ours and Beaker's own. Each check is one function.
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
    """Write a line of the ini file."""
    return f"{application.begin}{line}"


def is_local(options: Options) -> bool:
    """Tell whether the options name a store for development."""
    return any(word in (options.endpoint_url or "") for word in _LOCAL)


def duration(value: object) -> float | None:
    """Read one of Beaker's own durations, in seconds; None where it is none."""
    try:
        return float(str(value)) if value not in {None, ""} else None
    except ValueError:
        return None


def touches(application: Application) -> Iterator[Finding]:
    """A session that is only read is written when its expiry has fallen behind."""
    options, timeout = application.options, duration(application.settings.get("timeout"))
    if options.touch_after == 0:
        yield Finding(
            "note",
            "touch_after",
            "every request that reads a session writes it: a write costs five to twenty reads",
            ini(application, "touch_after = 5m"),
        )
    elif timeout and options.touch_after and options.touch_after > timeout / 10:
        yield Finding(
            "note",
            "touch_after",
            f"{options.touch_after:g} s is more than a tenth of the timeout ({timeout:g} s), and"
            f" counts as {timeout / 10:g} s",
            ini(application, f"touch_after = {timeout / 10:g}"),
        )


def lifetimes(application: Application) -> Iterator[Finding]:
    """Rows that never expire are paid for ever."""
    options = application.options
    timeout = application.settings.get("timeout")
    if options.ttl == 0:
        yield Finding(
            "warning",
            "ttl",
            "rows that Beaker gives no lifetime are kept for ever",
            ini(application, "ttl = 30d"),
        )
    elif not timeout and application.kind == "session":
        yield Finding(
            "note",
            "timeout",
            f"Beaker gives sessions no timeout; they last {options.ttl / 86400:g} days after the"
            " last write",
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
            f"a call to a silent DynamoDB takes up to {longest:g} s ({options.max_attempts}"
            f" attempts); gunicorn kills a worker after {_GUNICORN:g} s",
            ini(application, "read_timeout = 2s"),
        )
    if application.kind == "cache" and options.lock_wait >= _GUNICORN:
        yield Finding(
            "warning",
            "lock_wait",
            f"a page waits up to {options.lock_wait:g} s for another that makes the value; gunicorn"
            f" kills a worker after {_GUNICORN:g} s",
            ini(application, "lock_wait = 20s"),
        )
    if application.kind == "cache" and options.lock_lease > options.lock_wait:
        yield Finding(
            "note",
            "lock_lease",
            "after a maker that died, waiters give up before its lock ends, and make the value"
            " themselves",
            ini(application, f"lock_wait = {options.lock_lease + 5:g}s"),
        )


def places(application: Application) -> Iterator[Finding]:
    """A store of development, or keys that never end, in the configuration."""
    options = application.options
    if options.endpoint_url == "embedded":
        yield Finding(
            "warning",
            "endpoint_url",
            "the table is in the memory of one process: a second worker does not share it, and a"
            " restart logs everybody out; for development only",
            f"take out {ini(application, 'endpoint_url')}",
        )
    elif is_local(options):
        yield Finding(
            "note",
            "endpoint_url",
            "the table is on this machine; for development only",
            f"take out {ini(application, 'endpoint_url')} in production",
        )
    elif (options.endpoint_url or "").startswith("http://"):
        yield Finding(
            "warning",
            "endpoint_url",
            "sessions travel without TLS",
            ini(application, "endpoint_url = https://..."),
        )
    if options.aws_secret_access_key and not is_local(options):
        yield Finding(
            "warning",
            "credentials",
            "an AWS key stands in the configuration; a role needs none",
            f"take out {ini(application, 'aws_secret_access_key')}, and attach a role",
        )


def conflicts(application: Application) -> Iterator[Finding]:
    """What gives up the guarantee that two requests lose nothing."""
    options = application.options
    if application.kind == "cache":
        return
    if options.on_conflict == "overwrite":
        yield Finding(
            "note",
            "on_conflict",
            "of two requests that overlap, the later save wins and the other's change is lost",
            "session.on_conflict = merge",
        )
    if options.envelope == "none":
        yield Finding(
            "note",
            "envelope",
            "sessions are never opened, so never merged: a slow reader can undo a change",
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
    """What encryption leaves readable, and steps of a change that were left half way."""
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
            "`plain` stands first: rows are written without encryption (a step of a change)",
            "move `plain` behind the key, or take it out; docs/changing.md",
        )
    elif not options.encryption_required:
        yield Finding(
            "warning",
            "encryption_required",
            "rows without encryption are read too: who can write the table can plant one",
            ini(application, "encryption_required = true"),
        )


def moving(application: Application) -> Iterator[Finding]:
    """A move that is still under way costs a look into the old store for each new visitor."""
    if application.options.migrate_from:
        yield Finding(
            "note",
            "migrate_from",
            "sessions are still looked for in the old store",
            "when the longest session time is over: take out session.migrate_from",
        )


def unmoved(error: DynamoDBBackendError) -> Finding:
    """Who has not been moved yet gets an error page, and keeps the cookie."""
    remedy = "start it, or take out session.migrate_from and log out who was not moved"
    down = isinstance(error, Unavailable)  # a mistake in the options holds its own remedy
    return Finding("error", "migrate_from", str(error), remedy if down else "")


def no_place(place: str) -> Finding:
    """Beaker makes one where none is, so a misspelled name looks like a store without sessions."""
    said = f"there is no {shown(place)}: no session of anybody's stands there"
    return Finding("error", "migrate_from", said, "the options behind session.migrate_from.")


def nothing_moved(place: str) -> Finding:
    """An application that ran once under a misspelled name has made the folder."""
    said = f"there is no session in {shown(place)}: is it the folder of the old application?"
    return Finding("warning", "migrate_from", said, "the options behind session.migrate_from.")


CHECKS: Final[tuple[Check, ...]] = (
    touches,
    lifetimes,
    waiting,
    places,
    conflicts,
    encryption,
    moving,
)
