"""What happens to a user when a server or a worker dies: 13 to 16.

The table of all cases stands in tests/faults/__init__.py.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from beaker_dynamodb.errors import TableMissing, Unavailable
from tests.faults.kinds import Hang
from tests.faults.sites import process
from tests.proxy import FaultProxy
from tests.servers import DynamoDBLocal
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, put, put_while

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[DynamoDBLocal]:
    """Give a server that this test alone stops and kills; it keeps its tables in a file."""
    with DynamoDBLocal(data=tmp_path) as started:
        yield started


def test_13_a_save_to_a_server_that_is_stopped_lands_late_and_overwrites_nothing(
    own: DynamoDBLocal, table_name: str
) -> None:
    """Case 13, SIGSTOP and SIGCONT: an honest 500, then a ghost, and the newer change stands."""
    site = Site.made(own.url, table_name)
    user, own_client = site.begun(cart=1), process(site, read_timeout=1)
    own_client.visit(user, contents)

    with pytest.raises(Unavailable):
        own_client.visit(user, put_while(own.pause, cart=2, ghost=True))
    own.resume()
    site.visit(user, put(cart=3))

    assert site.found(user)["cart"] == 3


def test_14_users_stay_logged_in_when_the_server_is_killed_and_comes_back(
    own: DynamoDBLocal, table_name: str
) -> None:
    """Case 14, SIGKILL, with a file store: what was acknowledged is there."""
    site = Site.made(own.url, table_name)
    shop = process(site, max_attempts=3)
    users = [Browser() for _ in range(5)]
    for number, user in enumerate(users):
        shop.visit(user, put(number=number))

    own.kill()
    with pytest.raises(Unavailable):
        shop.visit(users[0], contents)
    own.start()

    assert [shop.visit(user, contents).said for user in users] == [{"number": n} for n in range(5)]


def test_15_users_are_not_logged_out_while_a_table_is_being_restored(site: Site) -> None:
    """Case 15, deleted under load, and 14, an empty store: it is not created in its place."""
    user, shop = site.begun(user="ann"), process(site)
    shop.visit(user, contents)
    row = site.row(user) or {}
    cookie = user.cookie
    site.raw.delete_table(TableName=site.table)

    for view in (contents, put(cart=1)):
        with pytest.raises(TableMissing):
            shop.visit(user, view)

    assert user.cookie == cookie
    again = Site.made(site.url, site.table)
    again.plant(user, **{name: value for name, value in row.items() if name != "id"})
    assert shop.visit(user, contents).said == {"user": "ann"}


def test_15_the_first_visitor_finds_a_table_that_never_existed(
    dynamodb_local: str, table_name: str
) -> None:
    """Case 15: it is created at the first call, be it a read or a write."""
    site = process(Site(dynamodb_local, table_name), read_timeout=5)

    assert site.visit(Browser("beaker.session.id=abc"), contents).said == {}
    assert site.found(site.begun(user="ann")) == {"user": "ann"}


def test_15_a_user_stays_logged_in_when_a_server_is_deployed_to_the_wrong_region(
    site: Site,
) -> None:
    """Case 15: TableMissing, which names region and command, if it may not create one."""
    user = site.begun(user="ann")
    astray = process(site, region="eu-west-3", create_table=False)

    with pytest.raises(TableMissing, match=r"eu-west-3"):
        astray.visit(user, contents)

    assert site.found(user) == {"user": "ann"}


WORKER = """
import sys
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import put
url, table, cookie = sys.argv[1:]
options = {"endpoint_url": url, "read_timeout": 30, "max_attempts": 1}
Site(url, table, options).visit(Browser(cookie), put(cart=2))
"""


@pytest.mark.parametrize("applied", [False, True], ids=["before it was sent on", "after applied"])
def test_16_a_worker_killed_in_a_save_leaves_a_whole_session(
    site: Site, proxy: FaultProxy, applied: bool
) -> None:
    """Case 16, SIGKILL: the session is as before, or as saved; the next worker writes at once."""
    user = site.begun(cart=1)
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

    assert site.found(user) == {"cart": 2 if applied else 1}
    site.visit(user, put(cart=3))
    assert site.found(user) == {"cart": 3}
