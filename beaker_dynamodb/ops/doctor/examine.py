"""Examine an application's store, from the options to a row that is written and read.

The facts are gathered here; the other modules of this folder decide what they mean. Each finding
is yielded as it is found. Only a row of its own is changed, and no table is created.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from beaker_dynamodb.config.sources import ENVIRONMENT
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.diagnostics import (
    PermissionCheck,
    check_permissions,
    get_identity,
    list_regions,
    read_server_clock,
)
from beaker_dynamodb.dynamodb.rows import Rows, build_rows
from beaker_dynamodb.errors import AccessRefused, DynamoDBBackendError, OptionError, Unavailable
from beaker_dynamodb.migration.source import (
    CREATED_BY_READING,
    SourceBackend,
    get_data_path,
    validate_source,
)
from beaker_dynamodb.ops.application import (
    Application,
    find_mistakes,
    find_unread,
    load_application,
    regions,
    settings_prefix,
)
from beaker_dynamodb.ops.doctor import beakers, credentials, names, settings, table
from beaker_dynamodb.ops.doctor.finding import Finding
from beaker_dynamodb.ops.doctor.round_trip import draw_key, make_round_trip
from beaker_dynamodb.provisioning import provision
from beaker_dynamodb.provisioning.spec import table_spec
from beaker_dynamodb.runtime import REAL, Runtime

_PACKAGES: Final = ("beaker-dynamodb", "Beaker", "boto3")


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
    wrong = tuple(find_mistakes(config, given=given, cache=cache))
    yield from names.versions(_installed())
    yield from names.backend(_found_by_beaker())
    misspelled = tuple(names.environment(os.environ))
    yield from misspelled
    # A mistake without a name comes from the environment; its variable has just been reported.
    lines = (one for one in wrong if one.name or not misspelled)
    yield from names.mistakes(lines, config or "the command line")
    yield from names.unread(find_unread(config, given=given, cache=cache), settings_prefix(cache))
    if config is not None and cache is None:
        yield from _caches(config)
    if not wrong:
        yield from examine_store(
            load_application(config, given=given, cache=cache), read_only=read_only
        )


def _caches(config: str) -> Iterator[Finding]:
    """Name the file's caches, which are checked one at a time."""
    try:
        yield from names.caches(regions(config), config)
    except OptionError as error:
        yield Finding("error", "caches", str(error))


def examine_store(
    application: Application,
    *,
    read_only: bool = False,
    environ: Mapping[str, str] = os.environ,
    runtime: Runtime = REAL,
) -> Iterator[Finding]:
    """Yield the findings of a store whose options are valid; the last may be `unreachable`.

    Run it as the application: under its credentials, its environment and its ini file.

    Args: *read_only* leaves out the round trip, and with it every write that takes effect.
    """
    yield from _told(application, environ)
    yield from _check_source(application, runtime, read_only=read_only)
    if embedded.is_elsewhere(application.options.endpoint_url):
        yield from table.embedded(embedded.explain_missing_extra())
        return
    options = dataclasses.replace(application.options, create_table=False)
    try:
        mine = build_rows(options, application.kind, runtime)
        for finding in _reached(application, mine.table.client, runtime):
            yield finding
            if finding.severity == "error":  # without credentials every call would say it again
                return
        yield from _found(application, mine, runtime, read_only=read_only)
    except DynamoDBBackendError as error:
        yield table.failed("store", error)


def exit_code(findings: Iterator[Finding]) -> int:
    """Return the exit code: 0; 1 if an error was found; 3 if the store was not reached."""
    code = 0
    for finding in findings:
        if finding.unreachable:
            return 3
        code = max(code, int(finding.severity == "error"))
    return code


