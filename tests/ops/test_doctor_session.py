"""The doctor on secrets that others know, on frameworks, and on remedies that log people out."""

from __future__ import annotations

import re
import secrets
import string
from pathlib import Path

import pytest

from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.ops.application import Application, load_application
from beaker_dynamodb.ops.doctor.check import Finding
from beaker_dynamodb.ops.doctor.examine import examine_store, gather_settings
from beaker_dynamodb.ops.doctor.session import RECIPES, find_framework, find_weakness
from beaker_dynamodb.runtime import REAL
from tests.ops.test_doctor_settings import SECRET

ROOT = Path(__file__).parents[2]
#: `session.secret = x` of an ini file, `"session.secret": "x"` and `"secret": "x"` of Python.
PUBLISHED = re.compile(
    r"""^#?\s*(?:beaker\.)?session\.secret\s*=\s*(.+)$|["'](?:session\.)?secret["']:\s*["'](.+?)["']""",
    re.MULTILINE,
)


def list_published() -> list[str]:
    """Return every secret in our documents and examples."""
    files = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.*")]
    texts = [file.read_text("utf-8") for file in files if file.suffix in {".md", ".ini", ".py"}]
    found = {"".join(pair) for text in texts for pair in PUBLISHED.findall(text)}
    return sorted(one for one in found if not one.startswith("os.environ"))


def test_a_secret_of_our_documents_is_known_to_everybody() -> None:
    """A secret that is added to a document, and is not recognized, fails here."""
    published = list_published()

    assert len(published) >= 5
    assert [one for one in published if not find_weakness(one)] == []


@pytest.mark.parametrize(
    "secret",
    [
        "<output of: openssl rand -hex 32>",
        "replace me by 64 hex digits",
        "8C1F0E5D2B7A49C3A1F4D6E8B9075C21",
        "change me",
        "CHANGEME",
        "please-change-this-in-production",
        "secret",
        "itsaseekreet",
        "somesecret-for-the-cookie",
        "{app_instance_uuid}-cookies",
        "${SESSION_SIGNING_KEY}",
        "%(session_signing_key)s",
        "$(openssl rand -hex 32)",
        "your key here, 32 letters",
        "a" * 64,
        "aaaaaaaaaaaaaaab",
        "0123456789abcdef0123456789abcdef",
        "q7w9q7w9q7w9q7w9",
        "abcdefghijklmnopqrstuvwxyz",
        "98765432109876543",
        "x7Gq2pV",
    ],
)
def test_a_placeholder_is_no_secret(secret: str) -> None:
    """The reason shows nothing of it."""
    reason = find_weakness(secret)

    assert reason
    assert secret not in reason


def test_a_drawn_secret_is_accepted() -> None:
    """Whatever it was drawn by: hex digits, base64, all that a keyboard has."""
    keyboard = string.ascii_letters + string.digits + string.punctuation
    draws = (
        secrets.token_hex,
        secrets.token_urlsafe,
        lambda number: "".join(secrets.choice(keyboard) for _ in range(number)),
    )
    drawn = [draw(length) for draw in draws for length in (16, 32) for _ in range(500)]

    assert [one for one in drawn if find_weakness(one)] == []
    assert find_weakness("correct horse battery staple exchange") == ""


def test_every_run_draws_another_secret(ini: str) -> None:
    """The remedy can be pasted as it is, by everybody."""
    application = load_application(ini)
    first, second = (gather_settings(application, ini, {}, REAL).new_secret for _ in range(2))

    assert first != second
    assert re.fullmatch(r"[0-9a-f]{64}", first)


def examine_settings(**settings: str) -> list[Finding]:
    """Return the findings of an application that is not reached, without those of a network."""
    names = ("migrate_from", "encryption_keys", "encryption_required", "envelope")
    options = {name: settings[name] for name in names if name in settings}
    base = {"endpoint_url": "http://127.0.0.1:1", "max_attempts": "1", "region": "eu-central-1"}
    application = Application(parse(base | options, "session"), settings)
    return list(examine_store(application, read_only=True, environ={}))


