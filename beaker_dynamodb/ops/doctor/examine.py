"""Gather the facts of an application's store, and walk the tables of checks with them.

All I/O of the doctor is here. Each finding is yielded as it is found, and what would only fail
for the same reason again is not checked. Only a row of its own is changed; no table is created.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import platform
import shlex
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Final

from beaker_dynamodb.config.sources import ENVIRONMENT
from beaker_dynamodb.dynamodb import embedded, metering
from beaker_dynamodb.dynamodb.diagnostics import (
    PermissionCheck,
    check_permissions,
    check_user_sessions,
    get_identity,
    list_regions,
    read_server_clock,
    record_addresses,
)
from beaker_dynamodb.dynamodb.rows import Rows, build_rows
from beaker_dynamodb.dynamodb.table import NoRow
from beaker_dynamodb.dynamodb.wire.transport import BOTO3, WIRE
from beaker_dynamodb.errors import (
    AccessRefused,
    DynamoDBBackendError,
    OptionError,
    Unavailable,
)
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import make_rev
from beaker_dynamodb.migration.readers import TYPES, has_sessions
from beaker_dynamodb.migration.source import SourceBackend, say_no_sessions
from beaker_dynamodb.migration.source_options import (
    find_missing_path,
    get_data_path,
    validate_source,
)
from beaker_dynamodb.ops.application import (
    Application,
    find_global_settings,
    find_mistakes,
    find_unread,
    find_unread_cache_lines,
    get_prefix,
    load_application,
    suggest_file,
)
from beaker_dynamodb.ops.doctor import settings, store
from beaker_dynamodb.ops.doctor.check import Finding, exit_code, run_checks, withhold_logouts
from beaker_dynamodb.ops.doctor.session import RECIPES, SESSION, find_framework, is_own_filter
from beaker_dynamodb.provisioning import provision
from beaker_dynamodb.runtime import REAL, Runtime
from beaker_dynamodb.settings import ini
from beaker_dynamodb.settings.beaker_settings import (
    DEFAULT_REGION,
    TYPE_SETTINGS,
    list_cache_regions,
)

_PACKAGES: Final = ("beaker-dynamodb", "Beaker", "boto3")
_VALUE: Final = b"a row of `beaker-dynamodb doctor`, which deletes it at once"
_NO_FILE: Final = (
    "no ini file was given (-c FILE), so only the environment is checked, not the application's own"
    " settings"
)
_EMBEDDED: Final = (
    "exists only inside the application's own process, and cannot be checked from here; both can"
    " reach a table of DynamoDB Local"
)
#: Seconds after which the doctor's row expires, if it cannot be deleted.
_LIFETIME: Final = 300


def examine(
    config: str | None = None,
    *,
    given: Mapping[str, str] | None = None,
    cache: str | None = None,
    read_only: bool = False,
) -> Iterator[Finding]:
    """Yield all findings of an application, beginning with the names in its ini file.

    Args: as of `load_application` and `examine_store`.
    Raises: OptionError, if there is no such file, section or region, or it is not ours.
    """
    mistakes = tuple(find_mistakes(config, given=given, cache=cache))
    installed = _list_packages()
    yield from run_checks(settings.VERSIONS, installed)
    yield from run_checks(settings.PACKAGES, *installed)
    yield from run_checks(settings.BACKENDS, _find_backend())
    variables = tuple(settings.find_unknown_variables(os.environ))
    yield from run_checks(settings.VARIABLES, *variables)
    if not config and not given:
        yield Finding("note", "options", _NO_FILE)
    for one in mistakes:
        # A mistake without a name comes from the environment; its variable has been reported.
        if one.name or not variables:
            yield Finding("error", "options", str(one))
    for name, place, near in find_unread(config, given=given, cache=cache):
        begin = get_prefix(cache, config, name)
        unread = settings.UnknownName(begin + name, near and begin + near, place)
        yield from run_checks(settings.UNREAD, unread)
    yield from run_checks(settings.GLOBAL, find_global_settings(config, cache))
    yield from run_checks(settings.CACHE_LINES, *find_unread_cache_lines(config, cache))
    if config is not None and cache is None:
        yield from _list_cache_regions(config)
    if not mistakes:
        yield from examine_store(
            load_application(config, given=given, cache=cache), config=config, read_only=read_only
        )


def examine_store(
    application: Application,
    *,
    config: str | None = None,
    read_only: bool = False,
    environ: Mapping[str, str] = os.environ,
    runtime: Runtime = REAL,
) -> Iterator[Finding]:
    """Yield the findings of a store whose options are valid; the last may be `unreachable`.

    Run it as the application: under its credentials, its environment and its ini file.

    Args: *config* is that file; *read_only* leaves out the round trip, and with it every write
    that takes effect.
    """
    facts = gather_settings(application, config, environ, runtime)
    beakers = settings.CACHE if facts.is_cache else SESSION
    in_settings = run_checks((*settings.URLS, *beakers, *settings.OPTION_CHECKS), facts)
    yield from withhold_logouts(in_settings) if facts.options.migrate_from else in_settings
    if application.options.migrate_from:
        yield _examine_source(application, runtime, read_only=read_only)
    if embedded.is_elsewhere(application.options.endpoint_url):
        missing = embedded.explain_missing_extra()
        yield Finding("error" if missing else "note", "table", missing or _EMBEDDED)
        return
    try:
        yield from _examine_connection(application, runtime, read_only=read_only)
    except DynamoDBBackendError as error:
        failure = error if application.settings else suggest_file(error)
        is_local = settings.is_local(application.options.endpoint_url)
        checks = store.failures("store", is_local=is_local)
        yield from run_checks(checks, store.RoundTrip(error=failure))


def _examine_connection(
    application: Application, runtime: Runtime, *, read_only: bool
) -> Iterator[Finding]:
    """Yield what is found about credentials and destination, and go on to the table."""
    options = dataclasses.replace(application.options, create_table=False)
    opened = build_rows(options, application.kind, runtime)
    client = opened.table.client
    identity = get_identity(client)
    is_local = settings.is_local(options.endpoint_url)
    usable = tuple(
        run_checks(store.CREDENTIALS, store.Credentials(identity, runtime.clock(), is_local))
    )
    yield from usable
    if exit_code(usable):
        return
    known, transport = list_regions(client), client.get_transport()
    target = store.Destination(identity, transport, known, application)
    yield from run_checks(store.DESTINATION, target)
    with record_addresses(client) as addresses:
        found = _examine_table(application, opened, read_only=read_only)
        yield from _report_addresses(found, addresses)
    if not addresses:  # a client of option `client`, or one whose calls a test answers
        yield from run_checks(store.ENDPOINTS, identity.endpoint)


def gather_settings(
    application: Application, config: str | None, environ: Mapping[str, str], runtime: Runtime
) -> settings.Settings:
    """Return the facts of a valid configuration, without a call."""
    section = ini.find_section(config, TYPE_SETTINGS["session"])
    lines = {**section.settings, "use": section.use}
    has_pyramid = importlib.util.find_spec("pyramid_beaker") is not None
    framework = find_framework(section.name, lines, has_pyramid=has_pyramid)
    return settings.Settings(
        application.options,
        application.settings,
        application.begin,
        application.kind == "cache",
        application.settings.get("url") or environ.get(f"{ENVIRONMENT}URL") or "",
        runtime.secret(),
        framework,
        RECIPES[framework],
        is_own_filter(lines),
        environ,
    )


def _report_addresses(found: Iterator[Finding], addresses: list[str]) -> Iterator[Finding]:
    """Yield findings, and before the next one each address that was used for the first time."""
    reported = 0
    try:
        for finding in found:
            yield from run_checks(store.ENDPOINTS, *addresses[reported:])
            reported = len(addresses)
            yield finding
    except DynamoDBBackendError:
        yield from run_checks(store.ENDPOINTS, *addresses[reported:])
        raise


def _examine_table(application: Application, opened: Rows, *, read_only: bool) -> Iterator[Finding]:
    """Yield what is found about the table, and go on to its rows if its keys are as expected."""
    try:
        actual = provision.describe(opened.table.client, application.options.table)
    except AccessRefused as error:
        refused = store.RefusedTable(application, error)
        yield from run_checks(store.REFUSED_TABLE, refused)
        if not refused.is_role:
            clocks = store.Clocks(read_server_clock(error), opened.runtime.clock())
            yield from run_checks(store.CLOCKS, clocks)
            return
    else:
        if actual is None:
            yield from run_checks(store.MISSING_TABLE, application)
            return
        table = store.FoundTable(actual, application)
        yield from run_checks(store.FOUND_TABLE, table)
        yield from run_checks(store.DIFFERENCES, *((one, table) for one in table.differences))
        if not table.matches("key"):  # it may be another application's
            return
        yield from run_checks(store.SAFETY, table)
    yield from _examine_rows(application, opened, read_only=read_only)


def _examine_rows(application: Application, opened: Rows, *, read_only: bool) -> Iterator[Finding]:
    """Yield which calls are allowed, and what a round trip finds if all of them are."""
    name = f"doctor-{opened.runtime.token().hex()}"
    is_cache, layout = application.kind == "cache", opened.layout
    key = layout.make_value_key(name, "doctor") if is_cache else layout.make_session_key(name)
    with_query = is_cache and application.options.range_key is not None
    calls: list[PermissionCheck] = []
    for call in check_permissions(opened.table, key, with_query=with_query):
        calls.append(call)
        if isinstance(call.error, Unavailable):
            break
    server = next((call.clock for call in calls if call.clock is not None), None)
    yield from run_checks(store.CLOCKS, store.Clocks(server, opened.runtime.clock()))
    policy = application.format_command("policy app")
    needed = (store.Permission(call.operation, call.error, policy) for call in calls)
    found = tuple(run_checks(store.PERMISSIONS, *needed))
    yield from found
    indexed_keys = () if is_cache else application.options.indexed_keys
    if indexed_keys and not exit_code(found):
        for call in check_user_sessions(opened.table, key, indexed_keys):
            calls.append(call)
            if isinstance(call.error, AccessRefused):
                policy = application.format_command("policy app --user-sessions")
                needs = store.Permission(call.operation, call.error, policy)
                yield from run_checks(store.USER_SESSIONS, needs)
                break
    yield from run_checks(
        store.ALLOWED, tuple(dict.fromkeys(call.operation for call in calls if call.error is None))
    )
    if not read_only and not exit_code(found):
        yield from run_checks(store.ROUND_TRIPS, make_round_trip(opened, key))
        if opened.table.client.get_transport().name == WIRE:  # boto3 repeats what the wire cannot
            options = dataclasses.replace(opened.options, transport=BOTO3)
            by_boto3 = build_rows(options, application.kind, opened.runtime)
            yield from run_checks(store.ROUND_TRIPS, make_round_trip(by_boto3, key))


def make_round_trip(opened: Rows, key: Key) -> store.RoundTrip:
    """Write, read, compare and delete one row as the application would, whatever fails.

    If its deletion fails too, the row expires within minutes.
    """
    events, message = list[metering.Event](), ""
    error: DynamoDBBackendError | None = None
    stop = metering.observe(events.append)
    try:
        now, token = opened.runtime.clock(), opened.runtime.token()
        record = Record(key, b"", make_rev(token, token), expires=int(now) + _LIFETIME)
        try:
            opened.write(record, _VALUE, NoRow(), None)
            row = opened.read(key, consistent=True, now=now)
            if row is None or row.value != _VALUE:
                message = "the row that was read differs from the one that was written"
        finally:
            opened.drop(key)
    except DynamoDBBackendError as failure:
        error = failure
    finally:
        stop()
    calls = [event for event in events if isinstance(event, metering.Call)]
    return store.RoundTrip(
        tuple(call.seconds for call in calls),
        sum(call.read_units for call in calls),
        sum(call.write_units for call in calls),
        message,
        error,
        tuple(call.transport for call in calls),
        settings.is_local(opened.options.endpoint_url),
    )


def _examine_source(application: Application, runtime: Runtime, *, read_only: bool) -> Finding:
    """Look for a session in the backend of `migrate_from`, and read one that does not exist.

    A misspelled folder or table, or the number of another redis database, would look to the
    application like a store without sessions.
    """
    options = application.options
    name, given = str(options.migrate_from), dict(options.migrate_from_options)
    topic, path = "migrate_from", get_data_path(name, given)
    try:
        validate_source(name, given)
        if missing := find_missing_path(name, given):
            return Finding("error", topic, f"there is no {missing}; no session can be moved")
        if name in TYPES:
            found = has_sessions(name, given, runtime.clock)
            if found is False:
                return Finding("warning", topic, say_no_sessions(name, given))
            if read_only:  # Beaker's own backends write locks, or a table, when they read
                state = "holds sessions" if found else "is too large to look for a session"
                return Finding("ok" if found else "note", topic, f"{name} {state}")
        SourceBackend(name, tuple(given.items()), runtime.token().hex(), None).read()
    except DynamoDBBackendError as error:
        advice = "; start it" if isinstance(error, Unavailable) and not path else ""
        return Finding("error", topic, f"{error}{advice}")
    return Finding("ok", topic, f"{name} answers")


def _list_cache_regions(config: str) -> Iterator[Finding]:
    """Yield the cache regions of a file, each of which may have a table of its own."""
    try:
        found = ini.read_settings(config, TYPE_SETTINGS["cache"], TYPE_SETTINGS["session"])
        for name in list_cache_regions(found):
            title = "the caches" if name == DEFAULT_REGION else f"the cache region {name!r}"
            words = f"-c {shlex.quote(config)} --cache {shlex.quote(name)}"
            message = f"{title} of the file: not checked"
            yield Finding("note", "caches", message, f"beaker-dynamodb doctor {words}")
    except OptionError as error:
        yield Finding("error", "caches", str(error))


def _find_backend() -> str:
    """Return the name of the class that Beaker itself finds for ext:dynamodb, or ""."""
    from beaker.cache import clsmap

    try:
        found = clsmap["ext:dynamodb"]
    except Exception:  # noqa: BLE001  # KeyError, or whatever the look-up of entry points raises
        return ""
    return f"{found.__module__}.{found.__qualname__}"


def _list_packages() -> tuple[settings.Package, ...]:
    """Return Python and the packages of interest with their versions."""
    found = {
        one.name: one.version for name in _PACKAGES for one in metadata.distributions(name=name)
    }
    versions = {"Python": platform.python_version(), **found}
    versions |= {name: "" for name in settings.OLDEST if name not in found}
    return tuple(settings.Package(name, version) for name, version in versions.items())
