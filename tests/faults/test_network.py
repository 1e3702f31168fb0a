"""What happens to a user when the network is slow, throttled or closed: cases 7, 10 to 12.

tests/faults/__init__.py lists all cases.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from beaker_dynamodb.errors import Unavailable
from tests.faults.fault_kinds import Drip, FlipBit, aws_error
from tests.faults.sites_under_fault import check_unavailable
from tests.proxy import FaultProxy
from tests.servers import free_port
from tests.sessions.overlap import Site
from tests.sessions.views import contents, put

pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")


def test_7_a_garbled_value_with_a_valid_checksum_is_never_served(
    site: Site, proxy: FaultProxy
) -> None:
    """Case 7: our own checksum finds it. Once: it is read again. Always: the row is corrupt."""
    user = site.begin_session(user="ann")
    garbled, key = FlipBit(crc=True, attribute="data"), f"sess:{user.id}"

    proxy.next(garbled)
    assert site.behind(proxy).visit(user, contents).said == {"user": "ann"}

    proxy.next(garbled, where=lambda body: body["Key"]["id"]["S"] == key, times=None)
    assert site.behind(proxy).visit(user.also(), contents).said == {}
    assert site.read_session(user) == {"user": "ann"}


#: AWS's code, and the member of its body that names the limit.
THROTTLED = {
    "ProvisionedThroughputExceededException": "ThrottlingReasons",
    "ThrottlingException": "throttlingReasons",
    "RequestLimitExceeded": "ThrottlingReasons",
}


@pytest.mark.parametrize("code", THROTTLED)
@pytest.mark.parametrize("headers", [(), (("x-amz-retry-after", "5000"),)], ids=["", "retry-after"])
def test_10_a_throttled_user_waits_a_bounded_time_and_stays_logged_in(
    site: Site,
    proxy: FaultProxy,
    pauses: list[float],
    code: str,
    headers: tuple[tuple[str, str], ...],
) -> None:
    """Case 10: once is retried; always is Unavailable, and the error names the limit."""
    user, reason = site.begin_session(user="ann"), "TableReadKeyRangeThroughputExceeded"
    why: dict[str, Any] = {THROTTLED[code]: [{"reason": reason, "resource": "the table"}]}
    throttled = aws_error(code, headers=headers, **why)
    behind = site.behind(proxy, max_attempts=3)

    proxy.next(throttled)
    assert behind.visit(user, contents).said == {"user": "ann"}

    proxy.next(throttled, times=None)
    with pytest.raises(Unavailable, match=reason):
        behind.visit(user, contents)

    assert len(proxy.seen) == 2 + 3
    assert max(pauses) <= 6
    proxy.clear()
    assert site.read_session(user) == {"user": "ann"}


def test_11_a_response_that_arrives_byte_by_byte_is_served(site: Site, proxy: FaultProxy) -> None:
    """Case 11: as documented, read_timeout applies to one read of the socket."""
    user = site.begin_session(user="ann")
    proxy.next(Drip(0.0002))

    assert site.behind(proxy).visit(user, contents).said == {"user": "ann"}


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Return a URL whose port neither accepts nor refuses connections: its backlog is full."""
    with socket.socket() as listener, socket.socket() as one, socket.socket() as two:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for fill in (one, two):
            fill.setblocking(False)
            fill.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["a black hole", "a refused port", "no such host", "not TLS"])
def test_12_a_user_stays_logged_in_when_no_connection_can_be_made(
    site: Site, black_hole: str, kind: str
) -> None:
    """Case 12: Unavailable, and the session is there when the network works again."""
    urls = {
        "a black hole": black_hole,
        "a refused port": f"http://127.0.0.1:{free_port()}",
        "no such host": "http://dynamodb.nowhere.invalid",
        "not TLS": site.url.replace("http:", "https:"),
    }
    user, own = site.begin_session(user="ann"), {**site.options}
    del own["client"]
    quick: dict[str, Any] = {"connect_timeout": 0.2, "read_timeout": 0.5, "max_attempts": 1}
    unreachable = Site(urls[kind], site.table, {**own, "endpoint_url": urls[kind], **quick})

    check_unavailable(unreachable, user, contents)
    check_unavailable(unreachable, user, put(cart=1))

    assert site.read_session(user) == {"user": "ann"}
