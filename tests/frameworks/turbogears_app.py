"""TurboGears 2, which brings Beaker's session by a component of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tg import MinimalApplicationConfigurator, TGController, expose, request, session
from tg.configurator.components.session import SessionConfigurationComponent

from tests.sessions.devices import VIEW


class Root(TGController):  # type: ignore[misc]  # TurboGears ships no types
    """One method is one page."""

    def _describe(self) -> dict[str, Any]:
        return {"user": session.get("user"), "basket": session.get("basket", [])}

    @expose("json")
    def read(self) -> dict[str, Any]:
        return self._describe()

    @expose("json")
    def view(self) -> dict[str, Any]:
        return {"result": request.environ[VIEW](session)}

    @expose("json")
    def into(self, user: str) -> dict[str, Any]:
        session["user"] = user
        session.save()
        return self._describe()

    @expose("json")
    def put(self, item: str) -> dict[str, Any]:
        session["basket"] = [*session.get("basket", []), item]
        session.save()
        return self._describe()

    @expose("json")
    def end(self) -> dict[str, Any]:
        session.invalidate()
        session.save()
        return self._describe()

    @expose("json")
    def out(self) -> dict[str, Any]:
        session.delete()
        return {}


def make(settings: Mapping[str, object]) -> Any:
    """Configure it as an `app_cfg.py` does."""
    config = MinimalApplicationConfigurator()
    config.register(SessionConfigurationComponent)
    config.update_blueprint({"root_controller": Root(), "session.enabled": True, **settings})
    return config.make_wsgi_app({}, {})
