"""Each remedy of the doctor, pasted as it is printed; then the doctor finds nothing there.

A remedy is a line of the ini file (`name = value`, `remove name`, `rename name to name`), a line
for a shell, or a line of Python, which `tests/frameworks` runs.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.config import sources
from beaker_dynamodb.ops.doctor import examine, session, settings, store
from beaker_dynamodb.ops.doctor.check import Check, Finding, run_checks
from beaker_dynamodb.ops.doctor.session import RECIPES
from tests.ops.test_doctor_faults import make_calls_fail, make_refusal
from tests.ops.test_doctor_settings import SECRET
from tests.servers import Flavor, Server

F = TypeVar("F")
Prepare = Callable[[pytest.MonkeyPatch, "Site"], object]

#: The shortest time that a store needs to be found out of reach.
FAST = "session.connect_timeout = 0.2\nsession.max_attempts = 1\n"
#: An endpoint that is not on this machine, by its name.
REMOTE = "http://dynamodb.invalid:1"
AES_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
CACHE = ("--cache", "default")


@dataclass(frozen=True)
class Site:
    """An application's ini file, the server and the table of its sessions."""

    ini: str
    url: str
    table: str

    def paste(self, line: str) -> None:
        """Write a line into the section; one that is there already is replaced."""
        path = Path(self.ini)
        name = line.partition("=")[0].strip()
        head, *others = path.read_text().strip().splitlines()
        kept = [one for one in others if one.partition("=")[0].strip() != name]
        path.write_text("\n".join((head, line, *kept)) + "\n")

    def remove(self, name: str) -> str:
        """Remove a line, and return its value."""
        path = Path(self.ini)
        lines = path.read_text().splitlines()
        (line,) = [one for one in lines if one.partition("=")[0].strip() == name]
        path.write_text("\n".join(one for one in lines if one != line) + "\n")
        return line.partition("=")[2].strip()


def make_settings(*lines: str) -> Prepare:
    """Prepare a file with these lines, or without those that they say to remove."""

    def prepare(_: object, site: Site) -> None:
        for line in lines:
            name = line.removeprefix("remove ")
            site.paste(line) if name == line else site.remove(name)

    return prepare


def make_table(*words: str) -> Prepare:
    """Prepare a table that was made with other options, for an application without a range key."""

    def prepare(_: object, site: Site) -> None:
        site.paste(f"session.url = dynamodb://us-east-1/{site.table}")
        Server(site.url, Flavor.LOCAL).drop(site.table)
        assert main(["table", "create", "-c", site.ini, "--quiet", *words]) == 0

    return prepare


def prepare_no_table(_: object, site: Site) -> None:
    """Prepare an application before its first deployment."""
    Server(site.url, Flavor.LOCAL).drop(site.table)


def prepare_no_ttl(_: object, site: Site) -> None:
    """Prepare a table whose expired rows are never deleted."""
    client = Server(site.url, Flavor.LOCAL).client()
    client.update_time_to_live(
        TableName=site.table,
        TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires"},
    )
    client.close()


