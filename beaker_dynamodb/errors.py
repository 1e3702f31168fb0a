"""The errors of this package, and functions that keep secrets out of their messages.

This file imports no other module of the package.

BeakerException
└── DynamoDBBackendError            never raised itself
    ├── OptionError                 unknown or malformed; names the nearest option
    ├── TableError                  never raised itself
    │   ├── TableMissing            says the command that creates it
    │   ├── TableMismatch           what AWS tells of the key schema
    │   └── AccessRefused           names the IAM action
    ├── Unavailable                 throttled, timed out, 5xx, after the SDK's retries
    ├── Refused                     any other error of AWS, with its code
    ├── UnknownFormat               written by a newer version, or with an unknown key
    ├── Conflict                    two writers that were not merged; holds theirs
    ├── CorruptItem                 the stored row is not what we wrote
    └── ItemTooLarge                holds size and limit

No message, repr or argument of an error contains a session's id, key or payload: an item is named
by `digest`. None contains the user or password of a URL: every message is passed through `mask`.
None of the classes is a KeyError, TypeError or ValueError: Beaker takes those for "no such session"
(beaker/session.py:440) and overwrites the old one with a new one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    BeakerException = Exception  # its base class; Beaker ships no types
else:
    from beaker.exceptions import BeakerException

__all__ = [
    "AccessRefused",
    "Conflict",
    "CorruptItem",
    "DynamoDBBackendError",
    "ItemTooLarge",
    "OptionError",
    "Refused",
    "TableError",
    "TableMismatch",
    "TableMissing",
    "Unavailable",
    "UnknownFormat",
]


def digest(text: str, digits: int = 8) -> str:
    """Return the first hex digits of a text's SHA-256, which name an id or key in a message."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]


_HIDDEN = "***@"
_WORD = re.compile(r"\S+")
_AT = re.compile(r"@|%40")
_SLASHES = re.compile(r"://|%3a%2f%2f", re.IGNORECASE)
#: The characters that may precede a user name in a sentence: quotes, brackets, those of options.
_BEFORE_A_USER = "'\"([{=,"
#: A parameter of a URL, and what the name of a secret one contains: `?password=...`.
_PARAMETER = re.compile(r"([?&][\w.%-]*=)([^&\s'\"]+)")
_SECRET_NAME = re.compile(r"passw|pwd|secret|token|key|credential", re.IGNORECASE)


def mask(text: str) -> str:
    """Replace the user and password of each URL in a sentence, and secret parameters, by `***`.

    Only `mask_repr` finds a password that contains white space: it knows where a value ends.
    """
    if _AT.search(text):
        text = _WORD.sub(lambda word: _without_user(word[0]), text)
    return _PARAMETER.sub(_without_secret, text)


def mask_repr(value: object) -> str:
    """Return the masked repr of a value that was given to us, for a message."""
    return mask(_without_user(repr(value)))


def raise_clean(error: Exception) -> NoReturn:
    """Raise *error* from an `except` block without the exception that is being handled.

    Python would keep that exception as `error.__context__`, with a user's data in its message or
    in the variables of its frames, and anything that logs or reports *error* would publish them.
    `from None` only hides it.
    """
    try:
        raise error
    finally:
        error.__context__ = None


def say_table_missing(table: str | None = None, command: str = "") -> str:
    """Return the sentence that *table* does not exist, and that *command* creates it, if given.

    Without a name it is "the table": then the facts of the failed call name it.
    """
    named = "the table" if table is None else f"table {table!r}"
    creates = f"; `{command}` creates it" if command else ""
    where = "in this region and account; check its name and the region"
    return f"{named} does not exist {where}{creates}"


def _without_user(text: str) -> str:
    """Hide what is between a scheme, or the beginning, and the last `@`: it may be a user.

    Each part is searched once, from one end. One pattern for the whole would start again at each
    colon of a long value, and take quadratic time.
    """
    at = None
    for at in _AT.finditer(text):  # noqa: B007  # the last one
        continue
    if at is None:
        return text
    before, after = text[: at.start()], text[at.end() :]
    if slashes := _SLASHES.search(before):
        return f"{before[: slashes.end()]}{_HIDDEN}{after}"
    user, colon, _ = before.partition(":")
    if not colon:
        return text
    begin = 1 + max(user.rfind(one) for one in _BEFORE_A_USER)
    return f"{user[:begin]}{_HIDDEN}{after}"


