"""The browsers in which a user is logged in: the page's list "my devices".

examples/devices/ has the same as a complete application to copy.
"""

from __future__ import annotations

from typing import Any, Final

from beaker_dynamodb import UserSession, UserSessions

#: The session keys of the user's name, which has an index, and of a text for the list.
USER: Final = "user"
DEVICE: Final = "device"

#: A part of a browser's User-Agent, and the name that a person knows. The first that fits counts:
#: Edge calls itself Chrome as well, and Chrome calls itself Safari.
_BROWSERS: Final = {"Edg": "Edge", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
_SYSTEMS: Final = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "Linux": "Linux",
}


def list_devices(session: Any) -> tuple[UserSession, ...]:
    """Return the user's sessions, the last used first; none for a visitor who is not logged in."""
    return tuple(get_user_sessions(session))


def get_user_sessions(session: Any) -> UserSessions:
    """Return the sessions of the user of *session*, with a text for each device."""
    return UserSessions(session, USER, labels=[DEVICE])


def describe_browser(user_agent: str) -> str:
    """Return a browser's name and its system in words, such as "Firefox on Windows"."""
    browser = next((name for part, name in _BROWSERS.items() if part in user_agent), "A browser")
    system = next((name for part, name in _SYSTEMS.items() if part in user_agent), "")
    return f"{browser} on {system}" if system else browser
