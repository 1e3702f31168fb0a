"""The types of the options as `configure()` takes them: values, or texts as in ini files.

Written from the table in `options.py` by `python -m tests.config.test_option_types`; a test
compares them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict


class OptionValues(TypedDict, total=False):
    """Each option by its name and its alias, and `url`. None and "" mean "not given"."""

    table: str | None
    table_name: str | None
    region: str | None
    region_name: str | None
    profile: str | None
    profile_name: str | None
    endpoint_url: str | None
    aws_access_key_id: str | None
    aws_secret_access_key: str | None
    aws_session_token: str | None
    client: Any
    transport: str | None
    connect_timeout: float | str | None
    read_timeout: float | str | None
    max_attempts: int | str | None
    max_pool_connections: int | str | None
    hash_key: str | None
    range_key: str | None
    prefix: str | None
    ttl_attribute: str | None
    ttl: float | str | None
    touch_after: float | str | None
    max_age: float | str | None
    created_after: str | datetime | None
    consistent_read: bool | str | None
    create_table: bool | str | None
    read_capacity_units: int | str | None
    write_capacity_units: int | str | None
    special_keys: str | Sequence[tuple[str, str]] | Mapping[str, str] | None
    require_special_keys: bool | str | None
    index_special_keys: bool | str | Sequence[str] | None
    on_conflict: str | None
    envelope: str | None
    migrate_from: str | None
    hash_ids: bool | str | None
    encryption_keys: str | Sequence[bytes | str] | None
    encryption_required: bool | str | None
    compress: bool | str | None
    serializer: Any
    max_value_size: int | str | None
    lock: str | None
    lock_lease: float | str | None
    lock_wait: float | str | None
    stale_for: float | str | None
    cache_errors: str | None
    url: str | None