def _without_secret(parameter: re.Match[str]) -> str:
    return f"{parameter[1]}***" if _SECRET_NAME.search(parameter[1]) else parameter[0]


def masked_repr(value: Any) -> str:
    """Return the repr of a dataclass with masked fields; a class uses this as its `__repr__`."""
    names = [field.name for field in dataclasses.fields(value) if field.repr]
    fields = ", ".join(f"{name}={mask_repr(getattr(value, name))}" for name in names)
    return f"{type(value).__qualname__}({fields})"


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What an operator needs to know of a failed call, copied from AWS's exception.

    `date` is the Date header of the response: the server's own clock.
    """

    operation: str
    table: str | None = None
    region: str | None = None
    code: str | None = None
    request_id: str | None = None
    attempts: int | None = None
    reason: str | None = None
    date: str | None = None

    def __str__(self) -> str:
        """Return the facts, as the end of a message shows them."""
        named = (
            ("table", self.table),
            ("region", self.region),
            ("code", self.code),
            ("throttled by", self.reason),
            ("attempts", self.attempts),
            ("request", self.request_id),
        )
        return ", ".join([self.operation, *[f"{name} {value}" for name, value in named if value]])


@dataclass(frozen=True, slots=True)
class LoadOrigin:
    """The session, and its table, whose load raised an error (see `sessions/outage.py`).

    `session` is a digest that is long enough to be unique.
    """

    table: tuple[str | None, ...]
    session: str


class DynamoDBBackendError(BeakerException):
    """The base class of all errors of this package. Never raised itself.

    `call` holds the facts of the failed call to DynamoDB, if there was one.
    """

    call: CallFacts | None = None
    origin: LoadOrigin | None = None

    def __init__(self, message: str, *, call: CallFacts | None = None) -> None:
        if type(self) in {DynamoDBBackendError, TableError}:
            raise TypeError(f"{type(self).__name__} is abstract; raise one of its subclasses")
        # A server may raise the class again with the error itself as the message (apig_wsgi does).
        super().__init__(mask(f"{message} ({call})" if call else str(message)))
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the final message, so that no constructor runs again."""
        return type(self).__new__, (type(self), *self.args), self.__dict__.copy()


class OptionError(DynamoDBBackendError):
    """An option is unknown, malformed or missing; the message names it and the nearest one."""


class TableError(DynamoDBBackendError):
    """The table cannot be used as it is. Never raised itself."""


class TableMissing(TableError):
    """The table does not exist in this region and account; the message says how to create it."""


class TableMismatch(TableError):
    """The table's key schema is not the one that the options name."""


class AccessRefused(TableError):
    """AWS denies the caller an action; the message names it."""


class Unavailable(DynamoDBBackendError):
    """DynamoDB did not answer, or its response is invalid. The next request may succeed.

    It is unknown whether a write that raised this was applied.
    """


class Refused(DynamoDBBackendError):
    """AWS answered with an error that has no class of its own; `call.code` holds its code."""


class UnknownFormat(DynamoDBBackendError):
    """The item was written by a newer release, or with an encryption key that is not configured."""


class Conflict(DynamoDBBackendError):
    """Another request changed the session and merging gave up or is off, or gave it a new id.

    `theirs` is the text of the session that is in the table now; it is not in the message.
    """

    theirs: str | None = None


class CorruptItem(DynamoDBBackendError):
    """A row cannot be read; `item` is a digest of its key, `wrong` is the reason."""

    item: str
    wrong: str

    def __init__(self, item: str, wrong: str) -> None:
        super().__init__(f"item {item} cannot be read: {wrong}")
        self.item, self.wrong = item, wrong


class ItemTooLarge(DynamoDBBackendError):
    """A value is larger than the limit; `size` and `limit` are bytes. Reads raise it, too."""

    size: int
    limit: int

    def __init__(self, size: int, limit: int, *, item: str | None = None) -> None:
        named = f"item {item}: " if item else ""
        super().__init__(
            f"{named}{size:,} bytes are more than the limit of {limit:,}; option max_value_size"
        )
        self.size, self.limit = size, limit
