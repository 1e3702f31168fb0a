# "My devices" under Pyramid: `python -m examples.devices.pyramid_app` serves it at port 8081.
from wsgiref.simple_server import make_server

from pyramid.config import Configurator
from pyramid.response import Response

from beaker_dynamodb import UserSessions
from examples.devices.shared import PAGE, SETTINGS, refuse_foreign_forms


def home(request):
    devices = UserSessions(request.session, "userId", labels=["device"])
    return Response(PAGE.render(user=request.session.get("userId"), devices=devices))


def change(request):
    session, action = request.session, request.matchdict["action"]
    if action == "in":
        session.invalidate()  # a new id and nothing of the last user; max_age begins anew
        session["userId"] = request.POST["user"]
        session["device"] = (request.user_agent or "unknown")[:200]
        if "remember" in request.POST:
            session.remember(days=30)
        UserSessions(session, "userId").limit(10)
    elif action == "end":
        UserSessions(session, "userId").end(request.POST["handle"])
    elif action == "password":  # first store the new one: no login with the old one may follow
        session.regenerate_id()
        UserSessions(session, "userId").end_others()
    return Response(status=303, location="/")


config = Configurator(settings=SETTINGS)
config.include("pyramid_beaker")
for path, view, method in (("/", home, "GET"), ("/{action}", change, "POST")):
    config.add_route(path, path, request_method=method)
    config.add_view(view, route_name=path)
app = refuse_foreign_forms(config.make_wsgi_app())
if __name__ == "__main__":
    make_server("127.0.0.1", 8081, app).serve_forever()
