"""What happens to a user when a process, a credential or a limit fails: cases 17 to 19, 34, 35.

tests/faults/__init__.py lists all cases.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from beaker_dynamodb.errors import AccessRefused, OptionError, Unavailable
from tests.exchange import Fault
from tests.faults.fault_kinds import LoseRequest, aws_error
from tests.faults.sites_under_fault import use_new_client
from tests.proxy import FaultProxy
from tests.servers import KEY
from tests.sessions.overlap import Site
from tests.sessions.views import contents, put

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")


PREFORK = """
import os, signal, sys
from tests.sessions.overlap import Site
from tests.sessions.views import contents, put
from beaker_dynamodb.dynamodb import client
url, table = sys.argv[1:]
site = Site(url, table, {"endpoint_url": url})
users = [site.begin_session(user=number) for number in range(4)]
held = list(client._clients.values())
for one in held:
    one._lock.acquire()  # as another thread would in the moment of the fork
children = []
for number, user in enumerate(users):
    pid = os.fork()
    if pid == 0:
        signal.alarm(40)  # waiting for ever is a failure, and leaves no child behind
        seen = [site.visit(user, contents).said for _ in range(50)]
        os._exit(0 if seen == [{"user": number}] * 50 else 1)
    children.append(pid)
sys.exit(sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children))
"""


def test_17_users_of_forked_workers_see_their_own_sessions_only(site: Site) -> None:
    """Case 17: four children after the parent's client was used, and while its lock was held."""
    command = [sys.executable, "-W", "ignore", "-c", PREFORK, site.url, site.table]

    result = subprocess.run(
        command, cwd=ROOT, timeout=60, check=False, capture_output=True, text=True
    )

    assert (result.returncode, result.stderr) == (0, "")


def test_18_sixteen_threads_share_two_connections(site: Site) -> None:
    """Case 18: every user is served; urllib3 may warn of a full pool."""
    shop = use_new_client(site, max_pool_connections=2)
    users = [site.begin_session(number=number) for number in range(16)]

    def read(number: int) -> Any:
        return [shop.visit(users[number], contents).said for _ in range(10)]

    with ThreadPoolExecutor(16) as pool:
        seen = list(pool.map(read, range(16)))

    assert seen == [[{"number": number}] * 10 for number in range(16)]


def test_19_users_are_served_as_soon_as_credentials_appear(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 19: OptionError without credentials; afterwards the same client works."""
    user, shop = site.begin_session(user="ann"), use_new_client(site)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    with pytest.raises(OptionError, match="no AWS credentials"):
        shop.visit(user, contents)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, KEY)

    assert shop.visit(user, contents).said == {"user": "ann"}


def test_19_a_user_stays_logged_in_when_a_credential_provider_fails(site: Site) -> None:
    """Case 19: a raw KeyError would mean "no such session", a RuntimeError a corrupt one."""
    user = site.begin_session(user="ann")
    for error in (KeyError("Expiration"), RuntimeError("still expired"), TypeError("None")):

        def failing(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        def factory(error: Any = failing) -> Any:
            return SimpleNamespace(
                get_item=error, put_item=error, meta=SimpleNamespace(region_name="x")
            )

        with pytest.raises(Unavailable):
            site.with_(client=factory).visit(user, contents)

    assert site.read_session(user) == {"user": "ann"}


@pytest.mark.parametrize(
    "code", ["ExpiredTokenException", "UnrecognizedClientException", "AccessDeniedException"]
)
def test_19_a_user_stays_logged_in_when_credentials_are_refused(
    site: Site, proxy: FaultProxy, code: str
) -> None:
    """Case 19, while running: AccessRefused on reads and writes, until they are accepted again."""
    user, behind = site.begin_session(user="ann"), site.behind(proxy)
    cookie = user.cookie

    proxy.next(aws_error(code), operation="GetItem", times=None)
    with pytest.raises(AccessRefused):
        behind.visit(user, contents)
    proxy.clear()
    proxy.next(aws_error(code), operation="PutItem", times=None)
    with pytest.raises(AccessRefused):
        behind.visit(user, put(cart=1))
    proxy.clear()

    assert user.cookie == cookie
    behind.visit(user, put(cart=2))
    assert site.read_session(user) == {"user": "ann", "cart": 2}


CONFLICTS = ["ReplicatedWriteConflictException", "TransactionConflictException"]


CONFLICTS += ["RequestLimitExceeded", "LimitExceededException"]


@pytest.mark.parametrize("code", CONFLICTS)
def test_34_a_user_notices_a_conflict_inside_dynamodb_only_if_it_never_ends(
    site: Site, proxy: FaultProxy, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 34: once is retried, by boto3 or by us. Always is Unavailable, and nothing changes."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    user, behind = site.begin_session(cart=1), site.behind(proxy, max_attempts=3)

    proxy.next(aws_error(code), operation="PutItem")
    behind.visit(user, put(cart=2))
    assert site.read_session(user) == {"cart": 2}

    proxy.next(aws_error(code), operation="PutItem", times=None)
    with pytest.raises(Unavailable):
        behind.visit(user, put(cart=3))
    assert site.read_session(user) == {"cart": 2}


ONCE: dict[str, Fault] = {
    "the request is lost": LoseRequest(),
    "DynamoDB answers 500": aws_error("InternalServerError", status=500),
}


@pytest.mark.parametrize("fault", ONCE.values(), ids=[*ONCE])
def test_35_the_options_override_the_retries_of_the_environment(
    site: Site, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """Case 35: the environment changes neither mode nor number of attempts, nor the endpoint."""
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    user = site.begin_session(cart=1)

    proxy.next(fault)
    assert site.behind(proxy, max_attempts=3).visit(user, contents).said == {"cart": 1}
    assert proxy.operations == ["GetItem", "GetItem"]

    proxy.clear()
    proxy.next(fault, times=None)
    with pytest.raises(Unavailable):
        site.behind(proxy, max_attempts=3).visit(user, contents)
    assert proxy.operations == ["GetItem"] * 3


def test_35_an_endpoint_of_the_environment_is_used_without_the_option(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 35: AWS's own variable works, as for every other client."""
    user = site.begin_session(cart=1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", site.url)

    assert use_new_client(site, endpoint_url="").visit(user, contents).said == {"cart": 1}
    assert os.environ["AWS_ENDPOINT_URL_DYNAMODB"] == site.url
