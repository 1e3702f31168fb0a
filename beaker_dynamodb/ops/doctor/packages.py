"""What the doctor checks of the installed packages: their versions, and the backend's class.

The tables are walked by `examine.py` in the order of this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from beaker_dynamodb.ops.doctor.check import Check

#: The oldest versions that the tests run with; setup.py requires the same.
OLDEST: Final[Mapping[str, tuple[int, ...]]] = {"Beaker": (1, 14), "boto3": (1, 34)}
#: The class that Beaker must find under the name `ext:dynamodb`.
BACKEND: Final = "beaker_dynamodb.manager.DynamoDBNamespaceManager"


@dataclass(frozen=True, slots=True)
class Package:
    """A package and its version, "" if it is not installed."""

    name: str
    version: str

    @property
    def oldest(self) -> str:
        """The oldest version that is supported, "" for any."""
        return ".".join(map(str, OLDEST.get(self.name, ())))

    @property
    def is_old(self) -> bool:
        """Whether it is older than that, or not installed."""
        parts = (self.version or "0").split(".")[:2]
        numbers = tuple(int("".join(filter(str.isdigit, part)) or 0) for part in parts)
        return numbers < OLDEST.get(self.name, ())


# A row of a table is read as one: the formatter would break it at every comma.
# fmt: off

VERSIONS: Final[tuple[Check[tuple[Package, ...]], ...]] = (
    Check("ok", "versions", lambda f: not any(package.is_old for package in f),
          lambda f: ", ".join(f"{package.name} {package.version}" for package in f)),
)

PACKAGES: Final[tuple[Check[Package], ...]] = (
    Check("error", "versions", lambda f: f.is_old,
          lambda f: f"{f.name} {f.version or 'is missing'}: this package needs {f.oldest} or later",
          lambda f: f"pip install '{f.name}>={f.oldest}'"),
)

#: Of the full name of the class that Beaker finds, or "".
BACKENDS: Final[tuple[Check[str], ...]] = (
    Check("ok", "backend", lambda f: f == BACKEND, "Beaker finds ext:dynamodb"),
    Check("error", "backend", lambda f: f not in {BACKEND, ""},
          lambda f: f"Beaker finds a class of another package under the name ext:dynamodb: {f};"
          " uninstall that package"),
    Check("error", "backend", lambda f: not f,
          "Beaker does not find ext:dynamodb, and raises KeyError at the first session: Beaker is"
          " older than 1.14, or this package is on the path but not installed",
          "pip install -U 'Beaker>=1.14' beaker-dynamodb"),
)
# fmt: on