def _told(application: Application, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Check the configuration, without a call."""
    url = application.settings.get("url") or environ.get(f"{ENVIRONMENT}URL")
    yield from names.url(url)
    if application.kind == "session":
        for beakers_ in beakers.CHECKS:
            yield from beakers_(application)
        pyramid = importlib.util.find_spec("pyramid_beaker") is not None
        yield from beakers.corrupt(application, pyramid=pyramid)
    else:
        yield from beakers.pickles(application)
    for check in settings.CHECKS:
        yield from check(application)


def _check_source(
    application: Application, runtime: Runtime, *, read_only: bool
) -> Iterator[Finding]:
    """Read a session that does not exist from the source backend."""
    name = application.options.migrate_from
    if name is None:
        return
    given = application.options.migrate_from_options
    try:
        validate_source(name, dict(given))
        path = get_data_path(name, dict(given))
        if path is not None and not Path(path).exists():
            yield settings.no_place(path)
        elif name == "file" and path and not any(one.is_file() for one in Path(path).rglob("*")):
            yield settings.nothing_moved(path)
        elif read_only and name in CREATED_BY_READING:
            yield Finding("note", "migrate_from", f"{name} was not checked: that would write there")
        else:
            SourceBackend(name, given, runtime.token(), None).read()
            yield Finding("ok", "migrate_from", f"{name} answers")
    except DynamoDBBackendError as error:
        yield settings.unmoved(error)


def _reached(application: Application, client: Client, runtime: Runtime) -> Iterator[Finding]:
    """Check the credentials, and where the calls go."""
    who = get_identity(client)
    local = settings.is_local(application.options)
    yield from credentials.credentials(who, runtime.clock(), local=local)
    yield from credentials.place(who, list_regions(client), own=application.options.endpoint_url)
    yield from credentials.transport(client.get_transport())


def _found(
    application: Application, mine: Rows, runtime: Runtime, *, read_only: bool
) -> Iterator[Finding]:
    """Check the table, and what may be done with it."""
    expected = table_spec(application.options)
    try:
        actual = provision.describe(mine.table.client, application.options.table)
    except AccessRefused as error:
        refused = list(table.undescribed(application, error))
        yield from refused
        if exit_code(iter(refused)):  # the key, or the clock
            yield from credentials.clock(read_server_clock(error), runtime.clock())
            return
    else:
        if actual is None:
            yield from table.missing(application, application.create_command())
            return
        yield from table.shape(actual, expected, application.create_command())
        yield from table.safety(actual, application.create_command())
        if actual.schema() != expected.schema():
            return  # all further checks would fail for the same reason
    key = draw_key(mine, application.kind, runtime)
    with_query = application.options.range_key is not None and application.kind == "cache"
    made: list[PermissionCheck] = []
    for check in check_permissions(mine.table, key, with_query=with_query):
        made.append(check)
        if isinstance(check.error, Unavailable):
            break
    clock = next((check.clock for check in made if check.clock is not None), None)
    yield from credentials.clock(clock, runtime.clock())
    findings = list(table.permissions(_policy(application), made))
    yield from findings
    if not read_only and exit_code(iter(findings)) == 0:
        yield from table.round_trip(make_round_trip(mine, key, runtime))


def _policy(application: Application) -> str:
    """Return the command that prints the application's policy."""
    if application.call:
        return f"beaker-dynamodb policy app {application.call}"
    return "beaker-dynamodb policy app, with the options that the doctor got"


def _found_by_beaker() -> str:
    """Return the name of the class that Beaker itself finds for ext:dynamodb, or ""."""
    from beaker.cache import clsmap

    try:
        found = clsmap["ext:dynamodb"]
    except Exception:  # noqa: BLE001  # KeyError, or whatever its way to entry points raises
        return ""
    return f"{found.__module__}.{found.__qualname__}"


def _installed() -> Mapping[str, str]:
    """Return the installed packages with their versions."""
    there = {
        one.name: one.version for name in _PACKAGES for one in metadata.distributions(name=name)
    }
    return {"Python": platform.python_version(), **there}
