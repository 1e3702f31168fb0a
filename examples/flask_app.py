# A Flask application whose own `session` lives in DynamoDB, by beaker_flask.py.
from beaker_flask import BeakerSessionInterface
from flask import Flask, redirect, render_template_string, request, session

PAGE = """<!DOCTYPE html><html lang="en"><title>Flask</title><form method="post">
<p>Visits: {{visits}}. Hello, {{user}}.</p> <label>Name <input name="user"></label>
<button formaction="/in">Log in</button> <button formaction="/out">Log out</button></form>"""

app = Flask(__name__)


@app.get("/")
def home():
    session["visits"] = session.get("visits", 0) + 1
    user = session.get("user", "stranger")
    return render_template_string(PAGE, visits=session["visits"], user=user)


@app.post("/in")
def login():
    session.regenerate_id()  # an id that was known before the login is not logged in
    session["user"] = request.form.get("user", "")
    return redirect("/", 303)


@app.post("/out")
def logout():
    session.clear()  # deletes the row, and the cookie
    return redirect("/", 303)


# endpoint_url = embedded is for now; in production a table and a region take its place.
OPTIONS = {"type": "ext:dynamodb", "endpoint_url": "embedded", "secret": "change", "timeout": 1800}
OPTIONS |= {"httponly": True, "samesite": "Lax"}
app.session_interface = BeakerSessionInterface({f"session.{key}": OPTIONS[key] for key in OPTIONS})

if __name__ == "__main__":
    app.run(port=8080)
