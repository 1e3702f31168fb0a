"""PasteDeploy's way to StrictSession: `[filter:session]`, `use = egg:beaker-dynamodb`.

Beaker's middleware and nothing more. A section that names no type is refused: Beaker would keep
the sessions in the memory of the process, without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from beaker.middleware import SessionMiddleware

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.sessions.strict import StrictSession

_TYPES = ("session.type", "beaker.session.type")


def filter_factory(
    global_config: Mapping[str, object], **settings: object
) -> Callable[[Callable[..., Any]], SessionMiddleware]:
    """Make Beaker's middleware with StrictSession from an ini file alone.

    Raises: OptionError, where neither the section nor `[DEFAULT]` says of which type the sessions
    are.
    """
    config = {**global_config, **settings, "session.session_class": StrictSession}
    if not any(config.get(name) for name in _TYPES):
        hint = "; 'type' is not read: each line begins with 'session.'" if "type" in config else ""
        raise OptionError(
            f"the section of egg:beaker-dynamodb sets no session.type = ext:dynamodb{hint}"
        )
    return lambda app: SessionMiddleware(app, config)
