"""Two configurations side by side, as in every deploy: nobody is logged out at any step.

The steps are those of docs/changing.md. While a step is rolled out, servers of the old and of
the new configuration serve the same users. A step taken too early is an honest 500 on some
pages, never a logout, and heals when the order is put right.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest

from beaker_dynamodb import StrictSession
from beaker_dynamodb.errors import UnknownFormat
from tests.instruments import Clock
from tests.revisions import make_token, replace_token
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, put, put_while, use_clock

TIMEOUT = 600
OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
Config = Mapping[str, object]
#: Not an option: the step may be taken only when the longest lifetime of a session has passed.
LATER = "later"

ENCRYPTED: Config = {"encryption_keys": OLD}
LENIENT: Config = {"encryption_keys": OLD, "encryption_required": False}
READY: Config = {"encryption_keys": f"plain, {OLD}"}

WALKS: dict[str, Sequence[Config]] = {
    "encryption is switched on": ({}, READY, LENIENT, {**ENCRYPTED, LATER: True}),
    "encryption is switched off": (ENCRYPTED, LENIENT, READY, {LATER: True}),
    "keys are rotated": (
        ENCRYPTED,
        {"encryption_keys": f"{OLD}, {NEW}"},
        {"encryption_keys": f"{NEW}, {OLD}"},
        {"encryption_keys": NEW, LATER: True},
    ),
    "a special key is added": ({}, {"special_keys": "user:S"}),
    "a special key changes its type": ({"special_keys": "seen:S"}, {"special_keys": "seen:N"}),
    "a special key is taken away": ({"special_keys": "user:S"}, {}),
    "compression is switched on": ({"compress": False}, {"compress": True}),
    "compression is switched off": ({"compress": True}, {"compress": False}),
    "touch_after is changed": ({"touch_after": "1s"}, {"touch_after": "1h"}),
    "on_conflict is changed": ({"on_conflict": "overwrite"}, {"on_conflict": "merge"}),
}


@pytest.fixture(params=[False, True], ids=["Session", "StrictSession"])
def site(
    request: pytest.FixtureRequest,
    dynamodb_local: str,
    table_name: str,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> Site:
    """Give a site that lives by the test's clock, with a table of its own."""
    use_clock(monkeypatch, clock)
    strict = {"session_class": StrictSession} if request.param else {}
    return Site.create(dynamodb_local, table_name, timeout=TIMEOUT, **strict)


def configure_site(site: Site, config: Config) -> Site:
    """Give the site one of the walk's configurations."""
    return site.with_(**{name: value for name, value in config.items() if name != LATER})


@pytest.mark.parametrize("walk", WALKS.values(), ids=[*WALKS])
def test_nobody_is_logged_out_while_a_configuration_changes(
    site: Site, clock: Clock, walk: Sequence[Config]
) -> None:
    """At each step, both servers serve a session that either has created or changed."""
    users: list[Browser] = []
    idle: Browser | None = None
    for before, after in pairwise(walk):
        old, new = configure_site(site, before), configure_site(site, after)
        idle = idle or old.begin_session(user="reader", long="x" * 500)
        if LATER in after:
            for _ in range(4):  # two lifetimes, for those who stay
                clock.advance(TIMEOUT / 2)
                for user in (idle, *users):
                    old.visit(user, contents)
        users += [
            old.begin_session(user=f"{len(users)}o"),
            new.begin_session(user=f"{len(users)}n"),
        ]
        for user in users:
            for one, other in ((old, new), (new, old)):
                _overlap(one, other, user, count=int(clock()))
        for side in (old, new):
            assert side.read_session(idle) == {"user": "reader", "long": "x" * 500}

    assert len({user.id for user in users}) == len(users)


