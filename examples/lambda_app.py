# A Bottle application in AWS Lambda, behind API Gateway (REST or HTTP) or a function URL.
# Its environment says the rest: SESSION_SECRET, BEAKER_DYNAMODB_TABLE, and false for
# BEAKER_DYNAMODB_CREATE_TABLE. Region and credentials are there, from Lambda and its role.
import os

from apig_wsgi import make_lambda_handler
from beaker.middleware import SessionMiddleware
from bottle import Bottle, HTTPResponse, request, template

PAGE = """<!DOCTYPE html><title>Lambda</title><p>Visits: {{visits}}. Hello, {{user}}.</p>
<form method="post"><label>Name <input name="user"></label>
<button formaction="in">Log in</button> <button formaction="out">Log out</button></form>"""

pages = Bottle()


@pages.get("/")
def home():
    session = request.environ["beaker.session"]
    session["visits"] = session.get("visits", 0) + 1
    session.save()
    return template(PAGE, visits=session["visits"], user=session.get("user", "stranger"))


@pages.post("/<verb:re:in|out>")
def log(verb):
    session = request.environ["beaker.session"]
    if verb == "out":
        session.delete()  # deletes the row, and the cookie
    else:
        session.regenerate_id()  # an id that was known before the login is not logged in
        session["user"] = request.forms.getunicode("user", "")
        session.save()
    return HTTPResponse(status=303, location="./")  # relative: a REST stage is part of the path


OPTIONS = {"type": "ext:dynamodb", "secret": os.environ["SESSION_SECRET"], "timeout": 1800}
COOKIE = {"httponly": True, "secure": True, "samesite": "Lax"}
handler = make_lambda_handler(SessionMiddleware(pages, **OPTIONS, **COOKIE))
