"""What the doctor checks of Beaker's own settings of a session: secret, cookie, time-outs.

The table is walked by `examine.py`, with the facts of `settings.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import mask_repr
from beaker_dynamodb.ops.doctor.check import Check
from beaker_dynamodb.ops.doctor.settings import Framework, Settings
from beaker_dynamodb.runtime import REAL

#: A secret of fewer characters can be guessed, and one of fewer than 8 is as bad as a placeholder.
_MIN_SECRET, _SHORTEST_SECRET = 16, 8
#: A drawn secret has fewer different characters less than once in a million times.
_MAX_DISTINCT: Final = 8
#: Secrets that our documents and examples hold, and that are no placeholder by their words.
_PUBLISHED: Final = frozenset({"8c1f0e5d2b7a49c3a1f4d6e8b9075c21", "nobody else uses this machine"})
#: What templates, documents and tutorials write where a secret belongs, in lower case.
_PLACEHOLDER_WORD: Final = re.compile(
    r"secret|seekri+t|seekreet|passw(or)?d|passphrase|change_?me|replace_?me|placeholder"
    r"|(^|[ _-])(change|replace|insert|generated?|example|openssl|urandom|todo|fixme|your|random)"
    r"([ _-]|$)"
)
#: A text for another program to replace: <...>, [...], {...}, %(...)s, $(...).
_PLACEHOLDER_FORM: Final = re.compile(
    r"<[\w .:,'-]+>|\[[\w .:,'-]+\]"
    r"|.*(\{ ?[a-z_]{8,} ?\}|\{ ?[A-Z_]{8,} ?\}|%\([a-z_.]{4,}\)s|\$\([a-z]{4,} .*\)).*"
)
_LONG: Final = 2 * 365 * 86400
_SAMESITE: Final = frozenset({"lax", "strict", "none"})
#: Settings of Beaker's whose value with a comment in it fails, or sets a cookie that is not found.
_FATAL_COMMENTS: Final = frozenset(
    {"key", "cookie_domain", "cookie_path", "data_serializer", "crypto_type"}
)


#: The line that makes StrictSession the session class. Under another framework it has no effect.
RECIPES: Final[Mapping[Framework, str]] = {
    "pyramid": 'from beaker_dynamodb import StrictSession; settings["session.session_class"]'
    " = StrictSession  # before Configurator(settings=settings)",
    "paste": "use = egg:beaker-dynamodb",
    "other": 'from beaker_dynamodb import StrictSession; config["session.session_class"]'
    " = StrictSession",
}
#: PasteDeploy's names of our filter, and of Beaker's.
_OWN_FILTERS: Final = ("egg:beaker-dynamodb", "egg:beaker_dynamodb")
_FILTERS: Final = (*_OWN_FILTERS, "egg:Beaker")


def find_framework(section: str, values: Mapping[str, str], *, has_pyramid: bool) -> Framework:
    """Return what hands the settings of a section to Beaker.

    Args: *section* is its full name, "filter:session"; *values* are its lines, `use` included;
    *has_pyramid*, whether pyramid_beaker is installed.
    """
    used = values.get("use", "").partition("#")[0]
    if used in _FILTERS or section.startswith("filter"):
        return "paste"
    is_included = "pyramid_beaker" in values.get("pyramid.includes", "").split()
    is_application = bool(used) or "paste.app_factory" in values
    return "pyramid" if is_included or (has_pyramid and is_application) else "other"


def is_own_filter(values: Mapping[str, str]) -> bool:
    """Return whether a section uses our filter, which makes StrictSession the session class."""
    return values.get("use", "").partition("#")[0] in _OWN_FILTERS


def find_weakness(secret: str) -> str:
    """Return why a secret is known or easily found by others, "" if it seems to be drawn.

    The text completes the sentence "the secret ...". It shows nothing of the secret.
    """
    text = secret.strip().lower()
    is_placeholder = _PLACEHOLDER_WORD.search(text) or _PLACEHOLDER_FORM.fullmatch(secret.strip())
    if text in _PUBLISHED or is_placeholder:
        return "is a placeholder, or a text of a document"
    distinct = len(set(text))
    if distinct < max(2, min(_MAX_DISTINCT, len(text) // 4)):
        return f"has only {distinct} different character{'' if distinct == 1 else 's'}"
    if text in (text + text)[1:-1]:
        return "repeats itself"
    if _count_steps(text) > len(text) / 2:
        return "is the alphabet, or counts"
    return f"has only {len(text)} characters" if len(text) < _SHORTEST_SECRET else ""


def _count_steps(text: str) -> int:
    """Count the characters that are the next one after, or before, the one in front of them."""
    codes = [ord(character) for character in text]
    return sum(abs(after - before) == 1 for before, after in pairwise(codes))


def _line(text: str) -> Callable[[Settings], str]:
    """Return a function that makes a line of the ini file, with the prefix that it uses."""
    return lambda f: f"{f.begin}{text}"


def _draw_secret(f: Settings) -> str:
    return f"{f.begin}secret = {f.new_secret}"


def _is_weak(f: Settings) -> bool:
    return bool(f.secret and find_weakness(f.secret))


def _get_samesite(f: Settings) -> str:
    return str(f.beaker.get("samesite") or "Lax").lower()


# A row of a table is read as one: the formatter would break it at every comma.
# fmt: off

SESSION: Final[tuple[Check[Settings], ...]] = (
    # A secret that cannot be changed before a migration is over must not stop every deployment.
    Check(lambda f: "warning" if f.options.migrate_from else "error", "cookie", _is_weak,
          lambda f: f"the secret that signs the cookie ({f.begin}secret)"
          f" {find_weakness(f.secret)}: whoever finds it can sign a cookie",
          _draw_secret, logs_out="everybody"),
    Check("warning", "cookie", lambda f: 0 < len(f.secret) < _MIN_SECRET and not _is_weak(f),
          lambda f: f"the secret that signs the cookie ({f.begin}secret) has {len(f.secret)}"
          " characters: it can be guessed", _draw_secret, logs_out="everybody"),
    Check("ok", "cookie", lambda f: len(f.secret) >= _MIN_SECRET and not _is_weak(f),
          lambda f: f"the cookie is signed ({f.begin}secret)"),
    Check("warning", "cookie", lambda f: not f.secret,
          "the cookie is not signed: any id that a client sends is looked up",
          _draw_secret, logs_out="everybody"),
    Check("warning", "prefix", lambda f: not f.secret and f.options.prefix == Options().prefix,
          lambda f: f"{f.options.prefix!r} is the default, and without a signature two"
          " applications on one table accept each other's sessions",
          _draw_secret, logs_out="everybody"),
    Check("error", "encrypt_key",
          lambda f: (key := f.beaker.get("encrypt_key")) and find_weakness(str(key)),
          lambda f: f"the key {find_weakness(str(f.beaker['encrypt_key']))}: whoever finds it can"
          " read the sessions", lambda f: f"{f.begin}encrypt_key = {f.new_secret}",
          logs_out="everybody"),
    Check(lambda f: "error" if any(name in _FATAL_COMMENTS for name, *_ in f.commented)
          else "warning", "comment", lambda f: f.commented,
          lambda f: "Beaker takes what follows as a part of the value, for ini files have no"
          " comments there: "
          + ", ".join(f"{f.begin}{name} = {mask_repr(text)}" for name, text, _ in f.commented),
          lambda f: "\n".join(f"{f.begin}{name} = {value}" for name, _, value in f.commented)),
    Check("warning", "cookie", lambda f: not f.is_on("secure") and not f.is_local,
          "it is also sent over plain http", _line("secure = true"),
          logs_out="visitors who come by plain http"),
    Check("warning", "cookie", lambda f: not f.is_on("httponly"), "JavaScript can read it",
          _line("httponly = true")),
    Check("warning", "cookie", lambda f: _get_samesite(f) == "none",
          "browsers send it with requests from other sites (samesite none)",
          _line("samesite = Lax"), logs_out="visitors within a frame or a form of another site"),
    Check("warning", "cookie",
          lambda f: _get_samesite(f) not in _SAMESITE and not f.has_comment("samesite"),
          lambda f: f"samesite is {mask_repr(f.beaker['samesite'])}, expected Lax, Strict or None:"
          " browsers ignore it", _line("samesite = Lax")),
    Check("error", "timeout", lambda f: f.has_timeout and f.timeout <= 0,
          lambda f: f"{f.timeout:g}: every request begins a new session; without a timeout, leave"
          " the line out", _line("timeout = 3600")),
    Check("warning", "timeout", lambda f: f.timeout > _LONG,
          lambda f: f"{f.timeout:.0f} are {f.timeout / 365 / 86400:,.0f} years: Beaker counts"
          " seconds, not milliseconds", lambda f: f"{f.begin}timeout = {f.timeout / 1000:.0f}",
          logs_out="visitors who were away for longer than that"),
    Check("note", "max_age", lambda f: f.options.max_age is None,
          "no longest lifetime: a session that is used never ends, and neither does a stolen one",
          _line("max_age = 30d"), logs_out="visitors whose session began longer ago"),
    Check("error", "created_after", lambda f: (f.options.created_after or 0) > REAL.clock(),
          "it is in the future: until then nobody stays logged in for a second request",
          _line("created_after = none")),
    Check("error", "save_accessed_time",
          lambda f: f.is_off("save_accessed_time") and f.has_timeout,
          lambda f: f"false contradicts {f.begin}timeout; Beaker refuses the two together",
          _line("save_accessed_time = true")),
    Check("note", "save_accessed_time",
          lambda f: f.is_off("save_accessed_time") and not f.has_timeout,
          "false: a session that is only read expires anyway, and touch_after has no effect",
          _line("save_accessed_time = true")),
    Check("warning", "encrypt_key", lambda f: f.beaker.get("encrypt_key") and not f.is_strict,
          "Beaker's own encryption makes sessions opaque: they are replaced, never merged, and a"
          " slow reader can undo a logout, except under StrictSession; a new application uses"
          " encryption_keys instead", lambda f: f.recipe),
    Check("warning", "migrate_from",
          lambda f: f.options.migrate_from and f.beaker.get("encrypt_key") and not f.is_strict,
          lambda f: "with encrypt_key a logout under Beaker's own Session is saved like any other"
          " change: the session is emptied here, and its old copy stays in"
          f" {f.options.migrate_from} until it expires there; StrictSession prevents that, or an"
          " import of all sessions", lambda f: f.recipe),
    Check("note", "serializer",
          lambda f: not f.options.encryption_keys
          and (f.beaker.get("data_serializer") or "pickle") == "pickle",
          "pickle: whoever can write to the table can run code here; if sessions hold plain values"
          " only, use json before there are users; later, encryption_keys",
          _line("data_serializer = json"), logs_out="everybody"),
    Check("error", "session_class",
          lambda f: isinstance(f.beaker.get("session_class"), str) and not f.is_strict,
          "Beaker expects a class here, not a text, and fails with TypeError",
          lambda f: f"remove {f.begin}session_class\n{f.recipe}"),
    Check("note", "auto", lambda f: f.is_on("auto") and not f.is_strict,
          "each visitor without a session, including robots, costs a row and a write;"
          " StrictSession stores no session without content", lambda f: f.recipe),
    Check("note", "invalidate_corrupt",
          lambda f: f.is_off("invalidate_corrupt")
          and isinstance(text := f.beaker["invalidate_corrupt"], str) and text.strip(),
          lambda f: f"Beaker does not read {f.beaker['invalidate_corrupt']!r} in an ini file as"
          " off: any text means on", lambda f: f"remove {f.begin}invalidate_corrupt"),
    Check("note", "invalidate_corrupt",
          lambda f: f.framework == "pyramid" and not f.beaker.get("invalidate_corrupt"),
          "off by default under pyramid_beaker, which is installed here: a session that cannot"
          " be read is an error on each page, until the visitor deletes the cookie",
          _line("invalidate_corrupt = true")),
)
# fmt: on
