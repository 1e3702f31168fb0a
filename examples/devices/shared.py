# What both applications share: table, cookie and secret, so that one list has the sessions of both.
from pathlib import Path
from urllib.parse import urlsplit

from mako.lookup import TemplateLookup

from beaker_dynamodb import StrictSession

# Filter "h" escapes whatever the page prints.
PAGES = TemplateLookup([str(Path(__file__).parent)], default_filters=["h"])
PAGE = PAGES.get_template("page.html")

SETTINGS = {
    "session.type": "ext:dynamodb",
    "session.endpoint_url": "embedded",  # for now; in production a table and a region
    "session.special_keys": "userId, device",
    "session.index_special_keys": "userId",
    "session.timeout": "1800",
    "session.max_age": "60d",
    "session.session_class": StrictSession,  # a line of an ini file cannot name it
    "session.secret": "change",
    "session.invalidate_corrupt": "true",
    "session.httponly": "true",
    "session.samesite": "Lax",  # no form of another site sends the cookie
}


def refuse_foreign_forms(app):
    # Against CSRF, of the login too: a browser names the site of the form. And no GET changes data.
    def guard(environ, start_response):
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or urlsplit(origin).netloc == environ.get("HTTP_HOST"):
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"This form is not of this site."]

    return guard
