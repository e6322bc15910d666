"""
Service engines without a ring: a bus that gives every node the same messages in the same order.

Each component of the partitioned network has a token: whoever has it sends what waits (only what
belongs to synchronization while that is under way) and then makes its process step.
"""

from collections.abc import Callable
from typing import Any

from corosync_tw.corotypes import Guarantee, RingId, Slices
from corosync_tw.errors import CsTryAgain
from corosync_tw.services.cfg.engine import CfgEngine
from corosync_tw.services.cmap.engine import CmapEngine
from corosync_tw.services.cpg.engine import CpgEngine
from corosync_tw.services.effects import CpgConfchg, CpgDeliver, QuorumChange
from corosync_tw.services.exec_wire import decode_id, exec_id
from corosync_tw.services.quorum.engine import QuorumEngine
from corosync_tw.services.sync.engine import SyncEngine
from corosync_tw.services.votequorum.engine import VotequorumEngine
from corosync_tw.services.votequorum.params import VotequorumParams

ROUNDS_MAX = 1000


class FakeBus:
    """A ServiceBus that keeps what it is given; ``full`` makes it refuse."""

    def __init__(self) -> None:
        self.ordinary: list[tuple[bytes, bytes]] = []
        self.trans: list[tuple[bytes, bytes]] = []
        self.effects: list[Any] = []
        self.emit = self.effects.append
        self.full = False
        self.now_ns = 0

    def mcast(
        self, slices: Slices, guarantee: Guarantee = Guarantee.AGREED, *, bulk: bool = False
    ) -> None:
        self._put(self.ordinary, b"a", slices)

    def sync_mcast(self, slices: Slices) -> None:
        self._put(self.trans, b"a", slices)

    def sync_group_mcast(self, message: bytes) -> None:
        self._put(self.trans, b"sync", (message,))

    def _put(self, queue: list[tuple[bytes, bytes]], group: bytes, slices: Slices) -> None:
        if self.full:
            raise CsTryAgain("full")
        queue.append((group, b"".join(slices)))


class Node:
    """All engines of one node."""

    def __init__(self, nodeid: int, **votes: Any) -> None:
        self.nodeid = nodeid
        self.bus = FakeBus()
        config_version = votes.pop("config_version", 0)
        self.cmap = CmapEngine(nodeid, config_version, self.bus)
        self.cfg = CfgEngine(nodeid, self.bus)
        self.cpg = CpgEngine(nodeid, self.bus)
        self.quorum = QuorumEngine(True, self.bus)
        given = {"votes": 1, "expected_votes": 3, "two_node": False, "wait_for_all": False}
        params = VotequorumParams(nodeid=nodeid, **{**given, **votes})
        self.votequorum = VotequorumEngine(params, self.quorum.set_quorum, self.bus)
        self.completed = 0
        self.sync = SyncEngine(
            [self.cmap, self.cpg, self.quorum, self.votequorum],
            self.bus.sync_group_mcast,
            self._on_completed,
        )
        self.handlers = {
            exec_id(engine.service_id, function): handler
            for engine in (self.cmap, self.cfg, self.cpg, self.votequorum)
            for function, handler in engine.exec_handlers().items()
        }

    def _on_completed(self) -> None:
        self.completed += 1

    def deliver(self, sender: int, seq: int, group: bytes, data: bytes) -> None:
        if group == b"sync":
            self.sync.deliver(sender, data, False)
        else:
            self.handlers[decode_id(data, False)](sender, seq, data, False)

    def take(self, kind: type) -> list[Any]:
        found = [e for e in self.bus.effects if isinstance(e, kind)]
        self.bus.effects[:] = [e for e in self.bus.effects if not isinstance(e, kind)]
        return found

    def confchgs(self) -> list[tuple[int, list[Any], list[Any], list[Any]]]:
        """Since the last call: (conn, members, left, joined), entries as plain tuples."""
        return [
            (
                c.conn,
                [m[:2] for m in c.members],
                [tuple(m) for m in c.left],
                [*map(tuple, c.joined)],
            )
            for c in self.take(CpgConfchg)
        ]

    def texts(self) -> list[tuple[int, int, bytes]]:
        """Since the last call: (conn, sender, data)."""
        return [(d.conn, d.nodeid, bytes(d.data)) for d in self.take(CpgDeliver)]

    def quorate_changes(self) -> list[bool]:
        return [q.quorate for q in self.take(QuorumChange)]


class OrderedBus:
    """Nodes and the components they are in."""

    def __init__(self, *nodes: Node) -> None:
        self.nodes = {node.nodeid: node for node in nodes}
        self.components: list[tuple[int, ...]] = []
        self.ring_seq = 0
        self.seq = 0
        self.watch: Callable[[int, bytes, bytes], None] = lambda _n, _g, _d: None

    def configure(self, *components: tuple[int, ...]) -> None:
        """Give every node a transitional and a regular change."""
        before = {n: set(c) for c in self.components for n in c}
        self.components = [tuple(sorted(c)) for c in components]
        self.ring_seq += 4
        for component in self.components:
            ring_id = RingId(component[0], self.ring_seq)
            for nodeid in component:
                node = self.nodes[nodeid]
                trans = tuple(n for n in component if n in before.get(nodeid, set()))
                node.sync.transitional(trans)
                node.bus.trans.clear()
                node.sync.regular(component, ring_id)

    def form(self, *components: tuple[int, ...]) -> None:
        """Configure and run until all is quiet and synchronized."""
        self.configure(*components)
        self.run()
        assert not any(self.nodes[n].sync.in_progress for c in self.components for n in c)

    def run(self, visits_max: int | None = None) -> int:
        """Let the tokens go round until nothing waits; count the visits."""
        visits = 0
        for _ in range(ROUNDS_MAX):
            quiet = True
            for component in self.components:
                for nodeid in component:
                    if visits_max is not None and visits >= visits_max:
                        return visits
                    visits += 1
                    quiet &= not self._visit(component, self.nodes[nodeid])
            if quiet and not any(
                self.nodes[n].sync.in_progress for c in self.components for n in c
            ):
                return visits
        raise AssertionError("the bus does not come to rest")

    def _visit(self, component: tuple[int, ...], node: Node) -> bool:
        sent = False
        while True:
            queue = node.bus.trans
            if not queue and not node.sync.in_progress:
                queue = node.bus.ordinary
            if not queue:
                break
            group, data = queue.pop(0)
            self.seq += 1
            sent = True
            self.watch(node.nodeid, group, data)
            for nodeid in component:
                self.nodes[nodeid].deliver(node.nodeid, self.seq, group, data)
        node.sync.token_sent()
        node.cpg.send_leaves()
        return sent
