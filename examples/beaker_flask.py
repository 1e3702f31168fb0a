# Flask's own `session`, kept by Beaker in DynamoDB. Copy this file; flask_app.py shows its use.
from beaker.middleware import SessionMiddleware
from beaker.session import SessionObject
from flask.sessions import SessionInterface, SessionMixin

from beaker_dynamodb import StrictSession


class BeakerSession(SessionObject, SessionMixin):  # it is loaded when it is first used
    modified = accessed = False
    new = property(lambda self: self.is_new)
    clear = SessionObject.delete  # a logout: deletes the row, and the cookie

    def __setattr__(self, name, value):  # what Flask does not know is Beaker's
        owner = SessionMixin if hasattr(SessionMixin, name) else SessionObject
        owner.__setattr__(self, name, value)

    def __setitem__(self, key, value):
        self.modified = True
        super().__setitem__(key, value)

    def __delitem__(self, key):
        self.modified = True
        super().__delitem__(key)

    def __len__(self):
        return len(self._session())


class BeakerSessionInterface(SessionInterface):
    def __init__(self, settings):  # the lines `session.*` of an ini file
        strict = {**settings, "session.session_class": StrictSession}
        self.options = SessionMiddleware(None, strict).options

    def open_session(self, app, request):
        return BeakerSession(request.environ, **self.options)

    def save_session(self, app, session, response):
        if session.__dict__["_sess"] is None or response.status_code >= 500:
            return  # it was not used, or the page has failed
        if "_permanent" in session:
            lifetime = app.permanent_session_lifetime.total_seconds() if session.permanent else None
            if session.lifetime != lifetime:
                session.lifetime = lifetime
        if session.modified:
            session.save()
        session.persist()
        response.vary.add("Cookie")
        headers = session.__dict__["_headers"]
        if headers["set_cookie"] and headers["cookie_out"]:
            response.headers.add("Set-Cookie", headers["cookie_out"].strip())
