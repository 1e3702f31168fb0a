"""One session's load and save, as one request sees it.

What a save must do is planned in `item/decide.py` and carried out in `saving.py`. An outage logs
nobody out, a lost reply loses no write, and no write lands on a row that nobody looked at.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import Final

from beaker_dynamodb import logs
from beaker_dynamodb.dynamodb import metering
from beaker_dynamodb.dynamodb.rows import Rows, Tombstones
from beaker_dynamodb.dynamodb.table import At, Refusal
from beaker_dynamodb.errors import DynamoDBBackendError, LoadOrigin, Unavailable, digest
from beaker_dynamodb.item.codec import ROTATED
from beaker_dynamodb.item.decide import (
    CLEARED,
    UNOPENED,
    Content,
    Delete,
    Leave,
    Plan,
    Replace,
    Touch,
    plan,
    was_not_opened,
)
from beaker_dynamodb.item.envelope import Envelope, plain_envelope, rewrite
from beaker_dynamodb.item.keys import as_text
from beaker_dynamodb.item.merge import changed_keys, in_doubt
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.safe_load import BEAKER_TIMEOUT_PADDING
from beaker_dynamodb.item.sides import Sides, Standing, merged_content
from beaker_dynamodb.migration import on_demand
from beaker_dynamodb.runtime import Runtime
from beaker_dynamodb.sessions import outage
from beaker_dynamodb.sessions.saving import UNWRITABLE, Saver, warn_of_replacement

log = logging.getLogger(__name__)

OPAQUE: Final = (
    "this application's sessions are opaque (encrypt_key, or a serializer of its own): they are"
    " replaced, not merged, and a slow reader can undo a logout. StrictSession cures that, and so"
    " does option encryption_keys in place of Beaker's encrypt_key"
)
KEPT: Final = (
    "a stored session does not open in this process (has a deploy taken a class away?); it is left"
    " as it is, and its visitor is not logged in meanwhile"
)
REPLACED: Final = (
    "a stored session does not open in this process; what its visitor has saved since replaces it"
)
#: Seconds that the marker of a rotation lives: longer than a request may take.
MARKER_LIFETIME: Final = 60.0
NOT_JSON: Final = (
    "sessions are said to be JSON (option envelope, or data_serializer), and this application saves"
    " others: they are replaced, not merged"
)
UNTOUCHED: Final = "the access time of sessions cannot be saved, so they time out too early"


class SessionStore:
    """Keeps one session's row: one request's view of it.

    `known` is the text that the session object holds, what changes are counted from; `standing`
    is what is in the table. After a merge they differ.
    """

    def __init__(
        self, rows: Rows, namespace: object, timeout: float | None, runtime: Runtime
    ) -> None:
        options = rows.options
        self.rows = rows
        self.runtime = runtime
        self.key = rows.layout.session(namespace)
        self.lifetime = timeout if timeout is not None else options.ttl or None
        beakers = self.lifetime if timeout is None else max(timeout - BEAKER_TIMEOUT_PADDING, 1)
        self.touch_after = options.touch_interval(beakers)
        self.envelope: Envelope | None = None
        self._opens = options.envelope
        self.known: str | None = None
        self.standing: Standing | None = None
        self._former = former = on_demand.former(rows, namespace, timeout, runtime)
        self._saver = Saver(rows, self.key, self.lifetime, runtime, former.bury if former else None)
        self._nameless = as_text(namespace) == ""
        self._tombstones = Tombstones(rows, runtime)

    def load(self) -> str | None:
        """Return the session's text as it was stored, None where there is no live one.

        Raises: one of ours whatever goes wrong, never KeyError, TypeError or ValueError: Beaker
        takes those for "no such session" and overwrites it (beaker/session.py:440).
        """
        if self._nameless:  # else all clients that send an empty cookie would share a session
            return None
        options = self.rows.options
        table = (options.endpoint_url, options.region, options.table)
        origin = LoadOrigin(table, digest(self.key.hash, 64))
        outage.refuse_in_place_of_another(origin)
        try:
            return self._load()
        except DynamoDBBackendError as error:
            error.origin = origin
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not look like a miss
            wrong = type(error).__name__
        failure = Unavailable(f"the session could not be read: {wrong}")
        failure.origin = origin
        raise failure

    def _load(self) -> str | None:
        consistent, now = self.rows.options.consistent_read, self.runtime.clock()
        row = self.rows.read(self.key, consistent=consistent, now=now)
        if row is None and not consistent:  # a stale miss would begin a new session over it
            row = self.rows.read(self.key, consistent=True, now=now)
        row = self._former.move() if row is None and self._former else row
        if row is None:
            return None
        text = row.value.decode("utf-8", "surrogatepass")
        self.known = text
        self.standing = Standing(row.record.holding(b""), Content(text))
        return text

    def save(self, text: str) -> None:
        """Carry out what saving *text* needs.

        Raises: Conflict, if `on_conflict` asks for it or merging gave up after 3 seconds;
        ItemTooLarge; and whatever the client raises, unless only the access time was to be saved.
        """
        if self._nameless:
            logs.warn(log, "a session with an empty id is not stored")
            return
        envelope = self._envelope_of(text)
        mine = _content(text, envelope)
        known, changed = self._compared(envelope, mine)
        if (
            envelope is not None
            and known is not None
            and self._is_to_be_kept(envelope, known, mine)
        ):
            metering.report(metering.Saved("replace", "dropped"))
            return
        lost = self._saver.may_have_saved
        if lost and mine.emptied:  # the row may stand, though nobody has seen it
            self.remove()
            return
        step = plan(
            known,
            self.standing.record if self.standing else None,
            mine,
            now=self.runtime.clock(),
            lifetime=self.lifetime,
            touch_after=self.touch_after,
            changed=True if lost else changed,
        )
        self._carry_out(step, Sides(known, mine, envelope))

    def remove(self) -> None:
        """Delete the session's row, on condition of what was seen, until it is gone."""
        if self.standing is None:
            self.load()
        if self.standing is not None:
            step = Delete(self.standing.record.rev)
            self._carry_out(step, Sides(None, Content("", {}), None))

    def remove_if_unchanged(self) -> None:
        """Delete the row of a session that timed out, unless somebody has written it since.

        It is dead for everybody already: if the delete fails, the page goes on.
        """
        if self.standing is None:
            return
        seen, self.standing, self.known = self.standing.record, None, None
        try:
            self.rows.delete(self.key, At(seen.rev, seen.expires), seen)
        except DynamoDBBackendError as error:
            log.info("the row of a session that timed out is left to its expiry: %s", error)

    def retire(self, row: Record) -> Refusal | None:
        """Put a marker over this session's row, which stood as *row*: it has got another id.

        For a load there is nothing; a request that is under way with the old id, and saves a
        change, meets it and is told (`after_refusal`). It costs the write units of a delete.

        Returns what stands there instead, where it is not that row any more.
        """
        if self._former is not None:  # the old text must stay away for as long as it could live
            return self._former.bury(self.key, At(row.rev), row, kind=ROTATED)
        return self._tombstones.put(
            self.key, At(row.rev), row, lifetime=MARKER_LIFETIME, kind=ROTATED
        )

    def absorb(self, known: str | None, theirs: str) -> None:
        """Merge into this row what another holds, where *known* is what both descend from.

        The session object knows nothing of it: what it saves next is put onto that. One that was
        cleared takes nothing in, as in any other save: else it would not be empty.
        """
        if self.known is None or self.standing is None:
            return
        held, envelope = self.known, self._envelope_of(self.known)
        mine, other = _content(held, envelope), _content(theirs, envelope)
        if mine.values is not None and other.begun and not mine.begun:
            warn_of_replacement(CLEARED)
            return
        merged = merged_content(Sides(_content(known or "", envelope), mine, envelope), other)
        if merged is mine:
            warn_of_replacement(UNOPENED if None in (mine.values, other.values) else UNWRITABLE)
            return
        self._carry_out(Replace(self.standing.record.rev), Sides(mine, merged, envelope))
        self.known = held

    def forbid_pickles(self) -> None:
        """Never open a pickle from now on; option `envelope` wins where it says something."""
        if self._opens == "auto":
            self._opens = "json"
            if self._former is not None:
                self._former.envelope = "json"

    def _envelope_of(self, mine: str) -> Envelope | None:
        if self.envelope is not None or self._opens == "none":
            return self.envelope
        found = plain_envelope(mine, self.rows.options.max_value_size, self._opens)
        if found is None:
            logs.warn(log, OPAQUE if self._opens == "auto" else NOT_JSON, every=math.inf)
        return found

    def _compared(
        self, envelope: Envelope | None, mine: Content
    ) -> tuple[Content | None, bool | None]:
        """Give what the session object held, and whether more than its access time has changed.

        None where both have to be opened to tell; in doubt it gets the same history as mine.
        """
        if self.known is None:
            return None, None
        known = _content(self.known, envelope)
        told = envelope.differs(known.text, mine.text) if envelope else None
        if told is not None or envelope is None or mine.values is None:
            return known, told
        if known.values is None:
            return known, None
        changed = changed_keys(known.values, mine.values)
        if not in_doubt(changed, known.values, mine.values):
            return known, None
        again = rewrite(envelope, known.values)
        return known if again is None else Content(known.text, envelope.open(again)), None

    def _is_to_be_kept(self, envelope: Envelope, known: Content, mine: Content) -> bool:
        """Tell whether a save would only replace a session that this process cannot open.

        Where nothing but Beaker's own keys would take its place, it survives the deploy. A visitor
        who has logged in again goes on with that.
        """
        if not envelope.may_have_begun_anew(known.text, mine.text):
            return False
        if not was_not_opened(known, mine):
            return False
        logs.warn(log, KEPT if mine.without_data else REPLACED)
        return mine.without_data

    def _carry_out(self, step: Plan, sides: Sides) -> None:
        name = type(step).__name__.lower()
        if isinstance(step, Leave):
            metering.report(metering.Saved(name, "left"))
            return
        standing = self._opened(sides.envelope)
        try:
            result = self._saver.carry_out(step, sides, standing)
        except DynamoDBBackendError as error:
            if not isinstance(step, Touch):
                raise
            # A page that only read never fails over a touch.
            metering.report(metering.Saved(name, "dropped"))
            if not isinstance(error, Unavailable):  # an outage ends by itself, a mistake does not
                logs.warn(log, f"{UNTOUCHED}: {type(error).__name__}")
            return
        metering.report(metering.Saved(name, result.outcome))
        self.standing = result.standing
        if result.outcome != "dropped":
            self.known = None if result.standing is None else sides.mine.text

    def _opened(self, envelope: Envelope | None) -> Standing | None:
        """Open what stands, if an earlier save of this request merged something in."""
        standing = self.standing
        if standing is None or standing.content.text == self.known or envelope is None:
            return standing
        return replace(standing, content=_content(standing.content.text, envelope))


def _content(text: str, envelope: Envelope | None) -> Content:
    return Content(text, envelope=envelope)
