"""The table itself, for operators: made and kept, shown, compared, deleted. One function each.

What `beaker-dynamodb table ...` does, Python does here. AWS's words stay in `store/`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.client import get_client
from beaker_dynamodb.provisioning import provision, update
from beaker_dynamodb.provisioning.description import Description
from beaker_dynamodb.provisioning.diff import Difference, differences
from beaker_dynamodb.provisioning.features import NONE, Features
from beaker_dynamodb.provisioning.spec import table_spec

#: What takes the protection off a table.
UNLOCKED: Final = Features(protection=False)


@dataclass(frozen=True, slots=True)
class Made:
    """What `create` did: the table that is, the steps, and what still differs, the worst first."""

    table: Description
    steps: tuple[update.Step, ...]
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Tell whether nothing differs that matters."""
        return all(one.severity == "note" for one in self.differences)


@dataclass(frozen=True, slots=True)
class Ended:
    """Whether the table was deleted, and a message that says so or why not."""

    done: bool
    message: str


@dataclass(frozen=True, slots=True)
class Compared:
    """The table that is, None if there is none, and what differs, the worst first."""

    table: Description | None
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Tell whether nothing differs that matters."""
        return all(one.severity == "note" for one in self.differences)


def create(
    options: Options, features: Features = NONE, tell: Callable[[str], object] = str
) -> Made:
    """Create the table or find it; make sure of its TTL, its indexes and *features*.

    It may be run at every deploy, and by several at once. Waits until all is in place.

    Args: *tell* is called with a sentence while something is waited for.
    Raises: as `provision.ensure`.
    """
    ought = table_spec(options, features)
    way = get_client(options)
    is_ = provision.ensure(way, ought)
    steps = tuple(update.equip(way, ought, is_, tell))
    asked = (features.recovery is not None, bool(features.tags))
    if steps or any(asked):
        found = update.details(way, ought.table, recovery=asked[0], tags=asked[1]) or is_
        is_ = dataclasses.replace(found, created=is_.created, expiry=is_.expiry)
    return Made(is_, steps, differences(is_, ought))


def show(options: Options) -> Description | None:
    """Tell all that is known of the table; None if it does not exist."""
    return update.details(get_client(options), options.table)


def check(options: Options, features: Features = NONE, *, creates: str = "") -> Compared:
    """Compare the table with the options and *features*; a missing one is a difference.

    Args: *creates* is the command that makes it, for the text; written from the options if "".
    """
    ought = table_spec(options, features)
    is_ = update.details(get_client(options), options.table)
    if is_ is None:
        wanted = f"a table: `{creates or ought.command(options.region)}`"
        return Compared(None, (Difference("table", "missing", wanted, "error"),))
    return Compared(is_, differences(is_, ought))


def delete(options: Options, tell: Callable[[str], object] = str, *, unlocks: str = "") -> Ended:
    """Delete the table with every row in it, unless it is protected; wait until it is gone.

    Args: *unlocks* is the command that takes the protection off, for the text; written from the
    options if "".
    """
    found = show(options)
    if found is None:
        return Ended(done=False, message=f"there is no table {options.table!r} to delete")
    if found.protection:
        unlock = unlocks or table_spec(options, UNLOCKED).command(found.region)
        return Ended(
            done=False,
            message=f"table {options.table!r} has deletion protection; `{unlock}` turns it off",
        )
    update.remove(get_client(options), options.table, tell, provision.OPERATOR)
    return Ended(done=True, message=f"deleted: table {options.table!r}, region {found.region}")
