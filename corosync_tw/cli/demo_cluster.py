"""
Three nodes of the demonstration and what their clients see, with waiting for it to come true.

Times of failover and rejoin are taken here, at the moment a client hears of them.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import AlreadyCalled, AlreadyCancelled

from corosync_tw.cli.demo_nodes import DemoNode, NodeFailed
from corosync_tw.cli.demo_screen import Screen
from corosync_tw.cli.demo_tally import Tally
from corosync_tw.client.cpg import Member, Message
from corosync_tw.corotypes import CpgReason, RingId

GROUP: Final = b"demo"
NODES: Final = 3
WAIT_TIMEOUT_S: Final = 30.0


class DemoCluster:
    """
    The nodes and their state.

    :ivar tallies: by node number, of each node's present life.
    :ivar rings: by node number, members of the ring it is in.
    :ivar groups: by node number, nodes whose client is in the group.
    :ivar left_s: by node number, when it heard that a node was lost.
    :ivar silence_s: by node number, how long it heard nothing around that moment.
    """

    def __init__(self, reactor: Any, screen: Screen, conf_dir: Path, work_dir: Path) -> None:
        """Describe the cluster; nothing is started."""
        self.nodes = [
            DemoNode(reactor, number, conf_dir, work_dir) for number in range(1, NODES + 1)
        ]
        self.tallies: dict[int, Tally] = {}
        self.rings: dict[int, Sequence[int]] = {}
        self.groups: dict[int, set[int]] = {}
        self.left_s: dict[int, float] = {}
        self.silence_s: dict[int, float] = {}
        self.failed: Callable[[NodeFailed], object] = lambda _: None
        self._reactor = reactor
        self._screen = screen
        self._work_dir = work_dir
        self._heard_s: dict[int, float] = {}
        self._in_silence: set[int] = set()
        self._rings_shown: set[RingId] = set()
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []
        self._to_die: set[int] = set()

    def start(self, node: DemoNode) -> None:
        """Start a node's daemon, which is expected to live."""
        self._to_die.discard(node.number)
        node.start()
        node.when_ended(lambda why: self._ended(node, why))

    def kill(self, node: DemoNode) -> None:
        """Kill a node's daemon; its tally stays."""
        self._to_die.add(node.number)
        self.rings.pop(node.number, None)
        self.groups.pop(node.number, None)
        node.kill()

    async def enter(self, node: DemoNode) -> None:
        """Connect to a node and watch its rings."""
        number = node.number
        client = await node.connect()

        def on_ring(ring_id: RingId, members: Sequence[int]) -> None:
            self.rings[number] = members
            if ring_id not in self._rings_shown:
                self._rings_shown.add(ring_id)
                who = f"nodes {_list(members)}" if len(members) > 1 else f"node {members[0]} alone"
                self._screen.event(f"ring {ring_id.rep}.{ring_id.seq:x} forms: {who}")
            self.changed()

        await client.watch(on_ring)
        status = await client.status()
        if status["members"]:
            on_ring(RingId(status["ring_rep"], status["ring_seq"]), status["members"])

    async def join(self, node: DemoNode) -> None:
        """Join the group on a node; its tally begins."""
        assert node.client is not None, "join before enter"
        number = node.number
        self.tallies[number] = Tally()
        node.cpg = node.client.cpg()
        await node.cpg.join(
            GROUP,
            lambda messages: self._hear(number, messages),
            lambda *change: self._change(number, *change),
        )

    async def until(self, what: str, predicate: Callable[[], bool]) -> None:
        """
        Wait until something is true.

        :param what: for the error message.
        Raises: NodeFailed after WAIT_TIMEOUT_S.
        """
        if predicate():
            return
        done: Deferred[None] = Deferred()

        def too_late() -> None:
            logs = "\n".join(f"  {node.name}:\n{node.log_tail()}" for node in self.nodes)
            done.errback(NodeFailed(f"no {what} within {WAIT_TIMEOUT_S:.0f} s; logs:\n{logs}"))

        deadline = self._reactor.callLater(WAIT_TIMEOUT_S, too_late)
        self._waiting.append((predicate, done))
        try:
            await done
        finally:
            try:
                deadline.cancel()
            except (AlreadyCalled, AlreadyCancelled):
                self._waiting.remove((predicate, done))

    def changed(self) -> None:
        """Look whether something that is waited for has come true."""
        for entry in list(self._waiting):
            predicate, done = entry
            if predicate():
                self._waiting.remove(entry)
                done.callback(None)

    async def stop(self) -> None:
        """End all daemons and remove their files."""
        self._to_die.update(range(1, NODES + 1))
        stopping = [Deferred.fromCoroutine(node.stop()) for node in self.nodes]
        for stopped in stopping:
            await stopped
        shutil.rmtree(self._work_dir, ignore_errors=True)

    def _ended(self, node: DemoNode, why: str) -> None:
        if node.number not in self._to_die:
            self.failed(NodeFailed(why))

    def _hear(self, number: int, messages: Sequence[Message]) -> None:
        now_s = time.monotonic()
        if number in self._in_silence:
            self._in_silence.remove(number)
            self.silence_s[number] = now_s - self._heard_s[number]
        self._heard_s[number] = now_s
        self.tallies[number].hear(messages)
        self.changed()

    def _change(
        self, number: int, members: list[Member], left: list[Member], joined: list[Member]
    ) -> None:
        self.groups[number] = {member.nodeid for member in members}
        if joined:
            self.tallies[number].begin_part()
        for member in left:
            if member.reason == CpgReason.NODEDOWN:
                self.left_s[number] = time.monotonic()
                if number in self._heard_s:
                    self._in_silence.add(number)
        self.changed()


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
