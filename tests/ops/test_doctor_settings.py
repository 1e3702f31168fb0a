"""The doctor's checks of a configuration: each with facts on which it reports, and others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from beaker_dynamodb.config.sources import Kind, parse
from beaker_dynamodb.ops.doctor import settings
from beaker_dynamodb.ops.doctor.check import Check, Finding, run_checks
from beaker_dynamodb.ops.doctor.session import SESSION
from beaker_dynamodb.ops.doctor.settings import (
    Framework,
    Package,
    Settings,
    UnknownName,
)

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
FAR = {"region": "eu-central-1"}


def make_settings(
    options: dict[str, Any],
    kind: Kind = "session",
    url: str = "",
    framework: Framework = "other",
    *,
    is_strict: bool = False,
    **beaker: Any,
) -> Settings:
    """Return facts that consist of our options and of Beaker's settings."""
    parsed = parse({**FAR, **options}, kind)
    return Settings(
        parsed, beaker, f"{kind}.", kind == "cache", url, SECRET, framework, "R", is_strict
    )


def in_environment(options: dict[str, Any], **environ: str) -> Settings:
    """Return facts that consist of our options and of variables of the environment."""
    return dataclasses.replace(make_settings(options), environ=environ)


def list_problems(findings: Iterable[Finding]) -> list[str]:
    """Return severity and topic of each finding that is not ok."""
    return [f"{one.severity} {one.check}" for one in findings if one.severity != "ok"]


def list_checks(facts: Settings) -> tuple[Check[Settings], ...]:
    """Return the checks that the doctor walks for these settings."""
    first = settings.CACHE if facts.is_cache else SESSION
    return (*settings.URLS, *first, *settings.OPTION_CHECKS)


#: As `openssl rand -hex 32` drew them.
SECRET = "f2c7a41f0f6c3d0f0f2d4be1a9e8b0d1c0c86a7d8f5d7c0c29d4d7b7e3b6a59e"
SHORT_SECRET = "9f0c41e7ab"
SIGNED: dict[str, Any] = {"secret": SECRET}
FLAGS: dict[str, Any] = {"secure": "true", "httponly": "true"}

