# Plain WSGI, on WebOb, whose sessions live in DynamoDB, under Beaker's own middleware.
from html import escape
from wsgiref.simple_server import make_server

from beaker.middleware import SessionMiddleware
from webob import Request, Response
from webob.exc import HTTPNotFound, HTTPSeeOther

PAGE = """<!DOCTYPE html><html lang="en"><title>WSGI</title><form method="post">
<p>Visits: {visits}. Hello, {user}.</p> <label>Name <input name="user"></label>
<button formaction="/in">Log in</button> <button formaction="/out">Log out</button></form>"""


def pages(environ, start_response):
    request, session = Request(environ), environ["beaker.session"]
    match request.method, request.path_info:
        case "GET", "/":
            session["visits"] = session.get("visits", 0) + 1
            session.save()
            user = escape(session.get("user", "stranger"))
            response = Response(PAGE.format(visits=session["visits"], user=user))
        case "POST", "/in":
            session.regenerate_id()  # an id that was known before the login is not logged in
            session["user"] = request.POST.get("user", "")
            session.save()
            response = HTTPSeeOther(location="/")
        case "POST", "/out":
            session.delete()  # deletes the row, and the cookie
            response = HTTPSeeOther(location="/")
        case _:
            response = HTTPNotFound()
    return response(environ, start_response)


# endpoint_url = embedded is for now; in production a table and a region take its place.
OPTIONS = {"type": "ext:dynamodb", "endpoint_url": "embedded", "secret": "change", "timeout": 1800}
app = SessionMiddleware(pages, {f"session.{key}": OPTIONS[key] for key in OPTIONS}, httponly=True)

if __name__ == "__main__":
    make_server("127.0.0.1", 8080, app).serve_forever()
