# "Where am I signed in", under Bottle: a page that lists a user's sessions and ends them.
from beaker.middleware import SessionMiddleware
from bottle import Bottle, redirect, request, run, template

from beaker_dynamodb import StrictSession, UserSessions

PAGE = """<!DOCTYPE html><html lang="en"><title>My devices</title><form method="post">
% if user is None:
<label>Name <input name="user"></label> <button formaction="/in">Log in</button>
<label><input type="checkbox" name="remember" value="30"> Stay signed in</label>
% else:
<p>Hello, {{user}}.</p><ul>
% for one in devices:
<li>{{one.labels.get("device", "?")}} {{"(this one)" if one.is_current else ""}}
<button formaction="/end/{{one.handle}}">End</button></li>
% end
</ul><button formaction="/password">Change password, and end all others</button>
<button formaction="/out">Log out</button>
% end
</form>"""

pages = Bottle()


@pages.get("/")
def home():
    session = request.environ["beaker.session"]
    user = session.get("userId")
    devices = UserSessions(session, "userId", labels=["device"]) if user else ()
    return template(PAGE, user=user, devices=list(devices))


@pages.post("/in")
def login():
    session = request.environ["beaker.session"]
    session.restart_lifetime()  # for max_age, this login is the start
    session.regenerate_id()  # an id that was known before the login is not logged in
    session["userId"] = request.forms.getunicode("user") or None
    session["device"] = request.get_header("User-Agent", "")[:200] or "unknown"
    if request.forms.get("remember"):
        session.remember(days=30)
    session.save()
    UserSessions(session, "userId").limit(10)
    redirect("/")


@pages.post("/end/<handle>")
def end(handle):
    UserSessions(request.environ["beaker.session"], "userId").end(handle)
    redirect("/")


@pages.post("/password")
def change_password():
    session = request.environ["beaker.session"]
    # First store the new password. Then no login with the old one can follow.
    session.regenerate_id()
    UserSessions(session, "userId").end_others()
    session.save()
    redirect("/")


@pages.post("/out")
def logout():
    request.environ["beaker.session"].delete()
    redirect("/")


# endpoint_url = embedded is for now; in production a table and a region take its place.
OPTIONS = {"type": "ext:dynamodb", "endpoint_url": "embedded", "secret": "change", "timeout": 1800}
OPTIONS |= {"special_keys": "userId, device", "index_special_keys": "userId", "max_age": "60d"}
OPTIONS |= {"session_class": StrictSession, "httponly": True}
app = SessionMiddleware(pages, {f"session.{key}": OPTIONS[key] for key in OPTIONS})

if __name__ == "__main__":
    run(app, host="127.0.0.1", port=8080)
