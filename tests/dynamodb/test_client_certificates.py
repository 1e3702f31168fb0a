"""The wire's TLS is botocore's: it trusts nobody more, and nobody less, on any Python."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from botocore.httpsession import create_urllib3_context, get_cert_path

from beaker_dynamodb.dynamodb.wire.http import Endpoint


@pytest.mark.parametrize("certificates", [get_cert_path(True), None])
def test_the_wire_verifies_as_botocore_does(certificates: str | None) -> None:
    """Python 3.13 takes an intermediate's certificate for an authority's; botocore does not."""
    theirs = create_urllib3_context()
    ours = Endpoint("https://host", certificates).context()

    assert ours is not None
    assert ours.verify_flags == theirs.verify_flags
    assert ours.verify_mode == (theirs.verify_mode if certificates else ssl.CERT_NONE)
    assert ours.minimum_version == theirs.minimum_version
    # botocore leaves the names to urllib3, which compares them where certificates are verified.
    assert ours.check_hostname is (certificates is not None)


def test_a_folder_is_no_file_of_certificates(tmp_path: Path) -> None:
    """OpenSSL could read one, botocore never does."""
    with pytest.raises(IsADirectoryError):
        Endpoint("https://host", str(tmp_path)).context()
