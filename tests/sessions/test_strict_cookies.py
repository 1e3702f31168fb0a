"""StrictSession beside cookies that Python cannot parse, and beside other cookies of its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaker_dynamodb import StrictSession
from beaker_dynamodb.sessions.cookie_header import keep_cookie
from tests.sessions.requests import KEY, Browser, Site

UNPARSABLE = [
    'prefs={"a":1}',
    "foo[bar]=1",
    "bare",
    "=",
    "caf\xe9=1",
    "a b=1",
    "a=b c",
    'a="b',
    "a=\x01",
    "$Path",
    "a:b@c=(1)",
]


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Give an application with strict sessions, whose cookie is signed."""
    return Site(dynamodb_local, table_name, secret="s" * 64)


@pytest.mark.parametrize("other", UNPARSABLE)
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_cookie_that_python_cannot_parse_logs_nobody_out(
    site: Site, other: str, place: str
) -> None:
    """The session is found beside it, and its logout removes the row."""
    ann = Browser(site)
    ann.write(user="ann")
    pairs = [other, str(ann.cookie)] if place == "before" else [str(ann.cookie), other]

    assert Browser(site, "; ".join(pairs)).read() == {"user": "ann"}
    Browser(site, ";".join(pairs)).begin().session.delete()
    assert site.rows() == {}


def test_an_invalid_cookie_of_the_sessions_own_name_hides_no_valid_one(site: Site) -> None:
    """Of several valid ones the last counts, as for Beaker."""
    ann = Browser(site)
    ann.write(user="ann")
    bob = Browser(site)
    bob.write(user="bob")

    for cookie in (f'{KEY}={{"a":1}}; {ann.cookie}', f'{ann.cookie}; {KEY}={{"a":1}}'):
        assert Browser(site, cookie).read() == {"user": "ann"}
    assert Browser(site, f"{ann.cookie}; {bob.cookie}").read() == {"user": "bob"}


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_whatever_stands_beside_it_the_cookie_is_found(before: str, after: str) -> None:
    """Property: for any text before and behind a valid cookie, that cookie is among those kept."""
    kept = keep_cookie(f"{before};sid=abc123; {after}", "sid")

    assert "sid=abc123" in kept.split("; ")
    assert all(pair.startswith("sid") for pair in kept.split("; "))


def test_a_name_that_python_refuses_for_a_cookie_keeps_nothing() -> None:
    """Beaker could not send such a cookie either."""
    assert keep_cookie("a@b=1", "a@b") == ""


@pytest.mark.parametrize("pair", ["sid=abc", "sid=abc=", "sid =abc"])
def test_the_name_of_a_cookie_ends_at_its_first_equal_sign(pair: str) -> None:
    """Its value may have others, and blanks around the name are no part of it."""
    assert keep_cookie(f"prefs={{}}; {pair}; other=1", "sid") == pair


@pytest.mark.parametrize("by_name", [False, True])
def test_a_session_can_be_given_its_request_by_name(*, by_name: bool) -> None:
    """Beaker's middleware gives it by position, an application perhaps not; `key` is the cookie."""
    request = {"cookie": "prefs={}; sid=abc"}
    if by_name:
        StrictSession(request=request, type="memory", key="sid")
    else:
        StrictSession(request, type="memory", key="sid")

    assert request["cookie"] == "sid=abc"
