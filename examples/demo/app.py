"""The demo as one WSGI application, and its server: Bottle under /bottle/, Pyramid under /pyramid/.

The front door here hands requests on, serves the style sheet, and turns an error of the table
into a page that says so. It listens on this machine only.
"""

from __future__ import annotations

import configparser
import contextlib
import errno
import importlib.util
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from wsgiref.util import shift_path_info

import beaker_dynamodb
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.errors import DynamoDBBackendError, OptionError, Unavailable
from examples.demo import pages
from examples.demo.call_log import Ledger
from examples.demo.templates import asset

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOST: Final = "127.0.0.1"
FRAMEWORKS: Final = ("bottle", "pyramid", "pyramid_beaker", "waitress")
#: What DynamoDB Local wants to hear: any keys, the same ones after a restart.
LOCAL: Final = {
    "region": "us-east-1",
    "aws_access_key_id": "demo",
    "aws_secret_access_key": "demo",
}


def serve(port: int, options: Mapping[str, object]) -> None:
    """Serve the demo until Ctrl-C. Port 0 is any free one.

    Raises: OptionError, if an option is wrong or a package is missing; SystemExit with a
    sentence, if the port is taken.
    """
    app = make_app(options)
    import waitress

    try:
        server = waitress.create_server(app, host=HOST, port=port)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        why = "in use" if error.errno == errno.EADDRINUSE else "not for every user"
        raise SystemExit(f"port {port} is {why}; choose another one with --port") from None
    address = f"http://{HOST}:{server.effective_port}/"
    print(f"The demo answers at {address} (Ctrl-C ends it)", flush=True)  # noqa: T201  # as asked
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run()  # returns at Ctrl-C
    finally:
        server.close()
        embedded.stop()


def make_app(options: Mapping[str, object]) -> WSGIApplication:
    """Make the whole demo.

    Args: options: those of the package, as the command line has them; without `endpoint_url`
    the table is in this process's memory.

    Raises: OptionError, if one is wrong or a package is missing.
    """
    for name in FRAMEWORKS:
        if importlib.util.find_spec(name) is None:
            raise OptionError(
                f"the demo needs {name}: pip install -r examples/demo/requirements.txt"
            )
    with warnings.catch_warnings():
        # Pyramid's, for it imports that: it would be the first line that a newcomer reads.
        warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
        from examples.demo import bottle_app, pyramid_app
    from examples.demo.items import Window
    from examples.demo.views import Shop

    given = _complete(options)
    settings = _settings(given)
    window = Window(given, int(settings["session.timeout"]))
    if window.options.endpoint_url == embedded.WORD:
        embedded.url()  # say now, not at the first request, what is missing
    ledger = Ledger()
    beaker_dynamodb.observe(ledger)
    shop = Shop(window, ledger, settings)
    apps = {
        "bottle": bottle_app.make_app(settings, shop),
        "pyramid": pyramid_app.make_app(settings, shop),
    }
    return _front(apps, ledger)


def _complete(options: Mapping[str, object]) -> dict[str, object]:
    """Add what an endpoint on this machine needs, so that no AWS account is asked for."""
    endpoint = str(options.get("endpoint_url") or embedded.WORD)
    local = urlsplit(endpoint).hostname in {"127.0.0.1", "localhost", "::1"}
    return {"endpoint_url": endpoint, **(LOCAL if local else {}), **options}


def _settings(given: Mapping[str, object]) -> dict[str, str]:
    """Read the ini file, and add the options, as an application's own ini would have them."""
    ini = configparser.ConfigParser(interpolation=None)
    ini.optionxform = str  # type: ignore[assignment,method-assign]  # as its documents say
    ini.read_string(asset("demo.ini"))
    return dict(ini["app:main"]) | {f"session.{name}": str(v) for name, v in given.items()}


def _front(apps: Mapping[str, WSGIApplication], ledger: Ledger) -> WSGIApplication:
    """Hand each request to the application that its path begins with."""

    def front(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name = shift_path_info(environ) or ""
        app = apps.get(name)
        if app is None or not environ.get("PATH_INFO"):
            return _without_a_session(name, apps, start_response)
        try:
            with ledger.recording():
                return app(environ, start_response)
        except UnicodeDecodeError:  # a form that is not UTF-8
            return _say(start_response, "400 Bad Request", "text/plain", "That is no text.")
        except DynamoDBBackendError as error:
            soon = isinstance(error, Unavailable)
            status = "503 Service Unavailable" if soon else "500 Internal Server Error"
            return _say(start_response, status, "text/html", pages.trouble(error))

    return front


def _without_a_session(
    name: str, apps: Mapping[str, WSGIApplication], start_response: StartResponse
) -> Iterable[bytes]:
    """Answer what is no application's: the style sheet, and the ways to the page."""
    if name == "page.css":
        return _say(start_response, "200 OK", "text/css", asset("page.css"))
    if name in {"", *apps}:
        start_response("303 See Other", [("Location", f"/{name or 'bottle'}/")])
        return []
    return _say(start_response, "404 Not Found", "text/plain", "There is no such page.")


def _say(start_response: StartResponse, status: str, kind: str, text: str) -> Iterable[bytes]:
    body = text.encode()
    length = str(len(body))
    headers = [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", length)]
    start_response(status, [*headers, ("Cache-Control", "no-cache")])
    return [body]
