"""C clients without a socket: what a handler writes is kept, a memory ring is its daemon."""

from struct import pack, unpack_from

from corosync_tw.corotypes import Slices
from corosync_tw.services.lib_interfaces import ClientStats, LibHandler
from corosync_tw.services.lib_requests import RESPONSE_HEADER
from corosync_tw.services.lib_runs import EventRun
from tests.unit.services.memory_ring import MemoryRing


class FakeClient:
    """
    Implements LibClient.

    :ivar responses: as written; likewise events, each as one string of bytes.
    """

    def __init__(self, conn: int, pid: int = 1000, uid: int = 0) -> None:
        self.conn = conn
        self.pid = pid
        self.uid = uid
        self.gid = 0
        self.procname = "test"
        self.stats = ClientStats()
        self.responses: list[bytes] = []
        self.events: list[bytes] = []
        self.closed = False

    def respond(self, response: bytes) -> None:
        assert len(response) == unpack_from("=i", response, 8)[0]
        self.responses.append(response)

    def event(self, slices: Slices) -> None:
        whole = b"".join(slices)
        assert len(whole) == unpack_from("=i", whole, 8)[0]
        self.events.append(whole)

    def event_run(self, run: EventRun) -> int:
        for done in range(run.count):
            if run.event_len(run.first + done) > run.event_len_max:
                return done
            self.event(run.slices(run.first + done))
        return run.count

    def close(self) -> None:
        self.closed = True

    def answer(self) -> tuple[int, int, bytes]:
        """Take the oldest response: id, error, body."""
        data = self.responses.pop(0)
        number, _, error = RESPONSE_HEADER.unpack_from(data)
        return number, error, data[24:]

    def take_events(self) -> list[tuple[int, bytes]]:
        """Take all events: id and body."""
        found = [(unpack_from("=i", e)[0], e[24:]) for e in self.events]
        self.events.clear()
        return found


class RingShell:
    """Implements Shell; the ring runs when the test says so."""

    def __init__(self, ring: MemoryRing) -> None:
        self.ring = ring
        self.pumps = 0

    def now_ns(self) -> int:
        return self.ring.now_ns

    def pump(self) -> None:
        self.pumps += 1


def request(number: int, body: bytes = b"") -> bytes:
    """Put a request header before a body."""
    return pack("=i4xi4x", number, 16 + len(body)) + body


def give_effects(ring: MemoryRing, nodeid: int, handler: LibHandler) -> None:
    """Hand what a node told its driver to a handler, as the daemon does."""
    routes = handler.effect_handlers()
    for effect in ring.log[nodeid]:
        if type(effect) in routes:
            routes[type(effect)](effect)
    ring.log[nodeid].clear()
