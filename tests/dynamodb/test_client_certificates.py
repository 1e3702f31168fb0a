"""The wire trusts exactly the certificates that botocore trusts, on any version of Python."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from botocore.httpsession import create_urllib3_context, get_cert_path

from beaker_dynamodb.dynamodb.wire.http import Endpoint


@pytest.mark.parametrize("certificates", [get_cert_path(True), None])
def test_the_wire_verifies_as_botocore_does(certificates: str | None) -> None:
    """Python 3.13 accepts an intermediate certificate as an authority's; botocore does not."""
    botocores = create_urllib3_context()
    wires = Endpoint("https://host", certificates).create_ssl_context()

    assert wires is not None
    assert wires.verify_flags == botocores.verify_flags
    assert wires.verify_mode == (botocores.verify_mode if certificates else ssl.CERT_NONE)
    assert wires.minimum_version == botocores.minimum_version
    # botocore leaves the names to urllib3, which compares them where certificates are verified.
    assert wires.check_hostname is (certificates is not None)


def test_a_folder_of_certificates_is_refused(tmp_path: Path) -> None:
    """OpenSSL could read one; botocore cannot."""
    with pytest.raises(IsADirectoryError):
        Endpoint("https://host", str(tmp_path)).create_ssl_context()
