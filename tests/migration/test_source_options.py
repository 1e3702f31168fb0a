"""Mistakes in the options of the old backend are errors, as those of our own are."""

from __future__ import annotations

import pytest

from beaker_dynamodb import OptionError, check
from beaker_dynamodb.migration.source_options import validate_source
from tests.servers import REGION

DATABASE = {"url": "sqlite://"}
TABLE = {"region": REGION}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "ext:database",
            {**DATABASE, "table_nmae": "x"},
            "table_nmae'; did you mean 'migrate_from",
        ),
        ("ext:database", {**DATABASE, "tablename": "x"}, "did you mean 'migrate_from.table_name'"),
        ("file", {"dta_dir": "old"}, "did you mean 'migrate_from.data_dir'"),
        ("file", {"data_dir": "old", "fiel_dir": "x"}, "did you mean 'migrate_from.file_dir'"),
        ("dbm", {"data_dir": "old", "dmb_dir": "x"}, "did you mean 'migrate_from.dbm_dir'"),
        ("ext:redis", {"ulr": "redis://localhost"}, "did you mean 'migrate_from.url'"),
        ("ext:dynamodb", {**TABLE, "hash_idz": "true"}, "did you mean 'migrate_from.hash_ids'"),
        (
            "ext:dynamodb",
            {**TABLE, "hash_ids": "maybe"},
            "option 'migrate_from.hash_ids' has 'maybe'",
        ),
        ("dynamodb", {**TABLE, "prefix": "nocolon"}, "option 'migrate_from.prefix' has 'nocolon'"),
    ],
)
def test_a_misspelled_option_of_the_old_backend_is_an_error(
    name: str, options: dict[str, str], message: str
) -> None:
    """Beaker ignores it: the old sessions would not be found, and everybody would be logged out."""
    settings = {"type": "ext:dynamodb", "region": REGION, "migrate_from": name}
    settings |= {f"migrate_from.{option}": value for option, value in options.items()}

    with pytest.raises(OptionError) as caught:
        validate_source(name, options)
    assert message in str(caught.value)
    with pytest.raises(OptionError) as caught:
        check({f"session.{option}": value for option, value in settings.items()})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "ignored"),
    [
        ("ext:database", {**DATABASE, "sa.pool_recycle": "60"}, ""),
        ("ext:database", {**DATABASE, "colour": "x"}, "'migrate_from.colour'"),
        ("ext:redis", {"url": "redis://localhost", "lock_dir": "old"}, ""),
        ("ext:memcached", {"url": "localhost", "memcache_module": "pylibmc"}, ""),
        ("ext:dynamodb", {**TABLE, "table": "older", "hash_ids": "true"}, ""),
    ],
)
def test_other_names_are_no_error(
    name: str, options: dict[str, str], ignored: str, caplog: pytest.LogCaptureFixture
) -> None:
    """They are passed on; those that the backend does not have are logged."""
    validate_source(name, options)

    assert ("ignored" in caplog.text) is bool(ignored)
    assert ignored in caplog.text
