"""Check names that nothing reads, addresses of other backends, and installed versions.

Facts: the names of environment variables, the `url` that was given, the installed versions.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from beaker_dynamodb.config.options import TABLE
from beaker_dynamodb.config.parsers import find_nearest
from beaker_dynamodb.config.sources import ENVIRONMENT
from beaker_dynamodb.ops.application import Mistake
from beaker_dynamodb.ops.beaker_settings import DEFAULT_REGION
from beaker_dynamodb.ops.doctor.finding import Finding

#: The oldest that the tests run with; setup.py asks for the same.
OLDEST: Final[Mapping[str, tuple[int, ...]]] = {"Beaker": (1, 14), "boto3": (1, 34)}
#: What Beaker is to find under the name `ext:dynamodb`.
BACKEND: Final = "beaker_dynamodb.manager.DynamoDBNamespaceManager"
_SCHEME: Final = "dynamodb"
_NAMES: Final = tuple(
    ENVIRONMENT + name.upper()
    for name in (*TABLE, *(row.alias for row in TABLE.values() if row.alias), "url")
)


def environment(names: Iterable[str]) -> Iterator[Finding]:
    """A variable that is meant for us but misspelled is not read."""
    for name in sorted(names):
        if not name.upper().startswith("BEAKER_DYNAMO") or name in _NAMES:
            continue
        near = find_nearest(name, _NAMES, ENVIRONMENT)
        meant = f"; did you mean {near}?" if near else ""
        remedy = f"export {near}=..., unset {name}" if near else f"unset {name}"
        yield Finding("error", "environment", f"{name} is not read{meant}", remedy)


def url(given: object) -> Iterator[Finding]:
    """A url of another scheme is ignored, because pyramid_beaker gives one to every region."""
    if not given:
        return
    text = str(given).strip()
    scheme, colon, rest = text.partition(":")
    if scheme.lower() == _SCHEME and rest.startswith("//"):
        yield Finding("ok", "url", f"is {_SCHEME}://")
        return
    if find_nearest(scheme, [_SCHEME]):
        yield Finding(
            "error",
            "url",
            f"begins with {scheme + colon + ('//' if rest.startswith('//') else '')!r}, expected"
            f" '{_SCHEME}://'",
            "url = dynamodb://REGION/TABLE?option=value",
        )
        return
    yield Finding(
        "note",
        "url",
        "belongs to another backend, and is ignored",
        "url = dynamodb://REGION/TABLE?option=value, or remove it",
    )


def mistakes(wrong: Iterable[Mistake], source: str) -> Iterator[Finding]:
    """Invalid options: each is an error at the first request."""
    for one in wrong:
        in_the_file = one.name and not one.name.startswith("-o ")
        where = f"{one.name} in {source}" if in_the_file else one.name
        yield Finding("error", "options", one.message, where)


def unread(given: Iterable[tuple[str, str | None]], begin: str) -> Iterator[Finding]:
    """A setting that nothing reads: Beaker accepts any name silently."""
    for name, near in given:
        message = f"{begin}{name} is not read by anything"
        if near:
            yield Finding(
                "error", "options", f"{message}; did you mean {begin}{near}?", "rename it"
            )
        else:
            yield Finding("warning", "options", message, f"remove {begin}{name}")


def caches(regions: Iterable[str], source: str) -> Iterator[Finding]:
    """Caches are not checked with the sessions: each region may have a table of its own."""
    for region in regions:
        what = "the caches" if region == DEFAULT_REGION else f"the cache region {region!r}"
        remedy = f"beaker-dynamodb doctor -c {shlex.quote(source)} --cache {shlex.quote(region)}"
        yield Finding("note", "caches", f"{what} of the file: not checked", remedy)


def versions(installed: Mapping[str, str]) -> Iterator[Finding]:
    """Packages that are too old are not tested with this one, and may fail in any way."""
    named = ", ".join(f"{name} {version}" for name, version in installed.items())
    old = [name for name, least in OLDEST.items() if _numbers(installed.get(name, "0")) < least]
    if not old:
        yield Finding("ok", "versions", named)
    for name in old:
        least = ".".join(map(str, OLDEST[name]))
        yield Finding(
            "error",
            "versions",
            f"{name} {installed.get(name, 'is missing')}: this package needs {least} or later",
            f"pip install '{name}>={least}'",
        )


def backend(found: str) -> Iterator[Finding]:
    """Beaker finds backends by entry points; without ours no session can be created.

    Args: *found*: the full name of the class that Beaker finds, or "".
    """
    if found == BACKEND:
        yield Finding("ok", "backend", "Beaker finds ext:dynamodb")
    elif found:
        yield Finding(
            "error",
            "backend",
            f"Beaker finds a class of another package under the name ext:dynamodb: {found}",
            "pip uninstall the package that it belongs to",
        )
    else:
        least = ".".join(map(str, OLDEST["Beaker"]))
        yield Finding(
            "error",
            "backend",
            "Beaker does not find ext:dynamodb, and raises KeyError at the first session: Beaker is"
            f" older than {least}, or this package is on the path but not installed",
            f"pip install -U 'Beaker>={least}' beaker-dynamodb",
        )


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:2]
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in parts)
