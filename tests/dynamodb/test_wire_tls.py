"""TLS over either transport: the certificates that botocore would trust, and no others."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beaker_dynamodb import OptionError, Unavailable
from tests.dynamodb.doubles import failure
from tests.dynamodb.wire_clients import a_client, get, ports, put
from tests.instruments import Recorder
from tests.proxy import FaultProxy
from tests.sessions import apps
from tests.tls import EXPIRED, GOOD, WRONG_HOST, TlsFront

TRANSPORTS = pytest.mark.parametrize("transport", ["boto3", "wire"])


@pytest.fixture(scope="module")
def proxy(dynamodb_local: str) -> Iterator[FaultProxy]:
    """Give a proxy that sees what came through the front."""
    with FaultProxy(dynamodb_local) as made:
        yield made


@pytest.fixture(scope="module")
def front(proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFront]:
    """Give a TLS front before the proxy."""
    with TlsFront(proxy.url, tmp_path_factory.mktemp("front")) as made:
        yield made


@pytest.fixture
def table(dynamodb_local: str, table_name: str, proxy: FaultProxy) -> str:
    """Create a table with an item `alice` in it."""
    apps.make_table(dynamodb_local, table_name)
    put(a_client(dynamodb_local, "boto3"), table_name, "alice", mark={"S": "hers"})
    proxy.clear()
    return table_name


def by_environment(monkeypatch: pytest.MonkeyPatch, bundle: object, _: Path) -> None:
    """Name the authority as AWS's tools do."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))


def by_another_variable(monkeypatch: pytest.MonkeyPatch, bundle: object, _: Path) -> None:
    """Name it as requests does; botocore heeds that, too."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))


def by_configuration(monkeypatch: pytest.MonkeyPatch, bundle: object, folder: Path) -> None:
    """Name it in AWS's configuration file."""
    (folder / "config").write_text(f"[default]\nca_bundle = {bundle}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))


WAYS = pytest.mark.parametrize("trust", [by_environment, by_another_variable, by_configuration])


@TRANSPORTS
@WAYS
def test_an_authority_that_botocore_trusts_is_trusted(
    transport: str,
    trust: Any,
    front: TlsFront,
    table: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However it is named, for both transports alike."""
    trust(monkeypatch, front.bundle, tmp_path)
    client = a_client(front.url(), transport)

    assert get(client, table, "alice")["mark"] == {"S": "hers"}


def test_the_wire_keeps_its_connection_under_tls(
    front: TlsFront, table: str, monkeypatch: pytest.MonkeyPatch, proxy: FaultProxy, calls: Recorder
) -> None:
    """One handshake for many calls, small and large; each is sent once."""
    by_environment(monkeypatch, front.bundle, Path())
    client = a_client(front.url())
    get(client, table, "alice")
    before = ports(client)
    put(client, table, "bob", mark={"B": bytes(300_000)})
    found = get(client, table, "bob")

    assert found["mark"] == {"B": bytes(300_000)}
    assert (len(before), ports(client)) == (1, before)
    assert proxy.operations == calls.names == ["GetItem", "PutItem", "GetItem"]


@TRANSPORTS
@pytest.mark.parametrize("name", [WRONG_HOST, EXPIRED])
def test_a_certificate_that_does_not_fit_is_refused(
    transport: str,
    name: str,
    front: TlsFront,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
    proxy: FaultProxy,
) -> None:
    """Another host's, or one that has expired: Unavailable, and nothing was sent."""
    by_environment(monkeypatch, front.bundle, Path())
    client = a_client(front.url(name), transport, max_attempts=2)

    for error in (
        failure(lambda: get(client, table, "alice")),
        failure(lambda: put(client, table, "alice")),
    ):
        assert type(error) is Unavailable
        assert "SSLError" in str(error)
    assert proxy.seen == []


@TRANSPORTS
def test_an_authority_that_nobody_named_is_refused(
    transport: str, front: TlsFront, table: str, proxy: FaultProxy
) -> None:
    """A good certificate of a stranger's: Unavailable, and nothing was sent."""
    error = failure(lambda: get(a_client(front.url(GOOD), transport), table, "alice"))

    assert type(error) is Unavailable
    assert "SSLError" in str(error)
    assert proxy.seen == []


def folder_of(bundle: Path, folder: Path) -> Path:
    """Write the folder in which OpenSSL, by its hash, finds the authority of *bundle*."""
    made = folder / "certificates"
    made.mkdir()
    asked = ["openssl", "x509", "-hash", "-noout", "-in", str(bundle)]
    name = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    (made / f"{name}.0").write_bytes(bundle.read_bytes())
    return made


def no_file(_: Path, folder: Path) -> Path:
    """Name a file that is not there."""
    return folder / "nothing.pem"


def no_certificate(_: Path, folder: Path) -> Path:
    """Name a file of something else."""
    (folder / "notes.pem").write_text("the certificates come later\n")
    return folder / "notes.pem"


def empty(_: Path, folder: Path) -> Path:
    """Name a file of nothing."""
    (folder / "empty.pem").touch()
    return folder / "empty.pem"


def half(bundle: Path, folder: Path) -> Path:
    """Name a file that was cut off."""
    (folder / "half.pem").write_bytes(bundle.read_bytes()[:300])
    return folder / "half.pem"


@WAYS
@pytest.mark.parametrize("named", [folder_of, no_file, no_certificate, empty, half])
def test_certificates_that_boto3_cannot_read_are_none_of_the_wires(
    named: Any,
    trust: Any,
    front: TlsFront,
    proxy: FaultProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OpenSSL takes a folder; boto3 would fail at the first call that is handed over to it."""
    bundle = named(front.bundle, tmp_path)
    trust(monkeypatch, bundle, tmp_path)
    proxy.clear()
    by_boto3 = failure(lambda: get(a_client(front.url(), "boto3"), "tab", "alice"))
    auto = a_client(front.url(), "auto")
    by_auto = failure(lambda: get(auto, "tab", "alice"))
    by_wire = failure(lambda: get(a_client(front.url(), "wire"), "tab", "alice"))

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
    """Both transports read `~`, as urllib3 does."""
    monkeypatch.setenv("HOME", str(front.bundle.parent))
    by_environment(monkeypatch, f"~/{front.bundle.name}", tmp_path)
    client = a_client(front.url(), transport)

    assert get(client, table, "alice")["mark"] == {"S": "hers"}
    assert client.get_transport().name == transport
    if transport == "wire":
        assert ports(client)


def test_certificates_do_not_matter_without_tls(
    dynamodb_local: str, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither transport reads them then."""
    by_environment(monkeypatch, tmp_path, tmp_path)

    assert get(a_client(dynamodb_local, "wire"), table, "alice")["mark"] == {"S": "hers"}
