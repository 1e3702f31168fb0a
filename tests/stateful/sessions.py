"""The session machine: requests that overlap, and what their pages do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from beaker_dynamodb import UserSessions
from beaker_dynamodb.errors import Conflict
from tests.sessions.requests import strip_beaker_keys
from tests.stateful.machine import Bench
from tests.stateful.oracle import MARKER, Page, Slot, State, apply_changes
from tests.stateful.world import BROWSERS, Request, World, browsers

MAX_OPEN: Final = 4
keys = st.sampled_from(["a", "b", "c"])
requests = st.integers(min_value=0, max_value=MAX_OPEN - 1)


class SessionMachine(World):
    """Requests of three browsers; a subclass names the bench and the kind of session."""

    strict: bool

    # Requests begin

    @rule(number=browsers)
    @precondition(lambda self: len(self.open) < MAX_OPEN)
    def begin(self, number: int) -> None:
        """Begin a request, and read its session."""
        bench, browser = self.bench, self.browsers[number]
        asked = browser.id if browser.cookie else ""
        with bench.operation("begin") as outcome:
            visit = browser.begin()
            found = strip_beaker_keys(visit.session)
        if not outcome.acknowledged:
            # A load that failed must not be followed by a new session or a new cookie.
            assert visit.end() is None
            return
        id_ = visit.session.id
        birth = None
        if asked:
            slot = self._slot(asked)
            slot.expire(bench.clock())
            birth = slot.confirm(found)
            slot.late = bench.clock()
            slot.in_index = True
            self._repeat_end_others(asked)
        else:
            assert found == {}
        if birth is not None or not self.strict:
            assert not asked or id_ == asked or birth is None
        page = Page(birth, bench.draw("birth"), bench.clock())
        self.open.append(Request(browser, visit, asked, id_, page, found, bench.clock()))

    @rule(number=browsers, key=keys)
    @precondition(lambda self: not self.open)
    def visit_and_begin_twice(self, number: int, key: str) -> None:
        """Change a key in a whole request, and begin two that overlap."""
        self.begin(number)
        if self.open:
            self.set_key(0, key)
            self.end(0)
        self.begin(number)
        self.begin(number)

    @rule(number=browsers, how=st.sampled_from(["end_others", "limit", "end"]))
    @precondition(lambda self: not self.open)
    def sign_in_on_two_devices(self, number: int, how: str) -> None:
        """Log one user in on two devices, and end one session by the other during a request."""
        other = (number + 1) % BROWSERS
        self.begin(number)
        if self.open:
            self.set_key(0, "a")
            self.end(0)
        users = self._list_users()
        self.browsers[other].cookie = None
        self.begin(other)
        if users and self.open:
            self.open[0].page.changes["user"] = users[-1]
            self._write(self.open[0])
            self.end(0)
        self.begin(other)
        self.begin(number)
        if self.open:
            self.end_others(-1, how)

    # What pages do

    @rule(number=requests, key=keys)
    @precondition(lambda self: self.open)
    def set_key(self, number: int, key: str) -> None:
        """Set a key; in a session without a user, log in, too."""
        request = self._request(number)
        changes = request.page.changes
        changes[key] = self.bench.draw(key)
        if request.page.birth is None and "user" not in changes:
            changes["user"] = self.bench.draw("user")
        self._write(request)

    @rule(number=requests, which=st.integers(min_value=0, max_value=30))
    @precondition(lambda self: any(r.page.birth is None for r in self.open) and self._list_users())
    def log_in_as_a_known_user(self, number: int, which: int) -> None:
        """Log a user in who has another session."""
        request, users = self._request(number), self._list_users()
        if request.page.birth is None:
            request.page.changes["user"] = users[which % len(users)]
            self._write(request)

    @rule(number=requests, key=keys)
    @precondition(lambda self: any(request.seen for request in self.open))
    def delete_key(self, number: int, key: str) -> None:
        """Delete a key that the page has seen."""
        request = self._request(number)
        if key in request.seen and key in request.visit.session and not request.page.cleared:
            request.page.changes[key] = None
            self._write(request)

    @rule(number=requests)
    @precondition(lambda self: any(request.page.birth for request in self.open))
    def clear_and_log_in(self, number: int) -> None:
        """Empty the session, and log another user in, under the same id."""
        request = self._request(number)
        if request.page.birth is None:
            return
        request.visit.session.clear()
        request.page.cleared = True
        self._slot(request.id).remembered = None if self.strict else False
        request.page.changes = {"user": self.bench.draw("user")}
        self._write(request)

    def _write(self, request: Request) -> None:
        session = request.visit.session
        for name, value in request.page.changes.items():
            if value is None:
                session.pop(name, None)
            else:
                session[name] = value
        session.save()

    # Requests end

    @rule(number=requests)
    @precondition(lambda self: self.open)
    def end(self, number: int) -> None:
        """End a request: what its page has changed is saved."""
        request = self._request(number)
        self.open.remove(request)
        self._save("end", request, lambda: self._close(request))

    @rule(number=requests, key=keys)
    @precondition(lambda self: any(r.page.birth for r in self.open))
    def save_meanwhile(self, number: int, key: str) -> None:
        """Save in a page that goes on, and may save again; if that fails, it does not go on."""
        request = self._request(number)
        page = request.page
        if page.birth is None or page.cleared:
            return
        page.changes[key] = self.bench.draw(key)
        self._write(request)
        if self._save("save meanwhile", request, request.visit.session._session().save):
            page.changes = {}
        else:
            self.open.remove(request)

    def _save(self, name: str, request: Request, save: Callable[[], object]) -> bool:
        """Save what the page of a request has changed; return whether it was acknowledged."""
        slot = self._slot(request.id)
        rotated = {s for s in slot.states if s is not None and s.rotated is not None}
        with self.bench.operation(name) as outcome:
            save()
        acknowledged = outcome.acknowledged
        if isinstance(outcome.error, Conflict):
            # The documents say: "The change is not moved", and "the save raises `Conflict`, a 500".
            assert rotated, f"a conflict that nothing explains: {outcome.error}"
            assert request.page.changes
            return False
        now = self.bench.clock()
        slot.end_at_max_age(now)
        if acknowledged and request.page.changes and request.page.birth is not None:
            recent = {s for s in rotated if s.rotated and now - s.rotated < MARKER - 1}
            assert not recent or recent != slot.states, "a change was lost without a Conflict"
        after = request.page.save(slot.states)
        slot.settle(after, acknowledged=acknowledged, lost=outcome.lost)
        slot.late = now
        if acknowledged:
            slot.sure = max(slot.sure, request.begun)
        return acknowledged

    @rule(number=requests)
    @precondition(lambda self: self.open)
    def log_out(self, number: int) -> None:
        """Delete the session in a page, and end the request."""
        request = self._request(number)
        self.open.remove(request)
        with self.bench.operation("log out") as outcome:
            request.visit.session.delete()
            self._close(request)
        assert not isinstance(outcome.error, Conflict)
        for id_ in {request.asked, request.id} - {""}:
            slot = self._slot(id_)
            after = request.page.log_out(slot.states, strict=self.strict)
            slot.settle(after, acknowledged=outcome.acknowledged, lost=outcome.lost)

    @rule(number=requests, how=st.sampled_from(["end_others", "limit", "end"]))
    @precondition(lambda self: any(r.page.birth for r in self.open))
    def end_others(self, number: int, how: str) -> None:
        """End the user's other sessions in a page that changes nothing, and end the request."""
        request = self._request(number)
        user = request.visit.session.get("user")
        if request.page.birth is None or request.page.changes or user is None:
            return
        self.open.remove(request)
        with self.bench.operation(how) as outcome:
            sessions = UserSessions(request.visit.session, "user")
            if how == "end_others":
                sessions.end_others()
            elif how == "limit":
                sessions.limit(1)
            else:
                for one in sessions:
                    assert one.is_current or sessions.end(one.handle)
            self._close(request)
        now = self.bench.clock()
        self._end_others(request.id, user, certain=outcome.acknowledged)
        self._slot(request.id).late = now
        if how == "end_others":
            self.enders[request.id] = user

    @rule(number=requests)
    @precondition(lambda self: self.strict and any(r.page.birth for r in self.open))
    def remember(self, number: int) -> None:
        """Keep a user signed in for longer than the time-out, and end the request."""
        request = self._request(number)
        if request.page.birth is None or request.page.changes:
            return
        self.open.remove(request)
        with self.bench.operation("remember") as outcome:
            request.visit.session.remember()
            self._close(request)
        slot, now = self._slot(request.id), self.bench.clock()
        is_same = {state.birth if state else None for state in slot.states} == {request.page.birth}
        slot.remembered = True if outcome.acknowledged and is_same else None
        slot.late = now

    @rule(number=requests)
    @precondition(lambda self: self.strict and any(r.page.birth for r in self.open))
    def rotate(self, number: int) -> None:
        """Log in under a new id, and end the request."""
        request, bench = self._request(number), self.bench
        if request.page.birth is None or request.page.cleared:
            return
        self.open.remove(request)
        since = {"user": bench.draw("user")}
        old = self._slot(request.id)
        old.end_at_max_age(bench.clock())
        with bench.operation("rotate") as outcome:
            request.visit.session.regenerate_id()
            request.visit.session.update(since)
            request.visit.session.save()
            self._close(request)
        assert not isinstance(outcome.error, Conflict)
        now, birth = bench.clock(), bench.draw("birth")
        mine = {s for s in old.states if s and s.rotated is None and s.birth == request.page.birth}
        tombstones = {s._replace(values=frozenset(), rotated=now) for s in mine}
        after = (old.states - mine) | tombstones
        # "A response that is lost for good while `StrictSession` rotates an id. The old id is
        # gone [...]. After any other failure [...] the browser's old session continues."
        old.settle(after, acknowledged=outcome.acknowledged, lost=outcome.lost)
        if outcome.acknowledged:
            changes = {**request.page.changes, **since}
            new: set[State | None] = {
                s._replace(birth=birth, values=apply_changes(s.values, changes)) for s in mine
            }
            if not mine or after != tombstones:
                # A login that finds the old id gone "continues with what was set after
                # `regenerate_id()`, and without what the visitor had before", say the documents.
                starts = [request.begun, *(s.earliest for s in old.states if s)]
                new.add(State(birth, apply_changes(frozenset(), since), min(starts), now))
            assert request.browser.id != request.id
            self.slots[request.browser.id] = Slot(new, request.begun, now, old.remembered)
            if request.id in self.enders:
                self.enders[request.browser.id] = self.enders[request.id]


def make_machine(bench: Bench, *, strict: bool) -> Any:
    """Return a class of machines for one bench, as hypothesis wants it."""
    return type("Sessions", (SessionMachine,), {"bench": bench, "strict": strict})
