"""Find a session's cookie beside cookies that Python cannot parse. Pure.

Python's `SimpleCookie` drops a whole header if one pair of it is invalid, as `prefs={"a":1}`,
`foo[bar]=1`, a bare word, or a name with an accent. Any script of the site or of a sibling domain
can set such a cookie, and under Beaker's own Session its visitor is logged out, in every backend.
Browsers end a pair at each semicolon, also within quotes (RFC 6265, 5.2), so splitting there is
exact for what they send.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie


def keep_cookie(header: str, name: str) -> str:
    """Return the valid pairs of a Cookie *header* whose name is *name*, in their order."""
    pairs = [pair.strip() for pair in header.split(";")]
    return "; ".join(pair for pair in pairs if _is_valid(pair, name))


def _is_valid(pair: str, name: str) -> bool:
    if pair.partition("=")[0].rstrip() != name:
        return False
    try:
        return name in SimpleCookie(pair)
    except CookieError:
        return False
