"""Stacks that pass frames to each other directly, in virtual time and without loss."""

from collections.abc import Callable, Iterable

from corosync_tw.services.cpg.effects import CpgDeliverRun
from corosync_tw.services.effects import CpgConfchg, CpgDeliver, StackEffect
from corosync_tw.services.params import ServiceParams
from corosync_tw.services.stack import Stack
from corosync_tw.totem.effects import SendMcast, SendToken, StoreRingId
from corosync_tw.totem.params import TotemParams

HOP_NS = 100_000
STEPS_MAX = 200_000


class MemoryRing:
    """
    Nodes by nodeid.

    :ivar log: what each node told its driver, without the traffic.
    :ivar reach: who hears a node's frames; change it to partition.
    """

    def __init__(
        self, nodeids: Iterable[int], make: Callable[[int], ServiceParams] | None = None
    ) -> None:
        self.now_ns = 1_000_000_000
        ids = list(nodeids)
        make = make or (lambda n: ServiceParams(nodeid=n, expected_votes=len(ids)))
        self.make = make
        self.nodes: dict[int, Stack] = {}
        self.log: dict[int, list[StackEffect]] = {}
        self.inbox: dict[int, tuple[list[bytes], list[bytes]]] = {}
        self.stored = dict.fromkeys(ids, 0)
        self.reach: Callable[[int, int], bool] = lambda _a, _b: True
        for nodeid in ids:
            self.start(nodeid)

    def start(self, nodeid: int) -> None:
        stack = Stack(
            TotemParams(my_id=nodeid), self.make(nodeid), self.stored[nodeid], self.now_ns
        )
        self.nodes[nodeid] = stack
        self.log[nodeid] = []
        self.inbox[nodeid] = ([], [])
        stack.start(self.now_ns)

    def crash(self, nodeid: int) -> None:
        del self.nodes[nodeid], self.inbox[nodeid]

    def partition(self, *sides: set[int]) -> None:
        self.reach = lambda a, b: any(a in side and b in side for side in sides)

    def heal(self) -> None:
        self.reach = lambda _a, _b: True

    def run_until(self, done: Callable[[], bool], what: str = "the condition") -> None:
        for _ in range(STEPS_MAX):
            if done():
                return
            self._step()
        raise AssertionError(f"{what} did not come true")

    def run_for(self, ms: int) -> None:
        end = self.now_ns + ms * 1_000_000
        self.run_until(lambda: self.now_ns >= end)

    def form(self, members: Iterable[int] | None = None) -> None:
        """Run until these nodes, or all, are in one synchronized ring."""
        want = tuple(sorted(self.nodes if members is None else members))

        def formed() -> bool:
            stacks = [self.nodes[n] for n in want]
            return (
                all(s.members == want and not s.sync_in_progress for s in stacks)
                and len({s.ring_id for s in stacks}) == 1
            )

        self.run_until(formed, f"a ring of {want}")

    def delivered(self, nodeid: int) -> list[CpgDeliver]:
        return [e for e in self.log[nodeid] if isinstance(e, CpgDeliver)]

    def confchgs(self, nodeid: int) -> list[CpgConfchg]:
        return [e for e in self.log[nodeid] if isinstance(e, CpgConfchg)]

    def _step(self) -> None:
        busy = False
        for nodeid in sorted(self.nodes):
            stack = self.nodes[nodeid]
            messages, tokens = self.inbox[nodeid]
            self.inbox[nodeid] = ([], [])
            if messages or tokens:
                busy = True
                stack.receive(messages + tokens, self.now_ns)
            self._drain(nodeid, stack)
        if busy or any(m or t for m, t in self.inbox.values()):
            self.now_ns += HOP_NS
            self._advance()
            return
        deadlines = [d for s in self.nodes.values() if (d := s.next_deadline()) is not None]
        assert deadlines, "nothing will ever happen"
        self.now_ns = max(self.now_ns, min(deadlines))
        self._advance()

    def _advance(self) -> None:
        for nodeid, stack in sorted(self.nodes.items()):
            deadline = stack.next_deadline()
            if deadline is not None and deadline <= self.now_ns:
                stack.advance(self.now_ns)
                self._drain(nodeid, stack)

    def _drain(self, nodeid: int, stack: Stack) -> None:
        while effects := stack.poll():
            self._execute(nodeid, effects)

    def _execute(self, nodeid: int, effects: list[StackEffect]) -> None:
        for effect in effects:
            if isinstance(effect, SendToken):
                if effect.target in self.nodes and self.reach(nodeid, effect.target):
                    self.inbox[effect.target][1].append(effect.frame)
            elif isinstance(effect, SendMcast):
                for frame in effect.frames:
                    whole = b"".join(frame)
                    for other in self.nodes:
                        if other != nodeid and self.reach(nodeid, other):
                            self.inbox[other][0].append(whole)
            elif isinstance(effect, StoreRingId):
                self.stored[nodeid] = effect.ring_seq
            else:
                singles = effect.expand() if isinstance(effect, CpgDeliverRun) else (effect,)
                for single in singles:
                    if isinstance(single, CpgDeliver):
                        single.data = bytes(single.data)
                    self.log[nodeid].append(single)