#: What is reported, part of its message, settings with the problem, and similar ones without it.
CASES: tuple[tuple[str, str, Settings, Settings], ...] = (
    (
        "ok url",
        "is dynamodb://",
        make_settings({}, url="DynamoDB://eu-central-1/sessions"),
        make_settings({}, url="dynamodb:eu-central-1/sessions"),
    ),
    (
        "note url",
        "belongs to another backend",
        make_settings({}, url="redis://127.0.0.1/0"),
        make_settings({}),
    ),
    (
        "note touch_after",
        "also writes it",
        make_settings({"touch_after": "0"}),
        make_settings({}),
    ),
    (
        "note touch_after",
        "3000 s is more than half the timeout (3600 s), so 1800 s is used",
        make_settings({"touch_after": "50m"}, timeout="3600"),
        make_settings({"touch_after": "30m"}, timeout="3600"),
    ),
    ("warning ttl", "are kept forever", make_settings({"ttl": "0"}), make_settings({})),
    (
        "note timeout",
        "they expire 30 days after the last write",
        make_settings({}),
        make_settings({}, timeout="600"),
    ),
    ("note timeout", "no timeout", make_settings({}), make_settings({}, "cache")),
    ("note timeout", "no timeout", make_settings({}), make_settings({"ttl": "0"})),
    (
        "warning time-outs",
        "takes up to 66 s (3 attempts)",
        make_settings({"read_timeout": "20"}),
        make_settings({}),
    ),
    (
        "warning time-outs",
        "(9 attempts)",
        make_settings({"max_attempts": "9"}),
        make_settings({}),
    ),
    (
        "warning lock_wait",
        "waits up to 30 s",
        make_settings({"lock_wait": "30s"}, "cache"),
        make_settings({}, "cache"),
    ),
    (
        "note lock_lease",
        "waiting ones give up",
        make_settings({"lock_lease": "25s"}, "cache"),
        make_settings({"lock_lease": "25s"}),
    ),
    (
        "warning endpoint_url",
        "in the memory of one process",
        make_settings({"endpoint_url": "embedded"}),
        make_settings({"endpoint_url": "https://vpce.example.org"}),
    ),
    (
        "note endpoint_url",
        "on this machine",
        make_settings({"endpoint_url": "http://localhost:8000"}),
        make_settings({"endpoint_url": "embedded"}),
    ),
    (
        "warning endpoint_url",
        "without TLS",
        make_settings({"endpoint_url": "http://db.lan"}),
        make_settings({"endpoint_url": "http://localhost:8000"}),
    ),
    (
        "warning region",
        "AWS_REGION is 'eu-west-1', which boto3 ignores",
        in_environment({"region": None}, AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="us-east-1"),
        in_environment({}, AWS_REGION="eu-west-1"),
    ),
    (
        "warning region",
        "which boto3 ignores",
        in_environment({"region": None}, AWS_REGION="eu-west-1"),
        in_environment({"region": None}, AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="eu-west-1"),
    ),
    (
        "note table",
        "table_name, which is also an option of ext:database, names the table: 'db_session'",
        make_settings({"table": "db_session"}, table_name="db_session"),
        make_settings({"table": "mine"}, table_name="db_session", table="mine"),
    ),
    (
        "warning credentials",
        "an AWS key is in the configuration",
        make_settings({"aws_access_key_id": "a", "aws_secret_access_key": "b"}),
        make_settings({}),
    ),
    (
        "note on_conflict",
        "the later save wins",
        make_settings({"on_conflict": "overwrite"}),
        make_settings({}),
    ),
    ("note envelope", "never merged", make_settings({"envelope": "none"}), make_settings({})),
    (
        "note consistent_read",
        "before the redirect",
        make_settings({"consistent_read": "false"}),
        make_settings({}, "cache"),
    ),
    (
        "note special_keys",
        "userId: readable in the table",
        make_settings({"encryption_keys": KEY, "special_keys": "userId"}),
        make_settings({"special_keys": "userId"}),
    ),
    (
        "warning encryption_keys",
        "`plain` comes first",
        make_settings({"encryption_keys": f"plain {KEY}"}),
        make_settings({"encryption_keys": KEY}),
    ),
    (
        "warning encryption_required",
        "rows without encryption are read too",
        make_settings({"encryption_keys": KEY, "encryption_required": "false"}),
        make_settings({"encryption_keys": KEY}),
    ),
    (
        "note migrate_from",
        "still looked for in the old backend",
        make_settings({"migrate_from": "file", "migrate_from.data_dir": "data"}),
        make_settings({}),
    ),
    ("ok cookie", "the cookie is signed", make_settings({}, **SIGNED), make_settings({})),
    (
        "warning cookie",
        "is not signed",
        make_settings({"prefix": "shop:"}),
        make_settings({}, secret=SECRET[:16]),
    ),
    (
        "warning cookie",
        "(session.secret) has 10 characters",
        make_settings({}, secret=SHORT_SECRET),
        make_settings({}, **SIGNED),
    ),
    (
        "error cookie",
        "(session.secret) is a placeholder",
        make_settings({}, secret="replace me"),
        make_settings({}, secret=SHORT_SECRET),
    ),
    (
        "warning cookie",
        "(session.secret) is a placeholder",
        make_settings({"migrate_from": "ext:redis"}, secret="replace me by 64 hex digits"),
        make_settings({"migrate_from": "ext:redis"}, **SIGNED),
    ),
    (
        "error encrypt_key",
        "the key is a placeholder",
        make_settings({}, encrypt_key="change me"),
        make_settings({}, encrypt_key=SECRET),
    ),
    (
        "error comment",
        "session.key = 'sid # our cookie'",
        make_settings({}, key="sid # our cookie"),
        make_settings({}, key="sid#1", secret="a #b"),
    ),
    (
        "warning comment",
        "session.samesite = 'Lax ; or Strict'",
        make_settings({}, samesite="Lax ; or Strict"),
        make_settings({}, samesite="Lax"),
    ),
    (
        "warning cookie",
        "samesite is 'off', expected Lax, Strict or None",
        make_settings({}, samesite="off"),
        make_settings({}, samesite="Lax # or Strict"),
    ),
    (
        "error timeout",
        "0: every request begins a new session",
        make_settings({}, timeout="0"),
        make_settings({}, timeout=""),
    ),
    (
        "error timeout",
        "-1: every request begins a new session",
        make_settings({}, timeout=-1),
        make_settings({}),
    ),
    (
        "warning timeout",
        "31536000000 are 1,000 years: Beaker counts seconds",
        make_settings({}, timeout="31536000000"),
        make_settings({}, timeout="31536000"),
    ),
    # Worse than either alone: the default prefix without a signature.
    (
        "warning prefix",
        "accept each other's sessions",
        make_settings({}),
        make_settings({}, **SIGNED),
    ),
    (
        "warning prefix",
        "accept each other's sessions",
        make_settings({}),
        make_settings({"prefix": "shop:"}),
    ),
    (
        "warning cookie",
        "over plain http",
        make_settings({}, httponly="true"),
        make_settings({}, **FLAGS),
    ),
    (
        "warning cookie",
        "over plain http",
        make_settings({}, secure="no"),
        make_settings({"endpoint_url": "embedded"}),
    ),
    (
        "warning cookie",
        "JavaScript can read it",
        make_settings({}, secure="true"),
        make_settings({}, httponly="yes"),
    ),
    (
        "warning cookie",
        "samesite none",
        make_settings({}, **FLAGS, samesite="None"),
        make_settings({}, **FLAGS, samesite="Strict"),
    ),
    (
        "note max_age",
        "no longest lifetime",
        make_settings({}),
        make_settings({"max_age": "12h"}),
    ),
    (
        "error created_after",
        "in the future",
        make_settings({"created_after": "2999-01-01T00:00Z"}),
        make_settings({"created_after": "2026-01-01T00:00Z"}),
    ),
    (
        "error save_accessed_time",
        "contradicts session.timeout",
        make_settings({}, save_accessed_time="false", timeout="600"),
        make_settings({}, save_accessed_time="true", timeout="600"),
    ),
    (
        "note save_accessed_time",
        "touch_after has no effect",
        make_settings({}, save_accessed_time="false"),
        make_settings({}),
    ),
    (
        "warning encrypt_key",
        "makes sessions opaque",
        make_settings({}, encrypt_key="k"),
        make_settings({}),
    ),
    (
        "warning migrate_from",
        "its old copy stays in ext:redis",
        make_settings({"migrate_from": "ext:redis"}, encrypt_key="k"),
        make_settings({"migrate_from": "ext:redis"}),
    ),
    (
        "warning migrate_from",
        "its old copy stays in file",
        make_settings({"migrate_from": "file"}, encrypt_key="k"),
        make_settings({"migrate_from": "none"}, encrypt_key="k"),
    ),
    (
        "note serializer",
        "can run code here",
        make_settings({}),
        make_settings({}, data_serializer="json"),
    ),
    (
        "note serializer",
        "can run code here",
        make_settings({}, "cache"),
        make_settings({"serializer": "json"}, "cache"),
    ),
    (
        "note serializer",
        "can run code here",
        make_settings({}),
        make_settings({"encryption_keys": KEY}),
    ),
    (
        "error session_class",
        "expects a class here",
        make_settings({}, session_class="a.b:C"),
        make_settings({}, session_class=dict),
    ),
    (
        "note auto",
        "including robots",
        make_settings({}, auto="true"),
        make_settings({}, auto="false"),
    ),
    (
        "note invalidate_corrupt",
        "does not read 'false' in an ini file as off",
        make_settings({}, invalidate_corrupt="false"),
        make_settings({}, invalidate_corrupt="true"),
    ),
    (
        "note invalidate_corrupt",
        "off by default under pyramid_beaker",
        make_settings({}, framework="pyramid"),
        make_settings({}),
    ),
    (
        "note invalidate_corrupt",
        "off by default under pyramid_beaker",
        make_settings({}, framework="pyramid"),
        make_settings({}, framework="pyramid", invalidate_corrupt="true"),
    ),
)


