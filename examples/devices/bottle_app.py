# "My devices" under Bottle: `python -m examples.devices.bottle_app` serves it at port 8080.
from beaker.middleware import SessionMiddleware
from bottle import Bottle, redirect, request, run

from beaker_dynamodb import UserSessions
from examples.devices.shared import PAGE, SETTINGS, refuse_foreign_forms

pages = Bottle()


@pages.get("/")
def home():
    session = request.environ["beaker.session"]
    devices = UserSessions(session, "userId", labels=["device"])
    return PAGE.render(user=session.get("userId"), devices=devices)


@pages.post("/<action>")
def change(action):
    session = request.environ["beaker.session"]
    if action == "in":
        session.invalidate()  # a new id and nothing of the last user; max_age begins anew
        session["userId"] = request.forms.getunicode("user")
        session["device"] = request.get_header("User-Agent", "unknown")[:200]
        if "remember" in request.forms:
            session.remember(days=30)
        session.save()
        UserSessions(session, "userId").limit(10)
    elif action == "end":
        UserSessions(session, "userId").end(request.forms["handle"])
    elif action == "password":  # first store the new one: no login with the old one may follow
        session.regenerate_id()
        UserSessions(session, "userId").end_others()
        session.save()
    redirect("/")


app = refuse_foreign_forms(SessionMiddleware(pages, SETTINGS))
if __name__ == "__main__":
    run(app, host="127.0.0.1", port=8080)
