# A Bottle application whose sessions live in DynamoDB, under Beaker's own middleware.
from beaker.middleware import SessionMiddleware
from bottle import Bottle, redirect, request, run, template

PAGE = """<!DOCTYPE html><html lang="en"><title>Bottle</title><form method="post">
<p>Visits: {{visits}}. Hello, {{user}}.</p> <label>Name <input name="user"></label>
<button formaction="/in">Log in</button> <button formaction="/out">Log out</button></form>"""

pages = Bottle()


@pages.get("/")
def home():
    session = request.environ["beaker.session"]
    session["visits"] = session.get("visits", 0) + 1
    session.save()
    return template(PAGE, visits=session["visits"], user=session.get("user", "stranger"))


@pages.post("/in")
def login():
    session = request.environ["beaker.session"]
    session.regenerate_id()  # an id that was known before the login is not logged in
    session["user"] = request.forms.getunicode("user", "")
    session.save()
    redirect("/")


@pages.post("/out")
def logout():
    request.environ["beaker.session"].delete()  # deletes the row, and the cookie
    redirect("/")


# endpoint_url = embedded is for now; in production a table and a region take its place.
OPTIONS = {"type": "ext:dynamodb", "endpoint_url": "embedded", "secret": "change", "timeout": 1800}
app = SessionMiddleware(pages, {f"session.{key}": OPTIONS[key] for key in OPTIONS}, httponly=True)

if __name__ == "__main__":
    run(app, host="127.0.0.1", port=8080)