def find_message(facts: Settings, part: str) -> list[Finding]:
    """Return the findings whose message has this part."""
    return [one for one in run_checks(list_checks(facts), facts) if part in one.message]


@pytest.mark.parametrize(("line", "part", "bad", "good"), CASES)
def test_a_setting_with_a_problem_is_reported_with_its_remedy(
    line: str, part: str, bad: Settings, good: Settings
) -> None:
    """The settings with the problem have the finding once, and the similar ones do not."""
    (found,) = find_message(bad, part)

    assert f"{found.severity} {found.check}" == line
    assert found.remedy or found.severity != "error"
    assert find_message(good, part) == []


def test_every_check_of_settings_has_a_case() -> None:
    """A check that is added without a case in this file fails here."""
    tables = (settings.URLS, SESSION, settings.CACHE, settings.OPTION_CHECKS)
    reported = {
        check
        for _, part, bad, _ in CASES
        for check in list_checks(bad)
        if any(part in one.message for one in run_checks([check], bad))
    }

    assert reported == {check for table in tables for check in table}


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("BEAKER_DYNAMODB_TABEL", "BEAKER_DYNAMODB_TABLE"),
        ("BEAKER_DYNAMO_TABLE", "BEAKER_DYNAMODB_TABLE"),
        ("beaker_dynamodb_region", "BEAKER_DYNAMODB_REGION"),
    ],
)
def test_a_misspelled_variable_is_reported_with_the_right_name(name: str, near: str) -> None:
    """Nothing reads it, and nothing else says so."""
    unknown = settings.find_unknown_variables([name, "BEAKER_DYNAMODB_URL", "PATH"])
    (found,) = run_checks(settings.VARIABLES, *unknown)

    assert (found.severity, found.remedy) == ("error", f'export {near}="${name}"; unset {name}')


