"""
The same stories on our own synchronization: engines in a ring with barriers, as in the daemon.

vqsim's nodes activate before they hear from each other, a ring's nodes after. In the end the answer
is the same. Without a clock: stories of last_man_standing and of quorum devices are not for here.
"""

from dataclasses import fields

from corosync_tw.services.votequorum.params import VotequorumParams
from tests.interop.quorum_cases import Case
from tests.interop.vqsim import Shown
from tests.unit.services.ordered_bus import Node, OrderedBus


def make_node(params: VotequorumParams) -> Node:
    given = {item.name: getattr(params, item.name) for item in fields(params)}
    return Node(given.pop("nodeid"), **given)


class Story:
    """The nodes of a case."""

    def __init__(self, case: Case, params: dict[int, VotequorumParams]) -> None:
        self._params = params
        self._bus = OrderedBus(*(make_node(p) for p in params.values()))
        self._parts = [sorted(case.votes)]
        self._form(self._parts)

    def step(self, text: str, parts: list[list[int]]) -> None:
        """Take a step; only the partitions that vqsim gives a new ring get one."""
        word, _, argument = text.partition(" ")
        before, self._parts = self._parts, parts
        if word == "up":
            nodeid = int(argument.partition(":")[2])
            self._bus.nodes[nodeid] = make_node(self._params[nodeid])
            self._form([part for part in parts if nodeid in part])
        elif word == "down":
            nodeid = int(argument)
            (old,) = (part for part in before if nodeid in part)
            self._form([part for part in parts if set(part) < set(old)])
        elif word in {"move", "join"}:
            self._form(parts)

    def answers(self) -> Shown:
        """Tell who is quorate, with whom."""
        nodes = self._bus.nodes
        return {
            nodeid: (nodes[nodeid].quorum.quorate, nodes[nodeid].quorum.members)
            for part in self._parts
            for nodeid in part
        }

    def _form(self, parts: list[list[int]]) -> None:
        self._bus.configure(*map(tuple, parts))
        self._bus.components = [tuple(part) for part in self._parts]
        self._bus.run()