def _overlap(one: Site, other: Site, user: Browser, count: int) -> None:
    """Let two servers change one session concurrently; both find both changes."""
    cookie, name = user.cookie, other.read_session(user)["user"]

    def meanwhile() -> None:
        other.visit(user.also(), put(theirs=count))

    one.visit(user, put_while(meanwhile, mine=count, seen=count))

    assert user.cookie == cookie
    merged: dict[str, Any] = {"user": name, "mine": count, "seen": count, "theirs": count}
    if one.options.get("on_conflict") == "overwrite":
        del merged["theirs"]
        one.visit(user, put(theirs=count))
        merged["theirs"] = count
    assert one.read_session(user) == merged
    assert other.read_session(user) == merged


TOO_EARLY: dict[str, tuple[Config, Config]] = {
    # who has written the row, and who cannot read it
    "encryption is written before all can read it": (LENIENT, {}),
    "encryption is required while plain rows stand": ({}, ENCRYPTED),
    "encryption is required while others still write plain": (READY, ENCRYPTED),
    "a new key writes before all have it": (
        {"encryption_keys": f"{NEW}, {OLD}"},
        {"encryption_keys": OLD},
    ),
    "an old key is removed while its rows stand": (
        {"encryption_keys": OLD},
        {"encryption_keys": NEW},
    ),
    "keys are removed while encrypted rows stand": (ENCRYPTED, {}),
}


@pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
@pytest.mark.parametrize(("writes", "reads"), TOO_EARLY.values(), ids=[*TOO_EARLY])
def test_a_step_taken_too_early_logs_nobody_out(site: Site, writes: Config, reads: Config) -> None:
    """UnknownFormat at load and at save; cookie and row stay, and the right order heals it."""
    right, wrong = configure_site(site, writes), configure_site(site, reads)
    user = right.begin_session(user="ann")
    cookie, row = user.cookie, right.row(user)

    for view in (contents, put(cart=1)):
        with pytest.raises(UnknownFormat):
            wrong.visit(user, view)

    assert user.cookie == cookie
    assert right.row(user) == row
    assert right.read_session(user) == {"user": "ann"}


@pytest.mark.parametrize(("writes", "reads"), TOO_EARLY.values(), ids=[*TOO_EARLY])
def test_a_row_that_cannot_be_read_at_a_conflict_is_not_overwritten(
    site: Site, writes: Config, reads: Config
) -> None:
    """The other server's row was stored in between: the page fails, and that row is kept."""
    right, wrong = configure_site(site, writes), configure_site(site, reads)
    user = wrong.begin_session(cart=1)
    other = right.begin_session(user="ann")
    lines = {"id": None, "data": None}

    def meanwhile() -> None:
        theirs = {k: v for k, v in (right.row(other) or {}).items() if k not in lines}
        row = wrong.row(user) or {}
        rev = replace_token(row["rev"]["B"], "theirs")
        written = (right.row(other) or {})["data"]
        wrong.plant(user, **{**theirs, "data": written, "rev": {"B": rev}})

    with pytest.raises(UnknownFormat):
        wrong.visit(user, put_while(meanwhile, cart=2))

    assert (wrong.row(user) or {})["rev"]["B"].endswith(make_token("theirs"))


@pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
def test_a_skipped_step_of_encryption_is_named_in_the_log_or_the_error(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The error about an unencrypted row names the skipped step of the manual."""
    user = site.begin_session(user="ann")
    caplog.set_level(logging.WARNING)

    with pytest.raises(UnknownFormat) as caught:
        configure_site(site, ENCRYPTED).visit(user, contents)

    assert "encryption_required" in f"{caught.value} {caplog.text}"


def test_a_special_key_is_kept_by_new_servers_and_dropped_by_old_ones(site: Site) -> None:
    """As docs/changing.md says for a rolling deploy; the session itself always has the key."""
    old, new = site, site.with_(special_keys="user:S")
    user = old.begin_session(user="ann")
    assert "user" not in (site.row(user) or {})

    new.visit(user, put(cart=1))
    assert (site.row(user) or {})["user"] == {"S": "ann"}
    old.visit(user, put(cart=2))
    assert "user" not in (site.row(user) or {})
    new.visit(user, put(cart=3))
    assert (site.row(user) or {})["user"] == {"S": "ann"}
