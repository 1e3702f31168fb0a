# "Where am I signed in", under Pyramid: a page that lists a user's sessions and ends them.
from html import escape
from wsgiref.simple_server import make_server

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import Response

from beaker_dynamodb import StrictSession, UserSessions

LOGIN = """<label>Name <input name="user"></label> <button formaction="/in">Log in</button>
<label><input type="checkbox" name="remember" value="30"> Stay signed in</label>"""
DEVICES = """<p>Hello, {user}.</p><ul>{devices}</ul>
<button formaction="/password">Change password, and end all others</button>
<button formaction="/out">Log out</button>"""


def describe(one):
    name = escape(str(one.labels.get("device", "?"))) + (" (this one)" if one.is_current else "")
    return f'<li>{name} <button formaction="/end/{one.handle}">End</button></li>'


def home(request):
    session, body = request.session, LOGIN
    if user := session.get("userId"):
        found = UserSessions(session, "userId", labels=["device"])
        body = DEVICES.format(user=escape(user), devices="".join(map(describe, found)))
    form = '<!DOCTYPE html><html lang="en"><title>My devices</title><form method="post">'
    # In production check the form's token: config.set_default_csrf_options(require_csrf=True).
    return Response(f"{form}{body}</form>")


def change(request):
    session, verb = request.session, request.matchdict["verb"]
    if verb == "in":
        session.restart_lifetime()  # for max_age, this login is the start
        session.regenerate_id()  # an id that was known before the login is not logged in
        session["userId"] = request.POST["user"]
        session["device"] = (request.user_agent or "unknown")[:200]
        if "remember" in request.POST:
            session.remember(days=30)
        UserSessions(session, "userId").limit(10)
    elif verb == "password":
        # First store the new password. Then no login with the old one can follow.
        session.regenerate_id()
        UserSessions(session, "userId").end_others()
    elif verb == "end":
        UserSessions(session, "userId").end("".join(request.matchdict["handle"]))
    elif verb == "out":
        session.delete()
    return HTTPFound("/")


# endpoint_url = embedded is for now; in production a table and a region take its place.
OPTIONS = {
    "type": "ext:dynamodb",
    "endpoint_url": "embedded",
    "secret": "change",
    "timeout": "1800",
}
OPTIONS |= {"special_keys": "userId, device", "index_special_keys": "userId", "max_age": "60d"}
OPTIONS |= {"httponly": "true", "invalidate_corrupt": "true"}


def make_app(options):
    settings = {f"session.{key}": options[key] for key in options}
    settings["session.session_class"] = StrictSession  # a text in an ini file cannot name it
    with Configurator(settings=settings) as config:
        config.include("pyramid_beaker")
        config.add_route("home", "/")
        config.add_route("change", "/{verb}*handle")
        config.add_view(home, route_name="home", request_method="GET")
        config.add_view(change, route_name="change", request_method="POST")
        return config.make_wsgi_app()


app = make_app(OPTIONS)

if __name__ == "__main__":
    make_server("127.0.0.1", 8080, app).serve_forever()
