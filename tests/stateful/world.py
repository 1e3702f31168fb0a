"""The world of the session machine: browsers, time, TTL deletion, faults, and restarts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import beaker_dynamodb
from tests.sessions.requests import Browser, Visit
from tests.stateful.machine import Bench, fault_counts, fault_names
from tests.stateful.oracle import EARLY, TIMEOUT, Page, Slot, State, get_user

BROWSERS: Final = 3
browsers = st.integers(min_value=0, max_value=BROWSERS - 1)


@dataclass
class Request:
    """An open request: its browser, the ids it asked for and has, and what its page has done."""

    browser: Browser
    visit: Visit
    asked: str
    id: str
    page: Page
    seen: dict[str, str]
    begun: float


class World(RuleBasedStateMachine):
    """Three browsers with their cookies, the open requests, and what the table may hold."""

    bench: Bench

    def __init__(self) -> None:
        super().__init__()
        self.bench.proxy.clear()
        self.bench.figures["examples"] += 1
        self.site = self.bench.make_site()
        self.browsers = [Browser(self.site) for _ in range(BROWSERS)]
        self.slots: dict[str, Slot] = {}
        self.cookies: list[str] = []
        #: The sessions that have ended the others of a user, and that user.
        self.enders: dict[str, str] = {}
        self.open: list[Request] = []
        #: What was drawn by the last restart, and whether time has passed since rows were deleted.
        self.restarted = self.bench.serial
        self.waited = False

    @rule(number=browsers, which=st.integers(min_value=0, max_value=30))
    @precondition(lambda self: self.cookies)
    def come_back_with_an_old_cookie(self, number: int, which: int) -> None:
        """Take up any cookie that any browser has had: another tab, or an old one."""
        self.browsers[number].cookie = self.cookies[which % len(self.cookies)]

    @rule(seconds=st.sampled_from([5, EARLY + 5, TIMEOUT * 2]))
    @precondition(lambda self: self.cookies and not self.waited)
    def let_time_pass(self, seconds: int) -> None:
        """Let time pass; no request takes as long as a session lives."""
        then = self.bench.clock() + seconds
        if all(then - request.begun < TIMEOUT // 2 for request in self.open):
            self.bench.clock.advance(seconds)
            self.waited = True

    @rule()
    @precondition(lambda self: self.slots and self.waited)
    def delete_expired_rows(self) -> None:
        """Delete what has expired, as DynamoDB's TTL does, at some time."""
        self.waited = False
        client, now = self.site.raw, {":now": {"N": str(int(self.bench.clock()))}}
        for id_ in self.slots:
            try:
                client.delete_item(
                    TableName=self.site.table,
                    Key={"id": {"S": f"sess:{id_}"}},
                    ConditionExpression="#e < :now",
                    ExpressionAttributeNames={"#e": "expires"},
                    ExpressionAttributeValues=now,
                )
            except client.exceptions.ConditionalCheckFailedException:
                continue
            self.bench.figures["rows deleted by TTL"] += 1

    @rule(name=fault_names, times=fault_counts)
    @precondition(lambda self: not self.bench.proxy.pending)
    def arm(self, name: str, times: int) -> None:
        """Break the next calls."""
        self.bench.arm(name, times)

    @rule()
    @precondition(lambda self: not self.open and self.bench.serial - self.restarted > 5)
    def restart(self) -> None:
        """Forget what the process knows, as a new one does."""
        self.restarted = self.bench.serial
        beaker_dynamodb.reset()
        self.bench.figures["restarts"] += 1

    @rule(number=browsers)
    @precondition(lambda self: self.bench.make_old_site is not None)
    def arrive_from_the_old_backend(self, number: int) -> None:
        """Bring a session that is still in the backend that sessions are migrated from."""
        assert self.bench.make_old_site is not None
        old, values = Browser(self.bench.make_old_site()), {"user": self.bench.draw("old")}
        old.write(**values)
        self.browsers[number].cookie = old.cookie
        self._keep(self.browsers[number])
        now = self.bench.clock()
        state = State(self.bench.draw("birth"), frozenset(values.items()), now, now)
        self.slots[old.id] = Slot({state}, now, now, in_index=False)

    @invariant()
    def count(self) -> None:
        """Count the steps."""
        self.bench.figures["steps"] += 1

    # What both kinds of rules use

    def _close(self, request: Request) -> None:
        request.browser.end(request.visit)
        self._keep(request.browser)

    def _list_users(self) -> list[str]:
        states = (state for slot in self.slots.values() for state in slot.states)
        found = {user for user in map(get_user, states) if user is not None}
        return sorted(found, key=lambda user: (len(user), user))  # in the order they were drawn

    def _end_others(self, own: str, user: str, *, certain: bool) -> None:
        for id_, slot in self.slots.items():
            if id_ != own:
                slot.expire(self.bench.clock())
                slot.end(user, certain=certain)

    def _repeat_end_others(self, id_: str) -> None:
        """Take into account that a load may end the others once more, and who came back since."""
        if id_ in self.enders:
            self._end_others(id_, self.enders[id_], certain=False)

    def _keep(self, browser: Browser) -> None:
        if browser.cookie and browser.cookie not in self.cookies:
            self.cookies.append(browser.cookie)

    def _request(self, number: int) -> Request:
        return self.open[number % len(self.open)]

    def _slot(self, id_: str) -> Slot:
        now = self.bench.clock()
        return self.slots.setdefault(id_, Slot({None}, now, now))

    def teardown(self) -> None:
        """Read every session once more, without faults."""
        self.bench.proxy.clear()
        for cookie in self.cookies:
            browser = Browser(self.site, cookie)
            slot = self._slot(browser.id)
            slot.expire(self.bench.clock())
            _ = slot.confirm(browser.read())
            self._repeat_end_others(browser.id)
