"""What the wire finds without boto3 is what boto3 finds; everything else is left to boto3."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import botocore
import botocore.httpsession
import botocore.loaders
import certifi
import pytest

from beaker_dynamodb.dynamodb.clients import make_factory
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.dynamodb.wire import settings as wire_settings
from beaker_dynamodb.dynamodb.wire.settings import (
    StaticCredentials,
    WireSettings,
    find_certificates,
    find_settings,
)
from tests.servers import REGION

#: What AWS Lambda sets, and what a container with keys may have beside them.
LAMBDA: Final = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "the secret",
    "AWS_SESSION_TOKEN": "the token",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_FUNCTION_NAME": "shop",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000",
    "NO_PROXY": "169.254.169.254",
    "_X_AMZN_TRACE_ID": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
    "HOME": "/home/nobody",
    "LANG": "en_US.UTF-8",
}
PARTITIONS: Final = ("aws", "aws-cn", "aws-us-gov")


def find(
    environ: Mapping[str, str] = LAMBDA, *, files: tuple[str, ...] = (), **options: Any
) -> WireSettings | str:
    """Return what is found in an environment, on Linux."""

    def file_exists(path: str) -> bool:
        return path.endswith(files) if files else False

    return find_settings(Connection(**options), environ, file_exists, "linux")


def list_regions() -> list[tuple[str, str]]:
    """Return each partition and region that botocore's files name."""
    loader = botocore.loaders.create_loader()
    older = loader.load_data("endpoints")["partitions"]
    newer = loader.load_data("partitions")["partitions"]
    found = {(one["partition"], name) for one in older for name in one["regions"]}
    return sorted(found | {(one["id"], name) for one in newer for name in one["regions"]})


def test_a_function_of_aws_lambda_needs_no_boto3() -> None:
    """Region, endpoint and credentials, with the token, are those of its environment."""
    assert find() == WireSettings(
        REGION,
        f"https://dynamodb.{REGION}.amazonaws.com",
        StaticCredentials("AKIDEXAMPLE", "the secret", "the token"),
        certifi.where(),
    )


def test_options_come_before_the_environment() -> None:
    """As with boto3: keys of the options are not combined with a token of the environment."""
    found = find(
        region="eu-central-1", aws_access_key_id="AKIDOTHER", aws_secret_access_key="another"
    )

    assert isinstance(found, WireSettings)
    assert found[:3] == (
        "eu-central-1",
        "https://dynamodb.eu-central-1.amazonaws.com",
        StaticCredentials("AKIDOTHER", "another", None),
    )


def test_an_endpoint_of_the_options_is_called() -> None:
    """Without TLS no certificates are looked for."""
    found = find(endpoint_url="http://127.0.0.1:8000")

    assert isinstance(found, WireSettings)
    assert (found.url, found.certificates) == ("http://127.0.0.1:8000", None)


#: Variables under which only boto3 can find the settings, or names another endpoint.
FOR_BOTO3: Final = {
    "AWS_PROFILE": "shop",
    "AWS_DEFAULT_PROFILE": "shop",
    "AWS_CONFIG_FILE": "/etc/aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/etc/aws/credentials",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_CA_BUNDLE": "/etc/ssl/bundle.pem",
    "REQUESTS_CA_BUNDLE": "/etc/ssl/bundle.pem",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "https_proxy": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
    "AWS_ACCOUNT_ID": "123456789012",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "required",
    "AWS_CREDENTIAL_EXPIRATION": "2026-01-01T00:00:00Z",
    "AWS_SECURITY_TOKEN": "an older name of the token",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/token",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/shop",
    "AWS_DATA_PATH": "/opt/models",
    "AWS_DEFAULTS_MODE": "standard",
    "AWS_RETRY_MODE": "adaptive",
    "AWS_MAX_ATTEMPTS": "10",
    "AWS_SDK_UA_APP_ID": "shop",
    "AWS_AUTH_SCHEME_PREFERENCE": "sigv4a",
    "AWS_CSM_ENABLED": "true",
    "AWS_A_VARIABLE_THAT_IS_NOT_KNOWN_YET": "1",
    "BOTOCORE_EXPERIMENTAL__PLUGINS": "plugin=shop.plugin",
    "BOTO_DISABLE_CRT": "true",
}


