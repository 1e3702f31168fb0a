"""StrictSession for PasteDeploy's ini files: `[filter:session]`, `use = egg:beaker-dynamodb`.

The filter is Beaker's own middleware. A section without a session type is refused, because Beaker
would keep the sessions in the memory of the process without an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from beaker.middleware import SessionMiddleware

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.sessions.strict import StrictSession
from beaker_dynamodb.settings.check import check

_TYPES = ("session.type", "beaker.session.type")


def filter_factory(
    global_config: Mapping[str, object], **settings: object
) -> Callable[[Callable[..., Any]], SessionMiddleware]:
    """Return a filter that wraps an application in Beaker's middleware, with StrictSession.

    Raises: OptionError, if neither the section nor `[DEFAULT]` sets the sessions' type, or if they
    hold mistakes, which it names.
    """
    config = {**global_config, **settings, "session.session_class": StrictSession}
    if not any(config.get(name) for name in _TYPES):
        hint = "; 'type' is not read: each line begins with 'session.'" if "type" in config else ""
        raise OptionError(
            f"the section of egg:beaker-dynamodb sets no session.type = ext:dynamodb{hint}"
        )
    check(config)
    return lambda app: SessionMiddleware(app, config)