def prepare_all(*each: Prepare) -> Prepare:
    """Prepare one after the other."""

    def prepare(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
        for one in each:
            one(monkeypatch, site)

    return prepare


def prepare_index(_: object, site: Site) -> None:
    """Prepare a special key whose index the table does not have."""
    site.paste("session.special_keys = userId:S")


def refuse(*operations: str) -> Prepare:
    """Prepare a role that may not make these calls."""
    refused = {name: make_refusal(name) for name in operations}
    return lambda monkeypatch, _: make_calls_fail(monkeypatch, refused)


def prepare_variable(monkeypatch: pytest.MonkeyPatch, _: object) -> None:
    """Prepare two variables that are misspelled; one resembles an option."""
    monkeypatch.setenv("BEAKER_DYNAMODB_TABEL", "elsewhere")
    monkeypatch.setenv("BEAKER_DYNAMODB_ZZZZZZZZZZZZZZZZ", "1")
    sources.forget()


def prepare_caches(_: object, site: Site) -> None:
    """Prepare a region whose lock outlives those that wait for it."""
    site.paste("cache.lock_lease = 60")
    site.paste("cache.lock_wait = 31")


#: The exit code of a command that does not understand its options.
USAGE_ERROR = 2
#: What is wrong, and the words of the command line.
SCENARIOS: dict[str, tuple[Prepare, tuple[str, ...]]] = {
    "nothing": (make_settings(), ()),
    "placeholder": (make_settings("session.secret = replace me by 64 hex digits"), ()),
    "old remedy": (make_settings("session.secret = <output of: openssl rand -hex 32>"), ()),
    "short secret": (make_settings("session.secret = 9f0c41e7ab"), ()),
    "no secret": (make_settings("remove session.secret"), ()),
    "default prefix": (make_settings("remove session.secret", "remove session.prefix"), ()),
    "encrypt_key": (make_settings("session.encrypt_key = change me"), ()),
    "migration": (
        make_settings(
            "session.secret = replace me",
            "session.migrate_from = memory",
            f"session.encrypt_key = {SECRET}",
        ),
        (),
    ),
    "flags": (make_settings("session.httponly = false", "session.samesite = None"), ()),
    "samesite": (make_settings("session.samesite = off"), ()),
    "comments": (
        make_settings("session.samesite = Lax # or Strict", "session.key = sid ; ours"),
        (),
    ),
    "no timeout": (make_settings("remove session.timeout"), ()),
    "timeout of zero": (make_settings("session.timeout = 0"), ()),
    "milliseconds": (make_settings("session.timeout = 3155760000000"), ()),
    "never accessed": (make_settings("session.save_accessed_time = false"), ()),
    "not accessed": (
        make_settings("session.save_accessed_time = false", "remove session.timeout"),
        (),
    ),
    "pickle": (make_settings("session.data_serializer = pickle"), ()),
    "class": (make_settings("session.session_class = a.b:C"), ()),
    "auto": (make_settings("session.auto = true"), ()),
    "auto of a filter": (
        make_settings("use = egg:Beaker#beaker_session", "session.auto = true"),
        (),
    ),
    "corrupt": (make_settings("session.invalidate_corrupt = false"), ()),
    "pyramid": (
        make_settings("pyramid.includes = pyramid_beaker", "remove session.invalidate_corrupt"),
        (),
    ),
    "unread": (make_settings("session.time_out = 60", "session.zzzz = 1"), ()),
    "unread, long names": (make_settings("beaker.session.zzzz = 1"), ()),
    "touches": (make_settings("session.touch_after = 0"), ()),
    "locked out": (make_settings("session.created_after = 2999-01-01T00:00Z"), ()),
    "late touches": (make_settings("session.touch_after = 3h", "session.timeout = 16000"), ()),
    "ttl": (make_settings("session.ttl = 0"), ()),
    "read_timeout": (make_settings("session.read_timeout = 20"), ()),
    "attempts": (make_settings("session.max_attempts = 9", "session.connect_timeout = 3"), ()),
    "remote": (
        make_settings(f"session.endpoint_url = {REMOTE}", *FAST.splitlines()),
        (),
    ),
    "conflicts": (make_settings("session.on_conflict = overwrite"), ()),
    "envelope": (make_settings("session.envelope = none"), ()),
    "reads": (make_settings("session.consistent_read = false"), ()),
    "encryption": (
        make_settings(
            f"session.encryption_keys = {AES_KEY}", "session.encryption_required = false"
        ),
        (),
    ),
    "caches": (make_settings(), CACHE),
    "lines that no region reads": (
        make_settings("cache.regions = short", "cache.short.expire = 60"),
        (),
    ),
    "option of another backend": (
        lambda _, site: site.paste(f"session.table_name = {site.table}"),
        (),
    ),
    "slow caches": (prepare_caches, CACHE),
    "lease": (make_settings("cache.lock_lease = 22"), CACHE),
    "cache table": (prepare_no_table, CACHE),
    "variables": (prepare_variable, ()),
    "no table": (prepare_no_table, ()),
    "no table, never": (
        prepare_all(prepare_no_table, make_settings("session.create_table = false")),
        (),
    ),
    "keys": (make_table("-o", "hash_key=sid"), ()),
    "range key": (make_table("-o", "range_key=part"), ()),
    "no ttl": (prepare_no_ttl, ()),
    "other ttl": (make_table("-o", "ttl_attribute=until"), ()),
    "index": (prepare_index, ()),
    "capacity": (
        make_table("-o", "read_capacity_units=1", "-o", "write_capacity_units=1"),
        (),
    ),
    "capacity in the file": (
        make_settings("session.read_capacity_units = 1", "session.write_capacity_units = 1"),
        (),
    ),
    "not described": (refuse("DescribeTable"), ()),
    "described by an operator": (
        prepare_all(refuse("DescribeTable"), make_settings("session.create_table = false")),
        (),
    ),
    "no permission": (refuse("PutItem"), ()),
    "no permission of UserSessions": (
        prepare_all(make_settings("session.special_keys = userId"), refuse("Query")),
        (),
    ),
}  # fmt: skip
#: Checks whose remedy is tried by no scenario, and why.
UNTRIED: dict[str, str] = {
    "versions": "pip installs from the network",
    "backend": "pip installs from the network",
    "backups": "DynamoDB Local has none",
    "clock": "it would set this machine's clock",
    "credentials": "it needs an account",
    "region": "it is a region of AWS",
    "expired rows": "DynamoDB Local has one Region",
}
#: Commands that change nothing: they show something, or check what was not checked.
SHOWING = ("doctor", "policy", "table check")
#: What the doctor cannot see in a file: that the session class is StrictSession.
IN_PYTHON = (RECIPES["pyramid"], RECIPES["other"])


@pytest.fixture
def site(ini_with_table: str, dynamodb_local: str, table_name: str) -> Iterator[Site]:
    """Return an application about which the doctor has nothing worse than notes."""
    yield Site(ini_with_table, dynamodb_local, table_name)
    sources.forget()
    client = Server(dynamodb_local, Flavor.LOCAL).client()
    client.update_table(TableName=table_name, DeletionProtectionEnabled=False)
    client.close()


def run_doctor(site: Site, words: Iterable[str]) -> list[Finding]:
    """Return what the doctor finds."""
    cache = dict(zip(*[iter(words)] * 2, strict=True)).get("--cache")
    return list(examine.examine(site.ini, cache=cache))


def follow(line: str, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what one line of a remedy says."""
    match line.split():
        case ["remove", name]:
            site.remove(name)
        case ["rename", name, "to", other]:
            site.paste(f"{other} = {site.remove(name)}")
        case ["export" | "unset", *_]:
            follow_shell(line, monkeypatch)
        case ["beaker-dynamodb", *_]:
            assert main(shlex.split(line)[1:]) != USAGE_ERROR
        case [_, "=", *_]:
            site.paste(line)
        case _:
            assert line in IN_PYTHON


def follow_shell(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a line in a shell, and take over its environment."""
    shell = ["/bin/sh", "-c", f"{line}\nenv"]
    after = dict(
        one.split("=", 1)
        for one in subprocess.run(
            shell, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        if one.startswith("BEAKER_DYNAMODB_")
    )
    for name in [one for one in os.environ if one.startswith("BEAKER_DYNAMODB_")]:
        monkeypatch.delenv(name)
    for name, value in after.items():
        monkeypatch.setenv(name, value)
    sources.forget()


def is_visible(finding: Finding) -> bool:
    """Return whether the doctor can see that a remedy was followed."""
    lines = finding.remedy.splitlines()
    return not any(
        one in IN_PYTHON or one.removeprefix("beaker-dynamodb ").startswith(SHOWING)
        for one in lines[:1]
    )


def list_problems(found: Iterable[Finding]) -> set[tuple[str, str]]:
    """Return severity and topic of what is worse than a note."""
    return {(one.severity, one.check) for one in found if one.severity in {"error", "warning"}}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_remedy_that_is_pasted_as_it_is_satisfies_the_doctor(
    name: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its finding is gone, and no other problem has come instead."""
    prepare, words = SCENARIOS[name]
    prepare(monkeypatch, site)
    text, environ = Path(site.ini).read_text(), dict(os.environ)
    before = run_doctor(site, words)
    remedied = [one for one in before if one.remedy]
    for finding in remedied:
        with monkeypatch.context() as patch:
            for line in finding.remedy.splitlines():
                follow(line, site, patch)
            after = run_doctor(site, words)
        if is_visible(finding):
            same = [one for one in after if one.message == finding.message]
            assert same == [], finding
        assert list_problems(after) <= list_problems(before), finding
        Path(site.ini).write_text(text)
        assert dict(os.environ) == environ
        sources.forget()


def test_every_remedy_is_tried(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A check that is added with a remedy, and without a scenario here, fails here."""
    tried: list[Check[Any]] = []

    def record(checks: Iterable[Check[F]], *facts: F) -> Iterator[Finding]:
        for fact in facts:
            for check in checks:
                for found in run_checks([check], fact):
                    tried.extend([check] if found.remedy else [])
                    yield found

    monkeypatch.setattr(examine, "run_checks", record)
    text = Path(site.ini).read_text()
    for prepare, words in SCENARIOS.values():
        with monkeypatch.context() as patch:
            Path(site.ini).write_text(text)
            Server(site.url, Flavor.LOCAL).drop(site.table)
            assert main(["table", "create", "-c", site.ini, "--quiet"]) == 0
            prepare(patch, site)
            run_doctor(site, words)
        sources.forget()

    tables = [
        table
        for module in (settings, session, store)
        for name, table in vars(module).items()
        if re.fullmatch("[A-Z_]+", name)
        and isinstance(table, tuple)
        and table
        and isinstance(table[0], Check)
    ]
    untried = [one for table in tables for one in table if one.remedy and one not in tried]
    assert [one.topic for one in untried if one.topic not in UNTRIED] == []
    assert capsys.readouterr()
