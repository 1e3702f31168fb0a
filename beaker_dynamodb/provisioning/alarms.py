"""The CloudWatch alarms of a table: what they watch, when they fire, and why then.

Pure functions of the options. `templates.py` prints the alarms, docs/operations.md shows them. An
alarm whose dimensions are not exactly those of its metric finds no data and never fires.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.provisioning import iam
from beaker_dynamodb.provisioning.spec import TableSpec, table_spec

NAMESPACE: Final = "AWS/DynamoDB"
_MINUTE: Final = 60
_DAY: Final = 86400
#: Milliseconds inside DynamoDB. An operation on one item takes a few; a batch moves up to 16 MB.
_SLOW_ITEM, _SLOW_BATCH = 100, 500
#: The operations that read or write one item.
_SINGLE: Final = frozenset({"GetItem", "PutItem", "DeleteItem"})
#: The operations of `UserSessions`, and of a cache that is cleared.
_QUERIES: Final = frozenset({"Query", "BatchGetItem"})
#: Refused writes in 5 minutes below which their share says nothing, and the share in percent.
_MIN_REFUSED, _MAX_SHARE = 30, 20
_TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}")

_SERVER_ERRORS: Final = (
    "DynamoDB answers 5xx: {}. Calls are repeated, so single errors are invisible; errors in 3 of 5"
    " minutes are an outage."
)
_OUTAGE: Final = "pages that need the session are errors, nobody is logged out"
_CACHE_OUTAGE: Final = "caches are bypassed (or raise, under cache_errors = raise)"
_THROTTLED: Final = (
    "A limit, provisioned units or one hot row refuses {}; the application's errors say which"
    " (throttled by). Calls are repeated, so a short burst is invisible; 3 of 5 minutes are more"
    " than that."
)
_SLOW: Final = "{} {} in DynamoDB; {} ms at p99 for 5 minutes are felt."
_PAGES: Final = "Every page waits for its session once."
_CACHED_PAGES: Final = "Each use of a cached value waits for it."
_USER_PAGES: Final = "Pages that list or end a user's sessions wait for it."
_CLEARING: Final = "Whoever clears a cache waits for it."
_BATCH: Final = "Up to 100 rows take tens of milliseconds"
_REFUSED: Final = (
    f"More than {_MAX_SHARE} percent of the writes are refused because requests of one session"
    " overlap: look for a page that sends many at once. Each is merged and written again, which"
    f" costs a second write. Some are normal: fewer than {_MIN_REFUSED} in 5 minutes are ignored."
)
_NO_DELETIONS: Final = (
    "TTL is off or on another attribute: the table grows. DynamoDB deletes within days, so one day"
    " without deletions is normal. A new table fires until its first rows have expired."
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the table. `dimensions` do not include the table's name."""

    name: str
    statistic: str = "Sum"
    dimensions: tuple[tuple[str, str], ...] = ()

    @property
    def is_percentile(self) -> bool:
        """Whether the statistic is a percentile, such as p99."""
        return self.statistic.startswith("p")


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm: it fires if a value is on the wrong side of a threshold for some periods.

    The value is the only metric of `metrics`, or `expression`, which refers to the metrics by
    their keys. `breaching` is what missing data means: DynamoDB sends a metric only while it is
    not 0. `reason` says what happens, and why the threshold is what it is.
    """

    name: str
    metrics: Mapping[str, Metric]
    reason: str
    threshold: float = 0
    unit: str = ""
    fires_below: bool = False
    expression: str | None = None
    period: int = _MINUTE
    periods: int = 5
    datapoints: int = 3
    breaching: bool = False

    @property
    def condition(self) -> str:
        """When it fires, in words."""
        side = "below" if self.fires_below else "above"
        span = f"{self.datapoints} of {self.periods}"
        unit = {_MINUTE: "minutes", _DAY: "days"}.get(
            self.period, f"periods of {self.period // _MINUTE} minutes"
        )
        return f"{side} {self.threshold:g}{self.unit} in {span} {unit}"


def list_alarms(options: Options, *, is_cache: bool = False) -> Iterator[Alarm]:
    """Yield the alarms of the table that *options* ask for, with those of its indexes.

    A table of caches has none on refused writes: a write that waits for a lock is refused, too.
    """
    operations = list_operations(options)
    yield _watch_server_errors(operations, _CACHE_OUTAGE if is_cache else _OUTAGE)
    yield from _watch_throttling(table_spec(options))
    for operation in operations:
        of_users, of_one = (_CLEARING, _CACHED_PAGES) if is_cache else (_USER_PAGES, _PAGES)
        yield _watch_latency(operation, of_users if operation in _QUERIES else of_one)
    if not is_cache:
        yield _watch_refused_writes()
    yield Alarm(
        "NoTimeToLiveDeletions",
        {"deleted": Metric("TimeToLiveDeletedItemCount")},
        _NO_DELETIONS,
        threshold=1,
        fires_below=True,
        period=_DAY,
        periods=2,
        datapoints=2,
        breaching=True,
    )


def list_operations(options: Options) -> list[str]:
    """Return the operations by which an application reads and writes rows, by AWS's names."""
    allowed = iam.actions("app", options, user_sessions=bool(options.indexed_keys))
    rows = (grant.action for grant in iam.GRANTS if grant.scope in {"rows", "special keys"})
    return [one for one in dict.fromkeys(rows) if one in allowed]


