"""What the operators' tests share: an application with an empty table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.ops import logout
from tests.ops.example_apps import IDENT, ExampleApp, Run
from tests.servers import KEY, REGION

INI = """
[app:main]
session.type = ext:dynamodb
session.url = dynamodb://{region}/{table}?range_key=part
session.endpoint_url = {url}
session.aws_access_key_id = {key}
session.aws_secret_access_key = {key}
session.secret = f2c7a41f0f6c3d0f0f2d4be1a9e8b0d1c0c86a7d8f5d7c0c29d4d7b7e3b6a59e
session.prefix = shop:
session.timeout = 3600
session.httponly = true
session.data_serializer = json
session.invalidate_corrupt = true
cache.type = ext:dynamodb
cache.table = {table}
cache.region = {region}
cache.endpoint_url = {url}
cache.range_key = part
"""


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait between two queries of an index."""
    monkeypatch.setattr(logout, "PAUSE", 0)


@pytest.fixture(params=["hash", "range"])
def site(request: pytest.FixtureRequest, dynamodb_local: str, table_name: str) -> ExampleApp:
    """Return an application with its table, in both layouts of keys."""
    ranged = {"range_key": "part"} if request.param == "range" else {}
    return ExampleApp.create(dynamodb_local, table_name, compress="false", **ranged)


@pytest.fixture
def shop(dynamodb_local: str, table_name: str) -> ExampleApp:
    """Return an application with three live sessions of two users, and an expired one."""
    made = ExampleApp.create(dynamodb_local, table_name)
    made.save(IDENT, json=True, userId=42, visits=3, name="<Ann>")
    made.save("b" * 32, userId=42)
    made.save("c" * 32, userId=7)
    made.expire("gone", userId=42)
    return made


@pytest.fixture
def run(
    shop: ExampleApp, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Return a function that runs a command on it in this process, without pauses."""
    monkeypatch.setattr(logout, "PAUSE", 0)

    def ran(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(shop.argv("sessions", *words))
        out, err = capsys.readouterr()
        return code, out, err

    return ran


@pytest.fixture(name="ini")
def ini_(dynamodb_local: str, table_name: str, tmp_path: Path) -> str:
    """Write an application's valid ini file."""
    path = tmp_path / "production.ini"
    path.write_text(INI.format(region=REGION, table=table_name, url=dynamodb_local, key=KEY))
    return str(path)


@pytest.fixture
def ini_with_table(ini: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Create its table too."""
    assert main(["table", "create", "-c", ini, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    return ini


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Answer questions as a person at a terminal would."""

    def type_answer(answer: str) -> None:
        class Terminal:
            def isatty(self) -> bool:
                return True

        monkeypatch.setattr("sys.stdin", Terminal())
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: answer)

    return type_answer


@pytest.fixture
def make_fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[object, str, BaseException], None]:
    """Let a function do its work twice, and then fail."""

    def fail(where: object, name: str, error: BaseException) -> None:
        original, turns = getattr(where, name), iter(range(9))

        def failed(*args: Any) -> Any:
            if next(turns) == 2:
                raise error
            return original(*args)

        monkeypatch.setattr(where, name, failed)

    return fail
