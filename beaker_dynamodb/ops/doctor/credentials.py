"""Check the AWS credentials, region and endpoint, and whether the clocks agree.

Facts: the identity of the client, the server's clock, and ours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from beaker_dynamodb.config.parsers import find_nearest
from beaker_dynamodb.dynamodb.diagnostics import Identity
from beaker_dynamodb.dynamodb.wire.transport import Transport
from beaker_dynamodb.ops.doctor.finding import Finding

#: Seconds: AWS refuses older signatures; a tenth of that shows a clock that drifts.
_REFUSED: Final = 300.0
_DRIFTING: Final = 30.0
#: botocore renews temporary credentials this long before their end (botocore/credentials.py).
_RENEWED: Final = 600.0
_LASTING: Final = frozenset(
    {"explicit", "env", "shared-credentials-file", "config-file", "boto-config"}
)
#: What botocore calls the places that people write keys into.
_PLACES: Final = {
    "explicit": "in the options",
    "env": "in the environment",
    "shared-credentials-file": "in AWS's credentials file",
    "config-file": "in AWS's config file",
}


def credentials(who: Identity, now: float, *, local: bool) -> Iterator[Finding]:
    """Whether there are credentials, from which source, and until when."""
    if not who.provider:
        yield Finding(
            "error",
            "credentials",
            "none found: neither in the options, the environment, AWS's files, nor from a role",
            "attach a role; or export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...",
        )
    elif who.expires is not None and who.expires <= now:
        yield Finding(
            "error",
            "credentials",
            f"the credentials of {who.provider} have expired, and were not renewed",
            "aws sso login, or check the role of the machine",
        )
    elif who.expires is not None:
        minutes = (who.expires - now) / 60
        soon = who.expires - now < _RENEWED
        yield Finding(
            "warning" if soon else "ok",
            "credentials",
            f"{_found(who)}, valid for {minutes:,.0f} minutes"
            + (": they should have been renewed by now" if soon else ", then renewed"),
            "check the credential provider" if soon else "",
        )
    elif who.provider in _LASTING and not local:
        yield Finding(
            "note",
            "credentials",
            f"{_found(who)}: a long-lived key; with a role you need none",
            "attach a role, and remove the key",
        )
    else:
        yield Finding("ok", "credentials", _found(who))


def _found(who: Identity) -> str:
    return f"found {_PLACES.get(who.provider, f'by provider {who.provider}')}"


def place(
    who: Identity, regions: Collection[str] = (), *, own: str | None = None
) -> Iterator[Finding]:
    """Where the calls go.

    Args: *regions* are those that boto3 knows; *own* is an endpoint that was configured.
    """
    if own is None and regions and who.region not in regions:
        near = find_nearest(who.region, regions)
        meant = f"; did you mean {near!r}?" if near else ""
        yield Finding(
            "warning",
            "region",
            f"boto3 does not know {who.region!r}{meant}",
            f"region = {near}" if near else "pip install -U boto3, if the region is new",
        )
    else:
        yield Finding("ok", "region", who.region)
    yield Finding("ok", "endpoint", who.endpoint)


def transport(current: Transport) -> Iterator[Finding]:
    """What carries a call, and why."""
    yield Finding("ok", "transport", f"{current.name}: {current.reason}")


def clock(theirs: float | None, ours: float) -> Iterator[Finding]:
    """A wrong clock makes AWS refuse, and makes sessions expire early or late."""
    if theirs is None:
        yield Finding("note", "clock", "the server did not send its time")
        return
    off = ours - theirs
    words = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the server's"
    remedy = "timedatectl set-ntp true"
    if abs(off) >= _REFUSED:
        yield Finding("error", "clock", f"{words}: AWS refuses such calls", remedy)
    elif abs(off) >= _DRIFTING:
        yield Finding(
            "warning", "clock", f"{words}: sessions expire too early or too late by that", remedy
        )
    else:
        yield Finding("ok", "clock", "agrees with the server's, to about a second")
