"""Looks over an application's store, from the options to a row that is written and read.

Here the facts are gathered; what they mean is decided in `checks/`, and each finding is yielded
as it is found. No row but one of its own is changed, and no table is created.
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
from beaker_dynamodb.dynamodb.rows import Rows, rows
from beaker_dynamodb.errors import AccessRefused, DynamoDBBackendError, OptionError, Unavailable
from beaker_dynamodb.migration.source import MADE_BY_LOOKING, Backend, make_ready, place_of
from beaker_dynamodb.ops.application import Application, begin_of, mistakes, regions, unread
from beaker_dynamodb.ops.application import application as read
from beaker_dynamodb.ops.doctor import beakers, credentials, names, settings, table
from beaker_dynamodb.ops.doctor.finding import Finding
from beaker_dynamodb.ops.doctor.trip import own_key, trip
from beaker_dynamodb.provisioning import provision
from beaker_dynamodb.provisioning.spec import table_spec
from beaker_dynamodb.runtime import REAL, Runtime

_PACKAGES: Final = ("beaker-dynamodb", "Beaker", "boto3")


def look_over(
    config: str | None = None,
    *,
    given: Mapping[str, str] | None = None,
    cache: str | None = None,
    read_only: bool = False,
) -> Iterator[Finding]:
    """Yield all findings of an application, from the names in its ini file on.

    Args: as `application()` and `examine()` take.
    Raises: OptionError, where there is no such file, section or region, or it is not ours.
    """
    wrong = tuple(mistakes(config, given=given, cache=cache))
    yield from names.versions(_installed())
    yield from names.backend(_found_by_beaker())
    misspelled = tuple(names.environment(os.environ))
    yield from misspelled
    # What no line of the file explains has just been told, with its variable.
    lines = (one for one in wrong if one.name or not misspelled)
    yield from names.mistakes(lines, config or "the command line")
    yield from names.unread(unread(config, given=given, cache=cache), begin_of(cache))
    if config is not None and cache is None:
        yield from _caches(config)
    if not wrong:
        yield from examine(read(config, given=given, cache=cache), read_only=read_only)


def _caches(config: str) -> Iterator[Finding]:
    """Name the file's caches, which are looked at one by one."""
    try:
        yield from names.caches(regions(config), config)
    except OptionError as error:
        yield Finding("error", "caches", str(error))


def examine(
    application: Application,
    *,
    read_only: bool = False,
    environ: Mapping[str, str] = os.environ,
    runtime: Runtime = REAL,
) -> Iterator[Finding]:
    """Yield what is found of options that can be used; the last one says "unreachable", if so.

    Run it as the application: under its credentials, its environment and its ini file.

    Args: *read_only* leaves out the round trip, and with it every write that takes effect.
    """
    yield from _told(application, environ)
    yield from _former(application, runtime, read_only=read_only)
    if embedded.is_elsewhere(application.options.endpoint_url):
        yield from table.embedded(embedded.missing())
        return
    options = dataclasses.replace(application.options, create_table=False)
    try:
        mine = rows(options, application.kind, runtime)
        for finding in _reached(application, mine.table.client, runtime):
            yield finding
            if finding.severity == "error":  # without credentials every call would say it again
                return
        yield from _found(application, mine, runtime, read_only=read_only)
    except DynamoDBBackendError as error:
        yield table.failed("store", error)


def exit_code(worst: Iterator[Finding]) -> int:
    """Say how `doctor` ends: 0, 1 if an error was found, 3 if the store was not reached."""
    code = 0
    for finding in worst:
        if finding.unreachable:
            return 3
        code = max(code, int(finding.severity == "error"))
    return code


def _told(application: Application, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at what was configured, without a call."""
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


def _former(application: Application, runtime: Runtime, *, read_only: bool) -> Iterator[Finding]:
    """Ask the store that sessions are moved from for one that nobody has."""
    name = application.options.migrate_from
    if name is None:
        return
    given = application.options.migrate_from_options
    try:
        make_ready(name, dict(given))
        place = place_of(name, dict(given))
        if place is not None and not Path(place).exists():
            yield settings.no_place(place)
        elif name == "file" and place and not any(one.is_file() for one in Path(place).rglob("*")):
            yield settings.nothing_moved(place)
        elif read_only and name in MADE_BY_LOOKING:
            yield Finding("note", "migrate_from", f"{name} was not asked: that would write there")
        else:
            Backend(name, given, runtime.token(), None).read()
            yield Finding("ok", "migrate_from", f"{name} answers")
    except DynamoDBBackendError as error:
        yield settings.unmoved(error)


def _reached(application: Application, client: Client, runtime: Runtime) -> Iterator[Finding]:
    """Look at who we are, and where the calls go."""
    who = get_identity(client)
    local = settings.is_local(application.options)
    yield from credentials.credentials(who, runtime.clock(), local=local)
    yield from credentials.place(who, list_regions(client), own=application.options.endpoint_url)
    yield from credentials.transport(client.transport())


def _found(
    application: Application, mine: Rows, runtime: Runtime, *, read_only: bool
) -> Iterator[Finding]:
    """Look at the table, and at what may be done with it."""
    ought = table_spec(application.options)
    try:
        is_ = provision.describe(mine.table.client, application.options.table)
    except AccessRefused as error:
        refused = list(table.undescribed(application, error))
        yield from refused
        if exit_code(iter(refused)):  # the key, or the clock
            yield from credentials.clock(read_server_clock(error), runtime.clock())
            return
    else:
        if is_ is None:
            yield from table.missing(application, application.creates())
            return
        yield from table.shape(is_, ought, application.creates())
        yield from table.safety(is_, application.creates())
        if is_.schema() != ought.ought():
            return  # what follows could only say the same in other words
    key = own_key(mine, application.kind, runtime)
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
        yield from table.round_trip(trip(mine, key, runtime))


def _policy(application: Application) -> str:
    """Write the command that prints what the application must be allowed."""
    if application.call:
        return f"beaker-dynamodb policy app {application.call}"
    return "beaker-dynamodb policy app, with the options that the doctor got"


def _found_by_beaker() -> str:
    """Name the class that Beaker itself finds for ext:dynamodb, "" where it finds none."""
    from beaker.cache import clsmap

    try:
        found = clsmap["ext:dynamodb"]
    except Exception:  # noqa: BLE001  # KeyError, or whatever its way to entry points raises
        return ""
    return f"{found.__module__}.{found.__qualname__}"


def _installed() -> Mapping[str, str]:
    """Name what is installed, and in which version."""
    there = {
        one.name: one.version for name in _PACKAGES for one in metadata.distributions(name=name)
    }
    return {"Python": platform.python_version(), **there}
