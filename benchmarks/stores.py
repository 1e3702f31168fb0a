"""The stores that are compared, each behind one interface: a dict in, a dict out.

They include a store's serializer, expiry and client, but not the framework's cookies and
requests. The three bare ones transfer the item that ours stores, and do not open it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

Order = dict[str, Any]
Values = dict[str, Any]
LIFETIME = 1800


class Store(Protocol):
    """A session that is stored, loaded and saved; `stored` is its bytes, None if in DynamoDB."""

    def open(self, values: Values) -> None: ...
    def load(self) -> object: ...
    def save(self) -> object: ...
    def stored(self) -> int | None: ...


def beaker_options(order: Order) -> Values:
    """Return Beaker's options: for our backend on the table, or for one of its own."""
    options: Values = {"type": order["type"], "timeout": LIFETIME, **order.get("options", {})}
    if order["type"] == "ext:dynamodb":
        options |= {"endpoint_url": order["endpoint"], "table": order["table"]}
    return options


class BeakerStore:
    """A session of Beaker in the backend that the order names."""

    def __init__(self, order: Order) -> None:
        self._options = beaker_options(order)
        self._files = None
        if order["type"] == "file":
            self._files = tempfile.TemporaryDirectory()
            self._options["data_dir"] = self._files.name

    def _session(self, ident: str | None) -> Any:
        session = import_module("beaker.session").Session
        return session({}, id=ident, use_cookies=False, **self._options)

    def open(self, values: Values) -> None:
        self._held = self._session(None)
        self._held.update(values)
        self._held.save()
        self._expected = values["user_id"]
        self._held = self._session(self._held.id)

    def load(self) -> object:
        session = self._session(self._held.id)
        assert session["user_id"] == self._expected
        return session

    def save(self) -> object:
        self._held["visits"] += 1
        return self._held.save()

    def stored(self) -> int | None:
        if self._files is not None:
            return sum(p.stat().st_size for p in Path(self._files.name).rglob("*.cache"))
        namespace, key = self._held.namespace, "session"
        if self._options["type"] == "ext:redis":
            return int(namespace.client.strlen(namespace._format_key(key)))  # noqa: SLF001
        if self._options["type"] == "ext:memcached":
            return len(namespace.mc.get(namespace._format_key(key)))  # noqa: SLF001
        return None


def _resource(order: Order) -> Any:
    return import_module("boto3").resource("dynamodb", endpoint_url=order["endpoint"])


class BareStore:
    """A bare boto3 client or Table resource that transfers the item that ours stores."""

    def __init__(self, order: Order) -> None:
        self._ours = BeakerStore({**order, "type": "ext:dynamodb", "options": {}})
        table = _resource(order).Table(order["table"])
        self._named: Values = {}
        self._calls = table
        if order["way"] == "client":
            self._calls, self._named = table.meta.client, {"TableName": order["table"]}
            self._calls = import_module("boto3").client("dynamodb", endpoint_url=order["endpoint"])

    def open(self, values: Values) -> None:
        self._ours.open(values)
        ident = f"sess:{self._ours._held.id}"  # noqa: SLF001  # this module's own class
        self._key = {"id": {"S": ident} if self._named else ident}
        self._item = self._get()

    def _get(self) -> Values:
        item: Values = self._calls.get_item(**self._named, Key=self._key, ConsistentRead=True)[
            "Item"
        ]
        return item

    def load(self) -> object:
        item = self._get()
        assert "data" in item
        return item

    def save(self) -> object:
        return self._calls.put_item(**self._named, Item=self._item)

    def stored(self) -> int | None:
        return None


