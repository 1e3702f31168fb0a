"""What happens to a user when a server or a worker dies: 13 to 16.

tests/faults/__init__.py lists all cases.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from beaker_dynamodb.errors import TableMissing, Unavailable
from tests.faults.fault_kinds import Hang
from tests.faults.sites_under_fault import use_new_client
from tests.proxy import FaultProxy
from tests.servers import DynamoDBLocal
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, put, put_while

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[DynamoDBLocal]:
    """Start a server that the test can stop and kill. It keeps its tables in a file."""
    with DynamoDBLocal(data=tmp_path) as started:
        yield started


def test_13_a_save_that_is_applied_late_overwrites_nothing(
    own_server: DynamoDBLocal, table_name: str
) -> None:
    """Case 13, SIGSTOP and SIGCONT: Unavailable, and the newer change is kept."""
    site = Site.create(own_server.url, table_name)
    user, new_client = site.begin_session(cart=1), use_new_client(site, read_timeout=3)
    new_client.visit(user, contents)

    with pytest.raises(Unavailable):
        new_client.visit(user, put_while(own_server.pause, cart=2, ghost=True))
    own_server.resume()
    site.visit(user, put(cart=3))

    assert site.read_session(user)["cart"] == 3


def test_14_users_stay_logged_in_when_the_server_is_killed_and_comes_back(
    own_server: DynamoDBLocal, table_name: str
) -> None:
    """Case 14, SIGKILL, with tables in a file: acknowledged changes are there."""
    site = Site.create(own_server.url, table_name)
    shop = use_new_client(site, max_attempts=3)
    users = [Browser() for _ in range(5)]
    for number, user in enumerate(users):
        shop.visit(user, put(number=number))

    own_server.kill()
    with pytest.raises(Unavailable):
        shop.visit(users[0], contents)
    own_server.start()

    assert [shop.visit(user, contents).said for user in users] == [{"number": n} for n in range(5)]


def test_15_users_are_not_logged_out_while_a_table_is_being_restored(site: Site) -> None:
    """Cases 15 and 14: a table that was deleted while in use is not created again."""
    user, shop = site.begin_session(user="ann"), use_new_client(site)
    shop.visit(user, contents)
    row = site.row(user) or {}
    cookie = user.cookie
    site.raw.delete_table(TableName=site.table)

    for view in (contents, put(cart=1)):
        with pytest.raises(TableMissing):
            shop.visit(user, view)

    assert user.cookie == cookie
    again = Site.create(site.url, site.table)
    again.plant(user, **{name: value for name, value in row.items() if name != "id"})
    assert shop.visit(user, contents).said == {"user": "ann"}


def test_15_the_first_visit_creates_a_missing_table(dynamodb_local: str, table_name: str) -> None:
    """Case 15: at the first call, a read or a write."""
    site = use_new_client(Site(dynamodb_local, table_name))

    assert site.visit(Browser("beaker.session.id=abc"), contents).said == {}
    assert site.read_session(site.begin_session(user="ann")) == {"user": "ann"}


def test_15_a_user_stays_logged_in_when_a_server_is_deployed_to_the_wrong_region(
    site: Site,
) -> None:
    """Case 15: TableMissing names the region, if no table may be created."""
    user = site.begin_session(user="ann")
    misplaced = use_new_client(site, region="eu-west-3", create_table=False)

    with pytest.raises(TableMissing, match=r"eu-west-3"):
        misplaced.visit(user, contents)

    assert site.read_session(user) == {"user": "ann"}


WORKER = """
import sys
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import put
url, table, cookie = sys.argv[1:]
options = {"endpoint_url": url, "read_timeout": 30, "max_attempts": 1}
Site(url, table, options).visit(Browser(cookie), put(cart=2))
"""


@pytest.mark.parametrize("applied", [False, True], ids=["before it was sent on", "after applied"])
def test_16_a_worker_that_is_killed_during_a_save_leaves_a_whole_session(
    site: Site, proxy: FaultProxy, applied: bool
) -> None:
    """Case 16, SIGKILL: the session is the old or the new one, and can be saved at once."""
    user = site.begin_session(cart=1)
    proxy.next(Hang(applied), operation="PutItem")
    command = [sys.executable, "-c", WORKER, proxy.url, site.table, user.cookie]
    with subprocess.Popen(command, cwd=ROOT) as worker:
        proxy.wait_until(
            lambda: any(
                one.operation == "PutItem" and one.forwarded >= applied for one in proxy.seen
            ),
            within=30,
        )
        worker.kill()

    assert site.read_session(user) == {"cart": 2 if applied else 1}
    site.visit(user, put(cart=3))
    assert site.read_session(user) == {"cart": 3}
