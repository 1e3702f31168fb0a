"""TLS over either transport: both trust the certificates that botocore trusts, and no others."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beaker_dynamodb import OptionError, Unavailable
from tests.dynamodb.doubles import catch_error
from tests.dynamodb.wire_clients import create_client, get_idle_ports, get_item, put_item
from tests.instruments import Recorder
from tests.proxy import FaultProxy
from tests.sessions import apps
from tests.tls import EXPIRED, GOOD, WRONG_HOST, TlsFront

TRANSPORTS = pytest.mark.parametrize("transport", ["boto3", "wire"])


@pytest.fixture(scope="module")
def proxy(dynamodb_local: str) -> Iterator[FaultProxy]:
    """Start a proxy that records what came through the TLS server."""
    with FaultProxy(dynamodb_local) as made:
        yield made


@pytest.fixture(scope="module")
def front(proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFront]:
    """Start a TLS server in front of the proxy."""
    with TlsFront(proxy.url, tmp_path_factory.mktemp("front")) as made:
        yield made


@pytest.fixture
def table(dynamodb_local: str, table_name: str, proxy: FaultProxy) -> str:
    """Create a table with an item `alice` in it."""
    apps.make_table(dynamodb_local, table_name)
    put_item(create_client(dynamodb_local, "boto3"), table_name, "alice", mark={"S": "hers"})
    proxy.clear()
    return table_name


def trust_by_environment(monkeypatch: pytest.MonkeyPatch, bundle: object, _: Path) -> None:
    """Set AWS's variable."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))


def trust_by_another_variable(monkeypatch: pytest.MonkeyPatch, bundle: object, _: Path) -> None:
    """Set the variable of requests, which botocore reads, too."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))


def trust_by_configuration(monkeypatch: pytest.MonkeyPatch, bundle: object, folder: Path) -> None:
    """Write it into AWS's configuration file."""
    (folder / "config").write_text(f"[default]\nca_bundle = {bundle}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))


TRUST = pytest.mark.parametrize(
    "trust", [trust_by_environment, trust_by_another_variable, trust_by_configuration]
)


@TRANSPORTS
@TRUST
def test_an_authority_that_botocore_trusts_is_trusted(
    transport: str,
    trust: Any,
    front: TlsFront,
    table: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However it is configured, over both transports."""
    trust(monkeypatch, front.bundle, tmp_path)
    client = create_client(front.url(), transport)

    assert get_item(client, table, "alice")["mark"] == {"S": "hers"}


def test_the_wire_keeps_its_connection_under_tls(
    front: TlsFront, table: str, monkeypatch: pytest.MonkeyPatch, proxy: FaultProxy, calls: Recorder
) -> None:
    """There is one handshake for many calls, small and large, and each is sent once."""
    trust_by_environment(monkeypatch, front.bundle, Path())
    client = create_client(front.url())
    get_item(client, table, "alice")
    before = get_idle_ports(client)
    put_item(client, table, "bob", mark={"B": bytes(300_000)})
    found = get_item(client, table, "bob")

    assert found["mark"] == {"B": bytes(300_000)}
    assert (len(before), get_idle_ports(client)) == (1, before)
    assert proxy.operations == calls.names == ["GetItem", "PutItem", "GetItem"]


@TRANSPORTS
@pytest.mark.parametrize("name", [WRONG_HOST, EXPIRED])
def test_an_invalid_certificate_is_refused(
    transport: str,
    name: str,
    front: TlsFront,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
    proxy: FaultProxy,
) -> None:
    """That of another host, or an expired one: Unavailable, and nothing was sent."""
    trust_by_environment(monkeypatch, front.bundle, Path())
    client = create_client(front.url(name), transport, max_attempts=2)

    for error in (
        catch_error(lambda: get_item(client, table, "alice")),
        catch_error(lambda: put_item(client, table, "alice")),
    ):
        assert type(error) is Unavailable
        assert "SSLError" in str(error)
    assert proxy.seen == []


@TRANSPORTS
def test_an_unknown_authority_is_refused(
    transport: str, front: TlsFront, table: str, proxy: FaultProxy
) -> None:
    """Even if its certificate is valid: Unavailable, and nothing was sent."""
    error = catch_error(lambda: get_item(create_client(front.url(GOOD), transport), table, "alice"))

    assert type(error) is Unavailable
    assert "SSLError" in str(error)
    assert proxy.seen == []


def create_folder(bundle: Path, folder: Path) -> Path:
    """Create a folder in which OpenSSL finds the authority of *bundle* by its hash."""
    made = folder / "certificates"
    made.mkdir()
    asked = ["openssl", "x509", "-hash", "-noout", "-in", str(bundle)]
    name = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    (made / f"{name}.0").write_bytes(bundle.read_bytes())
    return made


def name_missing_file(_: Path, folder: Path) -> Path:
    """Return the path of a file that does not exist."""
    return folder / "nothing.pem"


def create_text_file(_: Path, folder: Path) -> Path:
    """Create a file without a certificate."""
    (folder / "notes.pem").write_text("the certificates come later\n")
    return folder / "notes.pem"


def create_empty_file(_: Path, folder: Path) -> Path:
    """Create an empty file."""
    (folder / "empty.pem").touch()
    return folder / "empty.pem"


def create_truncated_file(bundle: Path, folder: Path) -> Path:
    """Create a file that ends within a certificate."""
    (folder / "half.pem").write_bytes(bundle.read_bytes()[:300])
    return folder / "half.pem"


@TRUST
@pytest.mark.parametrize(
    "named",
    [create_folder, name_missing_file, create_text_file, create_empty_file, create_truncated_file],
)
def test_the_wire_is_not_used_with_certificates_that_boto3_cannot_read(
    named: Any,
    trust: Any,
    front: TlsFront,
    proxy: FaultProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OpenSSL can read a folder, but boto3 would fail at the first call that it must repeat."""
    bundle = named(front.bundle, tmp_path)
    trust(monkeypatch, bundle, tmp_path)
    proxy.clear()
    by_boto3 = catch_error(lambda: get_item(create_client(front.url(), "boto3"), "tab", "alice"))
    auto = create_client(front.url(), "auto")
    by_auto = catch_error(lambda: get_item(auto, "tab", "alice"))
    by_wire = catch_error(lambda: get_item(create_client(front.url(), "wire"), "tab", "alice"))

    assert (type(by_boto3), str(by_auto)) == (Unavailable, str(by_boto3))
    assert auto.get_transport().name == "boto3"
    assert type(by_wire) is OptionError
    for said in (str(by_wire), auto.get_transport().reason):
        assert f"boto3 cannot read the certificates in {str(bundle)!r}" in said
        assert "AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE and ca_bundle" in said
        assert ("it is a folder" in said) is bundle.is_dir()
    assert proxy.seen == []


@TRANSPORTS
def test_certificates_of_the_home_folder_are_found(
    transport: str, front: TlsFront, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both transports expand `~`, as urllib3 does."""
    monkeypatch.setenv("HOME", str(front.bundle.parent))
    trust_by_environment(monkeypatch, f"~/{front.bundle.name}", tmp_path)
    client = create_client(front.url(), transport)

    assert get_item(client, table, "alice")["mark"] == {"S": "hers"}
    assert client.get_transport().name == transport
    if transport == "wire":
        assert get_idle_ports(client)


def test_certificates_do_not_matter_without_tls(
    dynamodb_local: str, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither transport reads them."""
    trust_by_environment(monkeypatch, tmp_path, tmp_path)

    assert get_item(create_client(dynamodb_local, "wire"), table, "alice")["mark"] == {"S": "hers"}
