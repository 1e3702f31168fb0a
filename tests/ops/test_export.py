"""What is stored of a user can be handed out, and no session's code runs for that."""

from __future__ import annotations

import json

import pytest

from tests.ops.example_apps import ExampleApp, Run

RAN: list[str] = []


class Loud:
    """An object whose class would notice that it is opened."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return RAN.append, ("opened",)


@pytest.mark.parametrize("is_json", [False, True])
def test_a_users_sessions_are_exported_with_their_values(
    is_json: bool, shop: ExampleApp, run: Run
) -> None:
    """Nested values are in JSON only: of a pickle they would have to be opened."""
    shop.save("a", json=is_json, userId=99, basket=["tea"], name="Ann")
    shop.save("b", json=is_json, userId=7)

    code, out, _ = run("export", "userId=99")

    (line,) = out.splitlines()
    values = {n: v for n, v in json.loads(line)["values"].items() if not n.startswith("_")}
    assert code == 0
    assert values == {"userId": 99, "basket": ["tea"] if is_json else "...", "name": "Ann"}


def test_no_code_of_a_session_runs(shop: ExampleApp, run: Run) -> None:
    """An object in it is not opened."""
    shop.save("a", userId=99, loud=Loud())
    RAN.clear()

    code, out, _ = run("export", "userId=99")

    assert (code, json.loads(out)["values"]["loud"], RAN) == (0, "...", [])


def test_a_user_without_sessions_is_an_answer(shop: ExampleApp, run: Run) -> None:
    """With the exit code of no."""
    code, out, err = run("export", "userId=99")

    assert (code, out) == (1, "")
    assert "userId" in err
