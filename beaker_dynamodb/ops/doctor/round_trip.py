"""Write, read and delete one row as the application would.

The row has the application's prefix and a random name, and is deleted whatever happens; if that
fails too, it expires within minutes.
"""

from __future__ import annotations

from typing import Final

from beaker_dynamodb.config.sources import Kind
from beaker_dynamodb.dynamodb import metering
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.table import Never
from beaker_dynamodb.errors import DynamoDBBackendError
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.ops.doctor.table import RoundTrip
from beaker_dynamodb.runtime import Runtime

_VALUE: Final = b"a row of `beaker-dynamodb doctor`, which deletes it at once"
_LIFE: Final = 300


def draw_key(rows: Rows, kind: Kind, runtime: Runtime) -> Key:
    """Return a random key under the application's prefix."""
    name = f"doctor-{runtime.token()}"
    return (
        rows.layout.make_session_key(name)
        if kind == "session"
        else rows.layout.make_value_key(name, "doctor")
    )


def make_round_trip(rows: Rows, key: Key, runtime: Runtime) -> RoundTrip:
    """Write, read, compare and delete one row; return times and units."""
    units, seconds, message = [0.0, 0.0], list[float](), ""
    failure: DynamoDBBackendError | None = None

    def count(event: metering.Event) -> None:
        if isinstance(event, metering.Call):
            units[0] += event.read_units
            units[1] += event.write_units
            seconds.append(event.seconds)

    end = metering.observe(count)
    try:
        now, token = runtime.clock(), runtime.token()
        record = Record(key, b"", f"{token}.{token}", expires=int(now) + _LIFE)
        rows.write(record, _VALUE, Never(), None)
        found = rows.read(key, consistent=True, now=now)
        if found is None or found.value != _VALUE:
            message = "the row that was read differs from the one that was written"
    except DynamoDBBackendError as error:
        failure = error
    finally:
        failure = _deleted(rows, key) or failure
        end()
    return RoundTrip(tuple(seconds), units[0], units[1], message, failure)


def _deleted(rows: Rows, key: Key) -> DynamoDBBackendError | None:
    try:
        rows.drop(key)
    except DynamoDBBackendError as error:
        return error
    return None