def validate_topic(topic: str, region: str | None) -> str:
    """Return the ARN of the SNS topic that alarms notify.

    Raises: OptionError, if it is not one, or not of the table's *region*, where alarms must be.
    """
    found = _TOPIC.fullmatch(topic)
    if not found:
        raise OptionError(
            f"{topic!r} is not the ARN of an SNS topic, such as"
            " arn:aws:sns:eu-central-1:123456789012:alarms"
        )
    if region and found[1] != region:
        raise OptionError(
            f"the topic is in region {found[1]!r}, the table in {region!r}; an alarm notifies only"
            " topics of its own region"
        )
    return topic


def _watch_server_errors(operations: list[str], effect: str) -> Alarm:
    """Return one alarm for all operations: SystemErrors has no sum over them.

    A SEARCH expression would find all of them, but an alarm may not use one. FILL also fills the
    latest minute, whose data may be late; 3 of 5 minutes do not depend on it.
    """
    metrics = {
        one.lower(): Metric("SystemErrors", dimensions=(("Operation", one),)) for one in operations
    }
    total = " + ".join(f"FILL({one}, 0)" for one in metrics)
    return Alarm("SystemErrors", metrics, _SERVER_ERRORS.format(effect), expression=total)


def _watch_throttling(spec: TableSpec) -> Iterator[Alarm]:
    """Yield two alarms for the table, and two for each index: its units are its own."""
    for index in (None, *(index.name for index in spec.indexes)):
        for verb, name in (("reads", "ReadThrottleEvents"), ("writes", "WriteThrottleEvents")):
            where = () if index is None else (("GlobalSecondaryIndexName", index),)
            suffix = "" if index is None else f"-{index}"
            reason = _THROTTLED.format(verb if index is None else f"{verb} of index {index}")
            yield Alarm(name + suffix, {"throttled": Metric(name, dimensions=where)}, reason)


def _watch_latency(operation: str, effect: str) -> Alarm:
    is_single = operation in _SINGLE
    threshold = _SLOW_ITEM if is_single else _SLOW_BATCH
    duration = "One row takes a few milliseconds" if is_single else _BATCH
    return Alarm(
        f"Latency-{operation}",
        {"latency": Metric("SuccessfulRequestLatency", "p99", (("Operation", operation),))},
        _SLOW.format(effect, duration, threshold),
        threshold=threshold,
        unit=" ms",
        datapoints=5,
    )


def _watch_refused_writes() -> Alarm:
    """Return an alarm on the share of refused writes: their number grows with the traffic.

    DynamoDB counts no requests; the latency of the successful ones has their number.
    """
    stored = {
        one.lower(): Metric("SuccessfulRequestLatency", "SampleCount", (("Operation", one),))
        for one in ("PutItem", "DeleteItem")
    }
    total = " + ".join(["refused", *(f"FILL({one}, 0)" for one in stored)])
    return Alarm(
        "ConditionalCheckFailedShare",
        {"refused": Metric("ConditionalCheckFailedRequests"), **stored},
        _REFUSED,
        threshold=_MAX_SHARE,
        unit=" % of the writes",
        expression=f"IF(refused >= {_MIN_REFUSED}, 100 * refused / ({total}), 0)",
        period=5 * _MINUTE,
        periods=3,
        datapoints=3,
    )
