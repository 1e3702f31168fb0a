"""The demo as one WSGI application: Bottle under /bottle/, Pyramid under /pyramid/.

The application here dispatches requests, serves the style sheet, and turns an error of the table
into an error page.
"""

from __future__ import annotations

import configparser
import importlib.util
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from wsgiref.util import shift_path_info

import beaker_dynamodb
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.errors import DynamoDBBackendError, OptionError, Unavailable
from examples.demo.call_log import CallLog
from examples.demo.pages import render_error
from examples.demo.templates import read_asset

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUIREMENTS: Final = ("bottle", "pyramid", "pyramid_beaker", "waitress")
#: DynamoDB Local accepts any region and keys, but expects the same ones after a restart.
LOCAL_OPTIONS: Final = {
    "region": "us-east-1",
    "aws_access_key_id": "demo",
    "aws_secret_access_key": "demo",
}


def make_app(options: Mapping[str, object]) -> WSGIApplication:
    """Return the whole demo.

    Args:
        options: the package's options; without `endpoint_url` the table is in the memory of this
            process.

    Raises: OptionError, if an option is wrong or a package is missing.
    """
    for name in REQUIREMENTS:
        if importlib.util.find_spec(name) is None:
            raise OptionError(
                f"the demo needs {name}: pip install -r examples/demo/requirements.txt"
            )
    with warnings.catch_warnings():
        # Importing Pyramid imports pkg_resources; the warning would be the demo's first output.
        warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
        from examples.demo import bottle_app, pyramid_app
    from examples.demo.items import ItemReader
    from examples.demo.views import Views

    complete = _add_defaults(options)
    settings = _read_settings(complete)
    items = ItemReader(complete, int(settings["session.timeout"]))
    if items.options.endpoint_url == embedded.EMBEDDED:
        embedded.get_url()  # raise now, not at the first request, if moto is missing
    call_log = CallLog()
    beaker_dynamodb.observe(call_log)
    views = Views(items, call_log, settings)
    apps = {
        "bottle": bottle_app.make_app(settings, views),
        "pyramid": pyramid_app.make_app(settings, views),
    }
    return _make_dispatcher(apps, call_log)


def _add_defaults(options: Mapping[str, object]) -> dict[str, object]:
    """Add the endpoint, and what DynamoDB Local needs, so that no AWS account is needed."""
    endpoint = str(options.get("endpoint_url") or embedded.EMBEDDED)
    is_local = urlsplit(endpoint).hostname in {"127.0.0.1", "localhost", "::1"}
    return {"endpoint_url": endpoint, **(LOCAL_OPTIONS if is_local else {}), **options}


def _read_settings(options: Mapping[str, object]) -> dict[str, str]:
    """Read the ini file, and add the options as an application's own ini file would have them."""
    ini = configparser.ConfigParser(interpolation=None)
    ini.optionxform = str  # type: ignore[assignment,method-assign]  # as its documentation says
    ini.read_string(read_asset("demo.ini"))
    return dict(ini["app:main"]) | {f"session.{name}": str(v) for name, v in options.items()}


def _make_dispatcher(apps: Mapping[str, WSGIApplication], call_log: CallLog) -> WSGIApplication:
    """Return an application that passes a request on by the first part of its path."""

    def dispatch(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name = shift_path_info(environ) or ""
        app = apps.get(name)
        if app is None or not environ.get("PATH_INFO"):
            return _serve_static(name, apps, start_response)
        try:
            with call_log.record_request():
                return app(environ, start_response)
        except UnicodeDecodeError:
            text = "The form is not valid UTF-8."
            return _respond(start_response, "400 Bad Request", "text/plain", text)
        except DynamoDBBackendError as error:
            is_down = isinstance(error, Unavailable)
            status = "503 Service Unavailable" if is_down else "500 Internal Server Error"
            return _respond(start_response, status, "text/html", render_error(error))

    return dispatch


def _serve_static(
    name: str, apps: Mapping[str, WSGIApplication], start_response: StartResponse
) -> Iterable[bytes]:
    """Serve what needs no session: the style sheet, and the redirects to the page."""
    if name == "page.css":
        return _respond(start_response, "200 OK", "text/css", read_asset("page.css"))
    if name in {"", *apps}:
        start_response("303 See Other", [("Location", f"/{name or 'bottle'}/")])
        return []
    return _respond(start_response, "404 Not Found", "text/plain", "There is no such page.")


def _respond(
    start_response: StartResponse, status: str, content_type: str, text: str
) -> Iterable[bytes]:
    body = text.encode()
    headers = [
        ("Content-Type", f"{content_type}; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-cache"),
    ]
    start_response(status, headers)
    return [body]
