"""What an operator may ask of a table beyond its keys: tags, backups, protection, a key, ceilings.

Pure: values in, AWS's words out. What was not asked for is None, and is left as it is; nothing
of this is an application's business, so no option holds it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Final

from beaker_dynamodb.errors import OptionError

#: AWS: Working with on-demand capacity mode, "Maximum throughput"; the least that it takes.
_LEAST_UNITS: Final = 1
#: AWS: API_Tag.
_LONGEST_TAG: Final = (128, 256)
#: The word that asks for AWS's own key of the account, which costs by the call.
AWS_MANAGED: Final = "alias/aws/dynamodb"


@dataclass(frozen=True, slots=True)
class Features:
    """What is asked of a table; None is "as it is".

    `recovery`: to any second of the last 35 days. `key`: of KMS, by id, ARN or alias; without one
    AWS encrypts by a key of its own, for nothing. `most_reads` and `most_writes` are units a
    second above which an on-demand table throttles: a ceiling of the bill.
    """

    tags: tuple[tuple[str, str], ...] = ()
    recovery: bool | None = None
    protection: bool | None = None
    key: str | None = None
    most_reads: int | None = None
    most_writes: int | None = None

    def __post_init__(self) -> None:
        """Refuse what AWS would refuse only after the table was made."""
        for number in (self.most_reads, self.most_writes):
            if number is not None and number < _LEAST_UNITS:
                raise OptionError(f"a limit of {number} units; expected {_LEAST_UNITS} or more")
        for name, value in self.tags:
            if not name or any(map(int.__gt__, (len(name), len(value)), _LONGEST_TAG)):
                raise OptionError(
                    f"tag {name[:40]!r}: expected a name of 1 to {_LONGEST_TAG[0]} characters and"
                    f" a value of up to {_LONGEST_TAG[1]}"
                )

    @property
    def ceilings(self) -> tuple[int | None, int | None] | None:
        """The ceilings of reads and writes, None if none is asked for."""
        both = (self.most_reads, self.most_writes)
        return None if both == (None, None) else both

    def flags(self) -> list[str]:
        """Write what `table create` is told on the command line."""
        words = [f"--tag {shlex.quote(f'{name}={value}')}" for name, value in self.tags]
        for flag, asked in (
            ("point-in-time-recovery", self.recovery),
            ("deletion-protection", self.protection),
        ):
            words += [] if asked is None else [f"--{'' if asked else 'no-'}{flag}"]
        words += [f"--kms-key {shlex.quote(self.key)}"] if self.key else []
        words += [f"--max-read-units {self.most_reads}"] if self.most_reads else []
        words += [f"--max-write-units {self.most_writes}"] if self.most_writes else []
        return words

    def to_create_request(self) -> dict[str, Any]:
        """Write the part of CreateTable's request. Recovery cannot be part of it."""
        request: dict[str, Any] = {}
        if self.protection is not None:
            request["DeletionProtectionEnabled"] = self.protection
        if self.ceilings:
            request["OnDemandThroughput"] = self.to_ceilings()
        if self.key:
            named = {} if self.key == AWS_MANAGED else {"KMSMasterKeyId": self.key}
            request["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", **named}
        return request

    def to_ceilings(self) -> dict[str, int]:
        """Write the ceilings as AWS names them."""
        both = (
            ("MaxReadRequestUnits", self.most_reads),
            ("MaxWriteRequestUnits", self.most_writes),
        )
        return {name: units for name, units in both if units is not None}

    def to_tags(self) -> list[dict[str, str]]:
        """Write the tags as AWS does."""
        return [{"Key": name, "Value": value} for name, value in self.tags]


#: Nothing asked for.
NONE: Final = Features()
