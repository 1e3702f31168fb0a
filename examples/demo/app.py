"""The demo as one WSGI application: Bottle under /bottle/, Pyramid under /pyramid/.

The application here dispatches requests, serves the style sheet, and turns an error of the table
into an error page. Between it and the table is a proxy, which a button of the page breaks.
"""

from __future__ import annotations

import configparser
import contextlib
import importlib.util
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from wsgiref.util import shift_path_info

import beaker_dynamodb
from beaker_dynamodb.config import sources
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.errors import DynamoDBBackendError, OptionError, TableError, Unavailable
from beaker_dynamodb.provisioning import tables
from beaker_dynamodb.settings.beaker_settings import remove_beakers, select_session
from examples.demo.call_log import CallLog
from examples.demo.pages import HEADERS, render_error
from examples.demo.store_proxy import StoreProxy
from examples.demo.templates import read_asset

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUIREMENTS: Final = ("bottle", "pyramid", "pyramid_beaker", "waitress")
OUTAGE_SECONDS: Final = 20
#: The files that a browser requests beside the page.
ASSETS: Final = {"page.css": "text/css", "countdown.js": "text/javascript"}
#: DynamoDB Local accepts any region and keys, but expects the same ones after a restart.
LOCAL_OPTIONS: Final = {
    "region": "us-east-1",
    "aws_access_key_id": "demo",
    "aws_secret_access_key": "demo",
}


@contextlib.contextmanager
def open_app(
    options: Mapping[str, object], outage_seconds: int = OUTAGE_SECONDS
) -> Iterator[WSGIApplication]:
    """Yield the whole demo, and close its proxy at the end of the block.

    Args:
        options: the package's options; without `endpoint_url` the table is in the memory of this
            process.
        outage_seconds: how long a button of the page breaks the store.

    Raises: OptionError, if an option is wrong or a package is missing.
    """
    for name in REQUIREMENTS:
        if importlib.util.find_spec(name) is None:
            raise OptionError(
                f"the demo needs {name}: pip install -r examples/demo/requirements.txt"
            )
    shown = _read_settings(_add_defaults(options))
    with contextlib.ExitStack() as stack:
        upstream = _find_upstream(_parse_options(shown))
        used, proxy = shown, None
        if upstream:
            proxy = stack.enter_context(StoreProxy(upstream, outage_seconds))
            local = {f"session.{name}": value for name, value in LOCAL_OPTIONS.items()}
            used = {**local, **shown, "session.endpoint_url": proxy.url}
        _create_table(_parse_options(used))
        call_log = CallLog()
        stack.callback(beaker_dynamodb.observe(call_log))
        yield _make_app(shown, used, call_log, proxy)


def _make_app(
    shown: Mapping[str, str],
    used: Mapping[str, str],
    call_log: CallLog,
    proxy: StoreProxy | None,
) -> WSGIApplication:
    """Return the application that uses the settings *used*, and shows the settings *shown*."""
    with warnings.catch_warnings():
        # Importing Pyramid imports pkg_resources; the warning would be the demo's first output.
        warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
        from examples.demo import bottle_app, pyramid_app
    from examples.demo.items import ItemReader
    from examples.demo.views import Views

    items = ItemReader(_parse_options(used), int(used["session.timeout"]))
    views = Views(items, call_log, shown, proxy)
    apps = {
        "bottle": bottle_app.make_app(used, views),
        "pyramid": pyramid_app.make_app(used, views),
    }
    return _make_dispatcher(apps, call_log, proxy)


def _parse_options(settings: Mapping[str, str]) -> Options:
    """Return the package's options among the settings. Raises: OptionError."""
    return sources.parse(remove_beakers(select_session(settings), "session"), "session")


def _find_upstream(options: Options) -> str | None:
    """Return the URL that the proxy passes requests on to; None if it cannot.

    A signature that AWS checks is for the host that the client called, and that is the proxy.
    """
    endpoint = options.endpoint_url or ""
    if endpoint == embedded.EMBEDDED:
        return embedded.get_url()
    return endpoint if urlsplit(endpoint).scheme == "http" else None


def _create_table(options: Options) -> None:
    """Create the table as a deployment does, so that no visitor's request has to."""
    if options.create_table:
        # The page says what is wrong, and may be opened when it has been repaired.
        with contextlib.suppress(Unavailable, TableError):
            tables.create(options)


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


def _make_dispatcher(
    apps: Mapping[str, WSGIApplication], call_log: CallLog, proxy: StoreProxy | None
) -> WSGIApplication:
    """Return an application that passes a request on by the first part of its path."""

    def dispatch(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name = shift_path_info(environ) or ""
        app = apps.get(name)
        if app is None or not environ.get("PATH_INFO"):
            return _serve_static(name, apps, start_response)
        started = time.monotonic()
        try:
            with call_log.record_request():
                return app(environ, start_response)
        except UnicodeDecodeError:
            text = "The form is not valid UTF-8."
            return _respond(start_response, "400 Bad Request", "text/plain", text)
        except DynamoDBBackendError as error:
            is_down = isinstance(error, Unavailable)
            status = "503 Service Unavailable" if is_down else "500 Internal Server Error"
            outage = proxy.outage if proxy else None
            body = render_error(error, outage, time.monotonic() - started)
            return _respond(start_response, status, "text/html", body)

    return dispatch


def _serve_static(
    name: str, apps: Mapping[str, WSGIApplication], start_response: StartResponse
) -> Iterable[bytes]:
    """Serve what needs no session: the style sheet, the script, and redirects to the page."""
    if name in ASSETS:
        return _respond(start_response, "200 OK", ASSETS[name], read_asset(name))
    if name in {"", *apps}:
        start_response("303 See Other", [("Location", f"/{name or 'bottle'}/")])
        return []
    return _respond(start_response, "404 Not Found", "text/plain", "There is no such page.")


def _respond(
    start_response: StartResponse, status: str, content_type: str, text: str
) -> Iterable[bytes]:
    body = text.encode()
    headers = {
        **HEADERS,
        "Content-Type": f"{content_type}; charset=utf-8",
        "Content-Length": str(len(body)),
    }
    start_response(status, list(headers.items()))
    return [body]
