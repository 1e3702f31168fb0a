"""The laws of the house: each is a pure function of a file's place and text.

So a small offending text proves that a law can fail.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from tests.house.walls import (
    AWS_WORDS,
    DATA_OF_AWS,
    DRAWERS,
    FACE,
    HUMPS,
    LAW_LINES,
    LEFTOVERS,
    MOST_LINES,
    MOST_LINES_OF_A_FUNCTION,
    OURS,
    ROOMS,
    WALLS,
)

#: Each law takes a file's place, such as "item/keys.py", and its text; it yields the breaches.
Law = Callable[[str, str], Iterable[str]]


def module_of(place: str) -> str:
    """Turn a place such as `item/keys.py` into the dotted name that is imported."""
    parts = [OURS, *place.removesuffix(".py").split("/")]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(place: str) -> str | None:
    """Find the room of a place: its own row of ROOMS, else its folder's; None if it has none."""
    parts = place.removesuffix(".py").removesuffix("/__init__").split("/")
    longest = ("/".join(parts[:depth]) for depth in range(len(parts), 0, -1))
    return next((room for room in longest if room in ROOMS), None)


def imports(place: str, text: str) -> Iterator[tuple[int, str, str | None]]:
    """Yield line, module and name of each import, wherever it stands, relative ones resolved."""
    package = module_of(place)
    if not place.endswith("__init__.py"):
        package = package.rpartition(".")[0]

    def absolute(name: str, level: int) -> str:
        if level == 0:
            return name
        above = package.split(".")
        above = above[: len(above) - (level - 1)]
        return ".".join([*above, *([name] if name else [])])

    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield node.lineno, alias.name, None
            case ast.ImportFrom(module=module, names=names, level=level):
                for alias in names:
                    yield node.lineno, absolute(module or "", level), alias.name
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str() as name), *_],
            ):
                level = len(name) - len(name.lstrip("."))
                yield node.lineno, absolute(name.lstrip("."), level), None


def is_under(module: str, top: str) -> bool:
    """Say whether a module is *top* or stands inside it."""
    return module == top or module.startswith(f"{top}.")


def stands_in(place: str, where: str) -> bool:
    """Say whether a place is a file of the table of walls, or in a folder of it ("" is all)."""
    return place == where or (not where.endswith(".py") and place.startswith(where))


def keeps_the_walls(place: str, text: str) -> Iterator[str]:
    """No place imports what its row of the table of walls forbids."""
    for wall in WALLS:
        if place in wall.but or not any(stands_in(place, where) for where in wall.places):
            continue
        for line, module, name in imports(place, text):
            full = f"{module}.{name}" if name else module
            for never in wall.never:
                if is_under(full, never):
                    yield f"line {line}: {place} imports {never}, but {wall.why}"


def target_of(module: str, name: str | None) -> str | None:
    """Find the room that an import of ours reaches; None for what is not ours.

    `from beaker_dynamodb import casts` reaches casts; `import configure` from there, the face.
    """
    if not is_under(module, OURS):
        return None
    inside = module.split(".")[1:]
    if not inside and (name is None or name in FACE or not name.islower()):
        return "__init__"
    parts = [*inside, *([name] if name else [])]
    longest = ("/".join(parts[:depth]) for depth in range(len(parts), 0, -1))
    return next((room for room in longest if room in ROOMS), parts[0])


def imports_downwards(place: str, text: str) -> Iterator[str]:
    """A room imports from its own and from those below it."""
    here = room_of(place)
    if here is None:
        yield f"line 1: {place} has no room; enter it in ROOMS, with what it may import"
        return
    for line, module, name in imports(place, text):
        there = target_of(module, name)
        if there is not None and there != here and there not in ROOMS[here]:
            yield f"line {line}: {here} imports {there}, which is not below it"


def opens_with_its_law(place: str, text: str) -> Iterator[str]:
    """A file opens with two to five lines: what lives here, and what may never come here."""
    law = ast.get_docstring(ast.parse(text)) or ""
    lines = sum(1 for line in law.splitlines() if line.strip())
    drawn = place == "errors.py" and lines >= LAW_LINES.start  # it draws the tree
    if lines not in LAW_LINES and not drawn:
        yield f"line 1: a law of {lines} lines"


def is_short(place: str, text: str) -> Iterator[str]:
    """A file has up to 400 lines, and a function up to 40."""
    if (lines := len(text.splitlines())) > MOST_LINES:
        yield f"line {lines}: {place} has {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MOST_LINES_OF_A_FUNCTION:
                yield f"line {node.lineno}: {node.name} has {lines} lines"


def is_no_drawer(place: str, _text: str) -> Iterator[str]:
    """No file and no folder is named after nothing in particular."""
    for part in place.removesuffix(".py").split("/"):
        if part.strip("_") in DRAWERS:
            yield f"line 1: {part} is a drawer, not a room"


def is_of_aws(word: str, *, in_a_call: bool = False) -> bool:
    """Say whether a word is one of AWS's: a key of a request or a reply, or a parameter."""
    if word in FACE:
        return False
    return bool(HUMPS.fullmatch(word)) or word in AWS_WORDS or (in_a_call and word[:1].isupper())


def keys_and_parameters(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield each constant text that is used as a key, and each keyword of a call (True)."""
    for node in ast.walk(ast.parse(text)):
        keys: list[ast.expr | None] | list[ast.expr] = []
        match node:
            case ast.keyword(arg=str() as name):
                yield node.value.lineno, name, True
            case ast.Dict(keys=keys) | ast.MatchMapping(keys=keys):
                pass
            case ast.Subscript(slice=key):
                keys = [key]
            case ast.Compare(left=key, ops=[ast.In() | ast.NotIn(), *_]):
                keys = [key]
            case ast.Call(func=ast.Attribute(attr="get" | "pop" | "setdefault"), args=[key, *_]):
                keys = [key]
        for word in keys:
            if isinstance(word, ast.Constant) and isinstance(word.value, str):
                yield word.lineno, word.value, False


def leaves_camel_case_at_the_door(place: str, text: str) -> Iterator[str]:
    """AWS's names stay in store/; the templates of ops/ are data."""
    if place.startswith("store/") or place in DATA_OF_AWS:
        return
    for line, word, in_a_call in keys_and_parameters(text):
        if is_of_aws(word, in_a_call=in_a_call):
            yield f"line {line}: {word} is AWS's word"


def is_finished(place: str, text: str) -> Iterator[str]:
    """No line says that something is still to come."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := LEFTOVERS.search(line):
            yield f"line {number}: {found[0]} in {place}"


LAWS: tuple[Law, ...] = (
    keeps_the_walls,
    imports_downwards,
    opens_with_its_law,
    is_short,
    is_no_drawer,
    leaves_camel_case_at_the_door,
    is_finished,
)
