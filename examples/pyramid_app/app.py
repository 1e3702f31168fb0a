# A Pyramid application whose sessions live in DynamoDB. That is said in the ini file alone:
# nothing here names Beaker, DynamoDB or AWS, but for how its sessions come in: pyramid_beaker.
from html import escape

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.response import Response

PAGE = """<!DOCTYPE html><html lang="en"><title>Pyramid</title><form method="post">
<p>Visits: {visits}. Hello, {user}.</p> <input type="hidden" name="csrf_token" value="{token}">
<label>Name <input name="user"></label> <button formaction="/in">Log in</button>
<button formaction="/out">Log out</button></form>"""


def home(request):
    session = request.session
    session["visits"] = session.get("visits", 0) + 1
    user, token = escape(session.get("user", "stranger")), session.get_csrf_token()
    return Response(PAGE.format(visits=session["visits"], user=user, token=token))


def login(request):
    request.session.regenerate_id()  # an id that was known before the login is not logged in
    request.session["user"] = request.POST.get("user", "")
    return HTTPSeeOther("/")


def logout(request):
    request.session.delete()  # deletes the row; Beaker's invalidate() would leave it logged in
    return HTTPSeeOther("/")


def main(_global_config, **settings):
    config = Configurator(settings=settings)
    config.include("pyramid_beaker")
    config.set_default_csrf_options(require_csrf=True)
    for path, view in {"/": home, "/in": login, "/out": logout}.items():
        config.add_route(path, path, request_method="GET" if view is home else "POST")
        config.add_view(view, route_name=path)
    return config.make_wsgi_app()