@pytest.mark.parametrize("name", FOR_BOTO3)
def test_a_variable_that_boto3_honors_leads_to_boto3(name: str) -> None:
    """The reason names it. Keys of the options, too, are not enough then."""
    environ = {**LAMBDA, name: FOR_BOTO3[name]}
    keys: dict[str, Any] = {"aws_access_key_id": "AKIDOTHER", "aws_secret_access_key": "another"}

    assert find(environ) == find(environ, **keys) == f"boto3 reads {name}"


def test_every_variable_that_botocore_reads_leads_to_boto3() -> None:
    """Those of its table, and those that its modules name in any text."""
    known = wire_settings._KNOWN | {"AWS_EC2_METADATA_DISABLED"}
    words = re.compile(r"(?:AWS|BOTO|BOTOCORE)_[A-Z0-9_]*[A-Z0-9]")
    read = set[str]()
    for path in Path(botocore.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                read |= {node.value} if words.fullmatch(node.value) else set()
    unread = known | {name for name in read if name.startswith("AWS_LAMBDA_")}
    names = sorted(read - unread - FOR_BOTO3.keys())

    assert len(read) > 40
    assert [name for name in names if find({**LAMBDA, name: "x"}) != f"boto3 reads {name}"] == []


@pytest.mark.parametrize("path", [".aws/config", ".aws/credentials"])
def test_a_file_of_aws_leads_to_boto3(path: str) -> None:
    """It may name another endpoint. A variable that names no file says that there is none."""
    assert find(files=(path,)) == f"boto3 reads ~/{path}"
    name = "AWS_CONFIG_FILE" if path.endswith("config") else "AWS_SHARED_CREDENTIALS_FILE"
    assert isinstance(find({**LAMBDA, name: "/dev/null"}, files=(path,)), WireSettings)


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        ({"AWS_ACCESS_KEY_ID": ""}, {}, "boto3 has to look for credentials"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, {}, "boto3 has to look for credentials"),
        ({}, {"aws_access_key_id": "AKIDOTHER"}, "boto3 has to look for credentials"),
        ({}, {"aws_session_token": "the token"}, "boto3 has to look for credentials"),
        ({"AWS_DEFAULT_REGION": ""}, {}, "boto3 has to judge the region ''"),
        ({}, {"region": "us-east-1-fips"}, "boto3 has to judge the region 'us-east-1-fips'"),
        ({}, {"region": "local"}, "boto3 has to judge the region 'local'"),
        ({}, {"profile": "shop"}, "an option is for boto3"),
        ({}, {"client": "shop.aws:make_client"}, "an option is for boto3"),
        ({}, {"max_attempts": 1}, "max_attempts = 1 leaves"),
        ({}, {"endpoint_url": "http://127.0.0.1/dynamodb"}, "the endpoint is not an address alone"),
        ({}, {"endpoint_url": "embedded"}, "the endpoint is not an address alone"),
        ({}, {"endpoint_url": "http://127.0.0.1:x"}, "the endpoint is invalid"),
    ],
)
def test_what_is_not_certain_leads_to_boto3(
    change: dict[str, str], options: dict[str, Any], reason: str
) -> None:
    """Incomplete keys, no region or an unusual one, and options that are for boto3."""
    assert str(find({**LAMBDA, **change}, **options)).startswith(reason)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_a_system_with_proxies_of_its_own_leads_to_boto3(platform: str) -> None:
    """Python reads their settings there (`urllib.request.getproxies`)."""
    found = find_settings(Connection(), LAMBDA, lambda _: False, platform)

    assert found == "the system may have a proxy"


@pytest.mark.parametrize(("partition", "region"), list_regions())
def test_the_endpoint_of_each_region_is_botocores(
    partition: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the three partitions each region, and of the others none."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    found = find({**LAMBDA, "AWS_DEFAULT_REGION": region})
    meta = make_factory(Connection(transport="boto3"))(0).meta

    if partition in PARTITIONS and not region.endswith("-global"):
        assert isinstance(found, WireSettings)
        assert (found.region, found.url) == (meta.region_name, meta.endpoint_url)
    else:
        assert found == f"boto3 has to judge the region {region!r}"


def test_certificates_are_those_that_botocore_trusts(monkeypatch: pytest.MonkeyPatch) -> None:
    """certifi's, or botocore's own without it."""
    assert find_certificates() == botocore.httpsession.get_cert_path(True)
    monkeypatch.setitem(sys.modules, "certifi", None)

    assert find_certificates() == botocore.httpsession.DEFAULT_CA_BUNDLE


def test_credentials_are_not_shown() -> None:
    """Neither by the settings nor by the credentials."""
    found = find()

    assert "secret" not in repr(found)
    assert "token" not in repr(found)