@pytest.mark.parametrize(
    ("settings", "whom"),
    [
        ({"secret": "replace me by 64 hex digits"}, "everybody"),
        ({"secret": "9f0c41e7ab"}, "everybody"),
        ({}, "everybody"),
        ({"secret": SECRET, "encrypt_key": "replace me"}, "everybody"),
        ({"secret": SECRET}, "visitors who were away for an hour"),
        (
            {"secret": SECRET, "samesite": "None"},
            "visitors within a frame or a form of another site",
        ),
        (
            {"secret": SECRET, "timeout": "3600000000"},
            "visitors who were away for longer than that",
        ),
        (
            {"encryption_keys": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
            | {"encryption_required": "false"},
            "visitors whose sessions are not encrypted yet",
        ),
    ],
)
def test_a_remedy_that_logs_people_out_says_so_and_waits_for_a_migration(
    settings: dict[str, str], whom: str
) -> None:
    """The sessions that it would cost are those that are being migrated."""
    costly = [one for one in examine_settings(**settings) if one.logs_out == whom]
    migrating = examine_settings(**settings, migrate_from="file", data_dir="x")

    assert costly
    assert all(one.remedy for one in costly)
    for one in costly:
        (same,) = [other for other in migrating if other.message.startswith(f"{one.message}; ")]
        assert (same.remedy, same.logs_out) == ("", "")
        assert f"no remedy is offered, for it would log out {whom}" in same.message
    assert {one.logs_out for one in migrating} == {""}


def test_during_a_migration_a_published_secret_stops_no_deployment() -> None:
    """It can be changed only when the migration is over."""
    (found,) = [
        one
        for one in examine_settings(secret="replace me", migrate_from="file")
        if "placeholder" in one.message
    ]

    assert found.severity == "warning"


@pytest.mark.parametrize(
    ("section", "lines", "has_pyramid", "framework"),
    [
        ("app:main", {"pyramid.includes": "pyramid_tm\npyramid_beaker"}, False, "pyramid"),
        ("app:main", {"use": "egg:shop"}, True, "pyramid"),
        ("app:main", {"use": "call:shop:main"}, True, "pyramid"),
        ("app:main", {"paste.app_factory": "shop:main"}, True, "pyramid"),
        ("app:main", {"use": "egg:shop"}, False, "other"),
        ("app:main", {}, True, "other"),
        ("", {}, True, "other"),
        ("filter:session", {"use": "egg:Beaker#beaker_session"}, True, "paste"),
        ("filter:session", {"paste.filter_factory": "shop:sessions"}, True, "paste"),
        ("app:main", {"use": "egg:beaker-dynamodb#main"}, True, "paste"),
    ],
)
def test_the_framework_is_recognized_by_the_section(
    section: str, lines: dict[str, str], has_pyramid: bool, framework: str
) -> None:
    """It decides which recipe for StrictSession has an effect."""
    assert find_framework(section, lines, has_pyramid=has_pyramid) == framework


@pytest.mark.parametrize(
    ("head", "recipe"),
    [
        ("[app:main]\nuse = egg:shop\npyramid.includes = pyramid_beaker\n", RECIPES["pyramid"]),
        ("[filter:session]\nuse = egg:Beaker#beaker_session\n", RECIPES["paste"]),
        ("[app:main]\n", RECIPES["other"]),
    ],
)
def test_the_recipe_is_the_one_of_the_framework(ini: str, head: str, recipe: str) -> None:
    """Another one would leave the old cookie logged in after a logout."""
    text = Path(ini).read_text().replace("[app:main]\n", f"{head}session.auto = true\n")
    Path(ini).write_text(text)
    found = list(examine_store(load_application(ini), config=ini, environ={}))

    assert [one.remedy for one in found if one.check == "auto"] == [recipe]


def test_the_own_filter_needs_no_recipe(ini: str) -> None:
    """It makes StrictSession the session class, so nothing is left to say."""
    lines = f"session.auto = true\nsession.encrypt_key = {SECRET}\nsession.session_class = a.b:C\n"
    heads = ("[app:main]\n", "[filter:session]\nuse = egg:beaker-dynamodb\n")
    text = Path(ini).read_text()
    topics = []
    for head in heads:
        Path(ini).write_text(text.replace("[app:main]\n", head + lines))
        found = examine_store(load_application(ini), config=ini, environ={})
        topics.append({one.check for one in found} & {"auto", "encrypt_key", "session_class"})

    assert topics == [{"auto", "encrypt_key", "session_class"}, set()]