def test_a_variable_that_resembles_none_is_to_be_unset() -> None:
    """There is no name near it to offer."""
    unknown = settings.find_unknown_variables(["BEAKER_DYNAMODB_ZZZZZZZZZZZZZZZZ"])
    (found,) = run_checks(settings.VARIABLES, *unknown)

    assert found.remedy == "unset BEAKER_DYNAMODB_ZZZZZZZZZZZZZZZZ"


@pytest.mark.parametrize(
    ("near", "severity", "remedy"),
    [
        ("session.timeout", "error", "rename session.time_out to session.timeout"),
        (None, "warning", "remove session.time_out"),
    ],
)
def test_a_setting_that_nothing_reads_is_reported(
    near: str | None, severity: str, remedy: str
) -> None:
    """It is an error if it resembles a known one, and else a warning."""
    (found,) = run_checks(settings.UNREAD, UnknownName("session.time_out", near))

    assert (found.severity, found.remedy) == (severity, remedy)


def test_a_library_that_is_too_old_is_reported() -> None:
    """The oldest versions are those that setup.py names."""
    new = (Package("Beaker", "1.14.0"), Package("boto3", "1.34.0"))
    old = (Package("Beaker", "1.13.0"), Package("boto3", "1.33.2"))

    assert list_problems(run_checks(settings.PACKAGES, *new)) == []
    assert [one.check for one in run_checks(settings.VERSIONS, new)] == ["versions"]
    assert list_problems(run_checks(settings.PACKAGES, *old)) == ["error versions"] * 2
    assert list(run_checks(settings.VERSIONS, old)) == []
    assert "is missing" in next(run_checks(settings.PACKAGES, Package("Beaker", ""))).message
    required = (Path(__file__).parents[2] / "setup.py").read_text("utf-8")
    for name, version in settings.OLDEST.items():
        assert f'"{name.lower()}>={".".join(map(str, version))}"' in required


def test_the_class_of_another_package_is_reported() -> None:
    """If two packages claim one name, chance decides which of them Beaker takes."""
    (found,) = run_checks(settings.BACKENDS, "dynamodb_beaker.DynamoDBManager")

    assert (found.severity, found.check) == ("error", "backend")
    assert "under the name ext:dynamodb: dynamodb_beaker.DynamoDBManager;" in found.message
