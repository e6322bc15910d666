"""A client of libcfg without a socket, and a ring of two nodes that it is a client of."""

from collections.abc import Sequence
from ipaddress import ip_address
from struct import Struct
from typing import Any

from corosync_tw.services.cfg.facts import Interface, LinkState, NodeState
from corosync_tw.services.cfg.handler import CfgHandler
from corosync_tw.services.lib_interfaces import ClientStats
from tests.unit.services.memory_ring import MemoryRing

HEADER = Struct("=i4xi4xi4x")


class Client:
    """Keeps what it is sent: responses and events as (id, error, body)."""

    def __init__(self, conn: int) -> None:
        self.conn = conn
        self.pid = self.uid = self.gid = 0
        self.procname = ""
        self.stats = ClientStats()
        self.responses: list[tuple[int, int, bytes]] = []
        self.events: list[tuple[int, int, bytes]] = []
        self.closed = False

    def respond(self, response: bytes) -> None:
        self.responses.append(split(response))

    def event(self, slices: Sequence[Any]) -> None:
        self.events.append(split(b"".join(slices)))

    def close(self) -> None:
        self.closed = True


def split(message: bytes) -> tuple[int, int, bytes]:
    number, size, error = HEADER.unpack_from(message)
    assert size == len(message)
    return number, error, message[HEADER.size :]


class Facts:
    """Two nodes on one link."""

    timeout_ms = 5000
    address = "10.0.0.1"
    rings = False

    def interfaces(self) -> list[Interface]:
        return [Interface(0, self.address, "OK")]

    def node_addresses(self, nodeid: int) -> list[Any]:
        return [ip_address(f"10.0.0.{nodeid}")] if nodeid in (1, 2) else []

    def node_state(self, nodeid: int) -> NodeState:
        if nodeid != 2:
            return NodeState()
        link = LinkState(enabled=True, connected=True, mtu_bytes=1410, src_address="10.0.0.2")
        return NodeState(reachable=True, links=(link,))

    def redundant(self) -> bool:
        return self.rings

    def shutdown_timeout_ms(self) -> int:
        return self.timeout_ms


class Served:
    """Node 1 of a ring of two, with the handler and its clients."""

    def __init__(self) -> None:
        self.ring = MemoryRing((1, 2))
        self.ring.form()
        self.stack = self.ring.nodes[1]
        self.facts = Facts()
        self.pumps = 0
        self.handler = CfgHandler(self.stack, self, self.facts)
        self._routed = 0
        self.stack.poll()

    def now_ns(self) -> int:
        return self.ring.now_ns

    def pump(self) -> None:
        self.pumps += 1

    def client(self) -> Client:
        client = Client(self.stack.new_conn())
        self.handler.connected(client)
        return client

    def ask(self, client: Client, number: int, body: bytes = b"") -> tuple[int, int, bytes]:
        """Serve one request and give its answer."""
        before = len(client.responses)
        self.send(client, number, body)
        (answer,) = client.responses[before:]
        return answer

    def send(self, client: Client, number: int, body: bytes = b"") -> None:
        request = Struct("=i4xi4x").pack(number, 16 + len(body)) + body
        assert self.handler.requests(client, [request]) == 1

    def run(self, ms: int = 50) -> None:
        """Let the ring turn and give effects to the handler."""
        self.ring.run_for(ms)
        routes = self.handler.effect_handlers()
        log = self.ring.log[1]
        for effect in log[self._routed :]:
            if type(effect) in routes:
                routes[type(effect)](effect)
        self._routed = len(log)