class AiodynamoStore:
    """A bare aiodynamo client over aiohttp, in a loop of its own, likewise."""

    def __init__(self, order: Order) -> None:
        self._ours = BeakerStore({**order, "type": "ext:dynamodb", "options": {}})
        self._loop = asyncio.new_event_loop()
        self._table = self._loop.run_until_complete(self._connect(order))

    async def _connect(self, order: Order) -> Any:
        http = import_module("aiodynamo.http.aiohttp").AIOHTTP
        credentials = import_module("aiodynamo.credentials")
        key = credentials.Key(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        client = import_module("aiodynamo.client").Client(
            http(import_module("aiohttp").ClientSession()),
            credentials.StaticCredentials(key),
            os.environ["AWS_DEFAULT_REGION"],
            endpoint=import_module("yarl").URL(order["endpoint"]),
        )
        return client.table(order["table"])

    def open(self, values: Values) -> None:
        self._ours.open(values)
        self._key = {"id": f"sess:{self._ours._held.id}"}  # noqa: SLF001  # as above
        self._item = self.load()

    def load(self) -> Values:
        get = self._table.get_item(self._key, consistent_read=True)
        item: Values = self._loop.run_until_complete(get)
        assert "data" in item
        return item

    def save(self) -> object:
        return self._loop.run_until_complete(self._table.put_item(self._item))

    def stored(self) -> int | None:
        return None


class CachelibStore:
    """cachelib's DynamoDbCache: a Table resource and pickle, with eventually consistent reads."""

    def __init__(self, order: Order) -> None:
        cache = import_module("cachelib.dynamodb").DynamoDbCache
        self._cache = cache(order["table"], endpoint_url=order["endpoint"])
        self._ident = secrets.token_hex(16)

    def open(self, values: Values) -> None:
        self._values = dict(values)
        self.save()

    def load(self) -> object:
        values = self._cache.get(self._ident)
        assert values["user_id"] == self._values["user_id"]
        return values

    def save(self) -> object:
        self._values["visits"] += 1
        assert self._cache.set(self._ident, self._values, timeout=LIFETIME)
        return None

    def stored(self) -> int | None:
        return None


def flask_application(order: Order) -> Any:
    """Create a Flask application with Flask-Session over its DynamoDB or its cachelib backend."""
    app = import_module("flask").Flask("benchmark")
    app.config["SESSION_SERIALIZATION_FORMAT"] = order.get("format", "msgpack")
    if order["type"] == "cachelib":
        cache = import_module("cachelib.dynamodb").DynamoDbCache
        app.config["SESSION_CACHELIB"] = cache(order["table"], endpoint_url=order["endpoint"])
    else:
        app.config["SESSION_DYNAMODB"] = _resource(order)
        app.config["SESSION_DYNAMODB_TABLE"] = order["table"]
    app.config["SESSION_TYPE"] = order["type"]
    import_module("flask_session").Session(app)
    return app


class FlaskStore:
    """Flask-Session's DynamoDB backend: what it reads and writes for a request."""

    def __init__(self, order: Order) -> None:
        self._app = flask_application({**order, "type": "dynamodb"})
        self._interface = self._app.session_interface
        self._ident = f"session:{secrets.token_hex(16)}"

    def open(self, values: Values) -> None:
        self._session = self._interface.session_class(values, sid=self._ident)
        self.save()

    def load(self) -> object:
        values = self._interface._retrieve_session_data(self._ident)  # noqa: SLF001  # without Flask
        assert values["user_id"] == self._session["user_id"]
        return values

    def save(self) -> object:
        self._session["visits"] += 1
        put = self._interface._upsert_session  # noqa: SLF001  # likewise
        return put(timedelta(seconds=LIFETIME), self._session, self._ident)

    def stored(self) -> int | None:
        return None


def pyramid_factory(order: Order) -> Any:
    """Create the factory of pyramid-dynamodb-sessions, and its table."""
    resource = _resource(order)
    if order["table"] not in [table.name for table in resource.tables.all()]:
        resource.create_table(
            TableName=order["table"],
            AttributeDefinitions=[{"AttributeName": "sid", "AttributeType": "B"}],
            KeySchema=[{"AttributeName": "sid", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
    made = import_module("pyramid_dynamodb_sessions").DynamoDBSessionFactory
    return made(resource.Table(order["table"]), secure=False)


class PyramidStore:
    """pyramid-dynamodb-sessions: the factory's load and update, without Pyramid."""

    def __init__(self, order: Order) -> None:
        self._factory = pyramid_factory(order)
        self._requests = import_module("pyramid.request").Request

    def open(self, values: Values) -> None:
        session = import_module("pyramid_dynamodb_sessions").DynamoDBSession.new_session()
        session.update(values)
        self._factory._create(session)  # noqa: SLF001  # without Pyramid
        self._session, self._expected = session, values["user_id"]

    def load(self) -> object:
        request = self._requests.blank("/")
        request.cookies["session_id"] = f"{self._session.session_id}/{self._session.version}"
        session = self._factory._load(request)  # noqa: SLF001  # likewise
        assert session["user_id"] == self._expected
        return session

    def save(self) -> object:
        self._session["visits"] += 1
        return self._factory._update(self._session)  # noqa: SLF001  # likewise

    def stored(self) -> int | None:
        return None


def store(order: Order) -> Store:
    """Create the store that an order names."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    kinds: dict[str, Callable[[Order], Store]] = {
        "beaker": BeakerStore,
        "bare": BareStore,
        "aiodynamo": AiodynamoStore,
        "cachelib": CachelibStore,
        "flask": FlaskStore,
        "pyramid": PyramidStore,
    }
    return kinds[order["store"]](order)
