"""The load: clients with a session each, in a process of their own; it prints what it found.

Each client checks its session: only its own name, and one page more than before. A page that failed
may have been counted or not.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
from dataclasses import asdict, dataclass, field

PATIENCE = 60.0


@dataclass(slots=True)
class Found:
    """What was found: `crossed` pages have another client's name, `lost` ones a wrong count."""

    requests: int = 0
    errors: int = 0
    crossed: int = 0
    lost: int = 0
    pids: set[int] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)

    def add(self, other: Found) -> None:
        """Add what another client found."""
        self.requests += other.requests
        self.errors += other.errors
        self.crossed += other.crossed
        self.lost += other.lost
        self.pids |= other.pids
        self.examples += other.examples


class Client:
    """One client: it keeps its cookie, and waits for each page before it asks for the next."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.found = Found()
        # The least that the session must have counted, and the most that it can have.
        self.least = self.most = 0

    def run(self, pages: int) -> None:
        """Ask for so many pages."""
        for _ in range(pages):
            status, body = self._get()
            self.found.requests += 1
            self.most += 1
            if status == http.client.OK:
                self._look(json.loads(body))
            else:
                self.found.errors += 1

    def _get(self) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            cookie = f"beaker.session.id={self.name}"
            connection.request("GET", f"/?{self.name}", headers={"Cookie": cookie})
            reply = connection.getresponse()
            return reply.status, reply.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def _look(self, page: dict[str, object]) -> None:
        session = page["session"]
        assert isinstance(session, dict)
        count = session["count"]
        if session["clients"] != [self.name]:
            self.found.crossed += 1
            self.found.examples.append(f"{self.name} was shown {session}")
        elif not self.least < count <= self.most:
            self.found.lost += 1
            self.found.examples.append(f"{self.name} had {self.least}, was shown {session}")
        self.found.pids.add(int(str(page["pid"])))
        self.least = self.most = count


def load(port: int, clients: int, requests: int) -> Found:
    """Run the clients, and collect what they found."""
    all_of_them = [Client(f"c{number:02}", port) for number in range(clients)]
    pages = -(-requests // clients)  # so many at least
    threads = [threading.Thread(target=one.run, args=(pages,)) for one in all_of_them]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = Found()
    for one in all_of_them:
        found.add(one.found)
    return found


if __name__ == "__main__":
    found = load(*(int(word) for word in sys.argv[1:4]))
    first = sorted(found.examples, key=lambda text: "had" in text)[:3]
    print(json.dumps({**asdict(found), "pids": len(found.pids), "examples": first}))
