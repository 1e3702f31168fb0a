"""What the doctor asks a client: the identity of this process in AWS, and its permissions.

No secret is returned, neither a key nor the token. The permission checks change nothing: they
read a row that does not exist, and write on a condition that cannot hold. DynamoDB decides about
permissions before it evaluates a condition, so a refused condition means that the call is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from beaker_dynamodb.dynamodb.client import Client, Clients
from beaker_dynamodb.dynamodb.connection import get_credentials
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.dynamodb.user_rows import make_index_name
from beaker_dynamodb.errors import DynamoDBBackendError, masked_repr
from beaker_dynamodb.item.keys import Key

#: A value of each type that an index can have.
_EXAMPLES: Final = {"S": "doctor", "N": "0", "B": b"doctor"}


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """Region, endpoint, and the credentials that were found.

    `provider` is botocore's name of their source (env, iam-role, explicit...), "" if there are
    none; `expires` is in epoch seconds, None if they do not expire or botocore does not say.
    """

    region: str
    endpoint: str
    provider: str = ""
    expires: float | None = None

    __repr__ = masked_repr


def get_identity(client: Client) -> Identity:
    """Return the identity of this process, as its boto3 client knows it.

    It makes no call to DynamoDB; a provider of credentials may make one of its own.

    Raises: OptionError, without a region or with a profile that does not exist; Unavailable, if
    the provider of credentials fails.
    """
    return client.inspect(_read_identity)


def _read_identity(clients: Clients) -> Identity:
    meta = clients.boto3.meta
    credentials = get_credentials(clients.boto3)
    identity = Identity(meta.region_name, meta.endpoint_url)
    if credentials is None:
        return identity
    credentials.get_frozen_credentials()  # refreshes what is due, or says why it cannot
    date = getattr(credentials, "_expiry_time", None)
    expires = None if date is None else date.timestamp()
    return replace(identity, provider=credentials.method or "unknown", expires=expires)


@contextmanager
def record_addresses(client: Client) -> Iterator[list[str]]:
    """Yield a list of the addresses that the calls of this block are sent to, each once.

    botocore decides that at each call, by the account's id too, so its client does not know it
    beforehand; and the wire has an address of its own. No handler is registered at botocore's
    client, for option `transport = auto` would notice that.
    """
    addresses: list[str] = []

    def record(url: str) -> None:
        parts = urlsplit(url)
        address = f"{parts.scheme}://{parts.netloc}"
        if address not in addresses:
            addresses.append(address)

    with ExitStack() as stack:
        for restore in client.inspect(lambda clients: list(_watch_senders(clients, record))):
            stack.callback(restore)
        yield addresses


def _watch_senders(
    clients: Clients, record: Callable[[str], object]
) -> Iterator[Callable[[], object]]:
    """Call *record* with the url of each request; yield the functions that end that."""
    for boto3 in (clients.boto3, clients.fallback if clients.wire else None):
        # There is no public attribute. A client of option `client` may have none at all.
        session = getattr(getattr(boto3, "_endpoint", None), "http_session", None)
        if session is not None:
            yield _watch(session, "send", lambda request: record(request.url))
    if (wire := clients.wire) is not None:
        url = wire.endpoint.url
        yield _watch(wire, "call", lambda *_: record(url))


def _watch(owner: object, name: str, notify: Callable[..., object]) -> Callable[[], object]:
    """Call *notify* before each call of one object's method; return a function that ends that."""
    method = getattr(owner, name)

    def call(*args: Any) -> Any:
        notify(*args)
        return method(*args)

    setattr(owner, name, call)
    return lambda: delattr(owner, name)


def list_regions(client: Client) -> frozenset[str]:
    """Return the regions of AWS that botocore knows; none if its client does not expose them."""
    loader = client.inspect(lambda clients: getattr(clients.boto3, "_loader", None))
    if loader is None:
        return frozenset()
    partitions = loader.load_data("endpoints")["partitions"]
    return frozenset(name for partition in partitions for name in partition["regions"])


def read_server_clock(response: Mapping[str, Any] | DynamoDBBackendError) -> float | None:
    """Return the server's own time, in epoch seconds, from a response's body or an error."""
    if isinstance(response, DynamoDBBackendError):
        date = response.call.date if response.call else None
    else:
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        date = headers.get("date")
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class PermissionCheck:
    """One call: its operation, the server's time if the response has one, and the error if any."""

    operation: str
    clock: float | None = None
    error: DynamoDBBackendError | None = None


def check_permissions(table: Table, key: Key, *, with_query: bool) -> Iterator[PermissionCheck]:
    """Make each call that an application makes, on a key that no row has; change no row.

    Args: *with_query*, whether the application reads all rows of a namespace by a Query.
    """
    format_key = table.format_key(key)
    names = {"#k": table.layout.hash_key}
    condition = {
        "ConditionExpression": "attribute_exists(#k)",
        "ExpressionAttributeNames": names,
    }
    # A batch takes no condition: it deletes a row that does not exist.
    writes = {"RequestItems": {table.name: [{"DeleteRequest": {"Key": format_key}}]}}
    yield _check(table, "GetItem", {"Key": format_key, "ConsistentRead": True})
    yield _check(table, "PutItem", {"Item": format_key, **condition})
    yield _check(table, "DeleteItem", {"Key": format_key, **condition})
    yield _check(table, "BatchWriteItem", writes)
    if with_query:
        query = {
            "KeyConditionExpression": "#k = :k",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {":k": {"S": key.hash}},
            "Limit": 1,
        }
        yield _check(table, "Query", query)


def check_user_sessions(
    table: Table, key: Key, indexed_keys: Iterable[tuple[str, str]]
) -> Iterator[PermissionCheck]:
    """Make each call that `UserSessions` adds: a Query on each index, and a read of *key*.

    Args: *indexed_keys*, the special keys that have an index, each with its type.
    """
    for name, kind in indexed_keys:
        request = {
            "IndexName": make_index_name(name),
            "KeyConditionExpression": "#a = :a",
            "ExpressionAttributeNames": {"#a": name},
            "ExpressionAttributeValues": {":a": {kind: _EXAMPLES[kind]}},
            "Limit": 1,
        }
        yield _check(table, "Query", request)
    keys = {"Keys": [table.format_key(key)]}
    yield _check(table, "BatchGetItem", {"RequestItems": {table.name: keys}})


def _check(table: Table, operation: str, request: dict[str, Any]) -> PermissionCheck:
    try:
        body = table.call(operation, request).body
    except DynamoDBBackendError as error:
        return PermissionCheck(operation, read_server_clock(error), error)
    return PermissionCheck(operation, read_server_clock(body))
