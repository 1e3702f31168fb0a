"""Check Beaker's own settings: the cookie, the serializer, what makes sessions opaque.

Facts: the application's settings, and whether pyramid_beaker is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.doctor.finding import Finding
from beaker_dynamodb.ops.doctor.settings import is_local

Check = Callable[[Application], Iterator[Finding]]
#: beaker/converters.py:8
#: A secret of fewer characters is a word, or a placeholder that was copied: `replace me`.
_SECRET: Final = 16
_TRUE: Final = frozenset({"true", "yes", "on", "y", "t", "1"})


def is_on(value: object) -> bool:
    """Read a switch as Beaker does."""
    return str(value).strip().lower() in _TRUE


def cookie_is_signed(application: Application) -> Iterator[Finding]:
    """A signature keeps forged ids from the table, and two applications apart."""
    remedy = "session.secret = <output of: openssl rand -hex 32>"
    if application.secret:
        message = "the cookie is signed (session.secret)"
        if len(application.secret) < _SECRET:
            size = len(application.secret)
            short = f"{message}, but the secret has {size} characters: it can be guessed"
            yield Finding("warning", "cookie", short, remedy)
        else:
            yield Finding("ok", "cookie", message)
        return
    yield Finding(
        "warning",
        "cookie",
        "the cookie is not signed: any id that a client sends is looked up",
        remedy,
    )
    if application.options.prefix == Options().prefix:
        yield Finding(
            "warning",
            "prefix",
            f"{application.options.prefix!r} is the default, and without a signature two"
            " applications on one table accept each other's sessions",
            "session.prefix = myapp:",
        )


def cookie_has_flags(application: Application) -> Iterator[Finding]:
    """Who may read the cookie, and where it is sent to."""
    settings = application.settings
    if not is_on(settings.get("secure")) and not is_local(application.options):
        yield Finding(
            "warning", "cookie", "it is also sent over plain http", "session.secure = true"
        )
    if not is_on(settings.get("httponly")):
        yield Finding("warning", "cookie", "JavaScript can read it", "session.httponly = true")
    samesite = str(settings.get("samesite") or "Lax").lower()
    if samesite == "none":
        yield Finding(
            "warning",
            "cookie",
            "browsers send it with requests from other sites (samesite none)",
            "session.samesite = Lax",
        )


def access_times(application: Application) -> Iterator[Finding]:
    """Without access times nothing tells an idle session from a busy one."""
    given = application.settings.get("save_accessed_time")
    if given in {None, ""} or is_on(given):
        return
    if application.settings.get("timeout"):
        yield Finding(
            "error",
            "save_accessed_time",
            "false contradicts session.timeout; Beaker refuses the two together",
            "session.save_accessed_time = true",
        )
        return
    yield Finding(
        "note",
        "save_accessed_time",
        "false: a session that is only read expires anyway, and touch_after has no effect",
        "session.save_accessed_time = true",
    )


def sessions_open(application: Application) -> Iterator[Finding]:
    """What Beaker encrypts itself cannot be merged."""
    if not application.settings.get("encrypt_key"):
        return
    yield Finding(
        "warning",
        "encrypt_key",
        "Beaker's own encryption makes sessions opaque: they are replaced, never merged, and a slow"
        " reader can undo a logout",
        "StrictSession as session class, or session.encryption_keys instead of encrypt_key",
    )


def opaque_logout(application: Application) -> Iterator[Finding]:
    """A logout of Beaker's own Session that the backend cannot recognize as one."""
    moving = application.options.migrate_from
    if not moving or not application.settings.get("encrypt_key"):
        return
    yield Finding(
        "warning",
        "migrate_from",
        "with encrypt_key a logout under Beaker's own Session is saved like any other change: the"
        f" session is emptied here, and its old copy stays in {moving} until it expires there",
        "StrictSession as session class; or import the sessions first, and remove"
        " session.migrate_from",
    )


def pickles(application: Application) -> Iterator[Finding]:
    """Who can write a pickle into the table runs code in the application."""
    options = application.options
    if options.encryption_keys:
        return
    if application.kind == "session":
        named = application.settings.get("data_serializer") or "pickle"
        remedy = (
            "session.encryption_keys; or, before there are users, session.data_serializer = json"
        )
    else:
        one, other = (f"{application.begin}{name}" for name in ("serializer", "encryption_keys"))
        named, remedy = options.serializer, f"{one} = json, or {other}"
    if named == "pickle":
        yield Finding(
            "note", "serializer", "pickle: whoever can write to the table can run code here", remedy
        )


def session_class(application: Application) -> Iterator[Finding]:
    """An ini file cannot name a class."""
    named = application.settings.get("session_class")
    if isinstance(named, str):
        yield Finding(
            "error",
            "session_class",
            "Beaker expects a class here, not a text, and fails with TypeError",
            "[filter:session] use = egg:beaker-dynamodb",
        )


def auto(application: Application) -> Iterator[Finding]:
    """Beaker saves sessions that nothing was written into."""
    if is_on(application.settings.get("auto")):
        yield Finding(
            "note",
            "auto",
            "each visitor without a session, including robots, costs a row and a write",
            "StrictSession as session class, which stores no session without content",
        )


def corrupt(application: Application, *, pyramid: bool) -> Iterator[Finding]:
    """What happens to a session that cannot be read any more."""
    given = application.settings.get("invalidate_corrupt")
    if isinstance(given, str) and given.strip() and not is_on(given):
        yield Finding(
            "note",
            "invalidate_corrupt",
            f"Beaker does not read {given!r} in an ini file as off: any text means on",
            "remove session.invalidate_corrupt",
        )
    elif pyramid and not given:
        yield Finding(
            "note",
            "invalidate_corrupt",
            "off by default under pyramid_beaker, which is installed here: a session that cannot"
            " be read is an error on each page, until the visitor deletes the cookie",
            "session.invalidate_corrupt = true",
        )


#: The checks of sessions; for caches, only `pickles` applies.
CHECKS: Final[tuple[Check, ...]] = (
    cookie_is_signed,
    cookie_has_flags,
    access_times,
    sessions_open,
    opaque_logout,
    pickles,
    session_class,
    auto,
)
