"""The tables of the house: its walls and rooms, its sizes, and the words it does not use.

A new file or folder is entered here first. docs/architecture.md says why each wall stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = "beaker_dynamodb"
PACKAGE = ROOT / OURS


@dataclass(frozen=True)
class Wall:
    """One row of the table of walls; places are files, or folders with a slash at the end."""

    places: tuple[str, ...]
    never: tuple[str, ...]
    why: str
    but: tuple[str, ...] = ()


WALLS = (
    Wall(
        ("item/",),
        tuple(
            "boto3 botocore beaker time os random secrets uuid threading"
            " beaker_dynamodb.options beaker_dynamodb.sources beaker_dynamodb.store"
            " beaker_dynamodb.ops".split()
        ),
        "every law about bytes and merges is testable without a server, a clock or luck",
    ),
    Wall(
        ("store/",),
        ("beaker", "beaker_dynamodb.manager", "beaker_dynamodb.ops"),
        "the door does not know who knocks",
    ),
    Wall(
        tuple(
            "manager.py keepers.py sessions.py succession.py migrating.py former.py caches.py"
            " saving.py outage.py rows.py notices.py brackets.py cooldown.py serializers.py"
            " surroundings.py".split()
        ),
        ("boto3", "botocore", "beaker_dynamodb.ops"),
        "Beaker's verbs, our words, no AWS",
    ),
    Wall(
        ("ops/",),
        (
            "boto3",
            "botocore",
            "beaker_dynamodb.manager",
            "beaker_dynamodb.sessions",
            "beaker_dynamodb.succession",
            "beaker_dynamodb.saving",
            "beaker_dynamodb.migrating",
            "beaker_dynamodb.outage",
            "beaker_dynamodb.caches",
        ),
        "operators use the same door",
    ),
    Wall(
        ("",),
        ("boto3", "botocore"),
        "one place to make a client, one place to be fork-safe",
        but=("store/client.py",),
    ),
)

#: Which rooms a room may import from, itself apart. A new file or folder is entered here first.
DOOR = "store item options surroundings errors"
ROWS = f"rows sources serializers notices {DOOR}"
ROOMS: Mapping[str, frozenset[str]] = {
    room: frozenset(below.split())
    for room, below in {
        # The ground
        "errors": "",
        "notices": "errors",
        "surroundings": "",
        "casts": "errors",
        "options": "casts errors",
        "urls": "casts errors",
        "contradictions": "options errors",
        "sources": "options casts contradictions urls errors",
        "item": "errors",
        "store": "surroundings notices item options errors",
        "serializers": "item errors",
        "rows": f"sources serializers {DOOR}",
        # The side of the requests
        "outage": "errors",
        "brackets": "",
        "cooldown": "store",
        "strict": "item errors notices",
        "paste_filter": "strict errors",
        "saving": f"notices rows {DOOR}",
        "former": "item errors",
        "migrating": f"former {ROWS}",
        "sessions": f"saving outage migrating {ROWS}",
        "caches": f"brackets cooldown {ROWS}",
        "keepers": f"sessions caches former casts {ROWS}",
        "succession": f"sessions {ROWS}",
        "manager": f"keepers sessions succession brackets {ROWS}",
        "__init__": f"manager keepers strict cooldown {ROWS}",
        # The side of the operators
        "ops": f"former {ROWS}",
        "ops/cli": f"ops demo casts {ROWS}",  # the command line alone may start the demo
        # The demo is an application: it knocks at the face, and shows what stands in the table.
        "demo": f"__init__ {ROWS}",
        "__main__": "ops ops/cli errors",
        # The tests of other applications import it, and nothing of ours does.
        "testing": f"__init__ strict {ROWS}",
    }.items()
}
REQUEST_SIDE = (
    "__init__ manager keepers sessions succession saving outage migrating caches brackets"
    " cooldown strict paste_filter".split()
)

LAW_LINES = range(2, 7)  # two to five by habit; one more before it breaks
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 40  # about 30 by habit; this is where it breaks
DRAWERS = frozenset("util utils helper helpers common base core service services".split())
LEFTOVERS = re.compile(r"\b(?:TODO|FIXME|NotImplementedError)\b")

#: AWS's names of one hump that stand as keys in requests and replies.
AWS_WORDS = frozenset(
    "Attributes Code Count Error Item Items Key Keys Limit Message Projection Responses Segment"
    " Select Table".split()
)
#: They print AWS's own documents.
DATA_OF_AWS = frozenset({"ops/templates.py", "ops/cloudformation.py"})
HUMPS = re.compile(r"[A-Z][A-Za-z]*[a-z][A-Z][A-Za-z]*|[A-Z]{2,}[a-z][A-Za-z]*")
FACE = frozenset(
    "DynamoDBNamespaceManager StrictSession configure reset observe __version__".split()
)
UNLOADED = (
    "boto3 botocore click rich moto pytest cryptography isal beaker_dynamodb.ops"
    " beaker_dynamodb.demo beaker_dynamodb.testing beaker_dynamodb.keepers beaker_dynamodb.options"
    " beaker_dynamodb.sources beaker_dynamodb.store".split()
)
