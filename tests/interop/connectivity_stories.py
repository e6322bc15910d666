"""
Links that work one way only, or only between some nodes, on real sockets: the largest set of nodes
that hear each other stays together and the others come back when they are whole.
"""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

from tests.interop.netbed import Fault, NetBed, wait_until
from tests.interop.nodes import Cluster, Node, OurNode

NODES = [1, 2, 3, 4]
TOKEN_MS = 2000
# What a link that only messages take costs before it is noticed, in rotations of the token.
SOON = "    fail_recv_const: 200\n"
# Most is over after the token's and two consensus timeouts; the machine may be busy.
SETTLED_WITHIN_S = 60.0
BACK_WITHIN_S = 60.0
QUIET_FOR_S = 8.0
RATE = 20

Cut = tuple[int, int]


class Story(NamedTuple):
    """
    What is cut and what comes of it.

    :ivar cuts: (sender, receiver): nothing passes from the one to the other.
    :ivar largest: members of the largest ring then. Which of several largest sets it is depends on
        who notices first.
    """

    cuts: Sequence[Cut]
    largest: int

    def faults(self) -> list[Fault]:
        """Give what the switch is to lose; who asks for an address is answered."""
        return [Fault(0, sender, receiver, ip_only=True) for sender, receiver in self.cuts]


def _chain() -> list[Cut]:
    return [(a, b) for a, b in permutations(NODES, 2) if abs(a - b) > 1]


STORIES: Mapping[str, Story] = {
    "3 does not hear 2": Story([(2, 3)], 3),
    "two neighbours do not hear each other": Story([(3, 4), (4, 3)], 3),
    # What the one misses of the other, those between send again; the token takes another way.
    "two that are no neighbours": Story([(2, 4), (4, 2)], 4),
    "the last does not hear the first": Story([(1, 4)], 3),
    "the first does not hear the last": Story([(4, 1)], 3),
    "deaf": Story([(1, 4), (2, 4), (3, 4)], 3),
    "mute": Story([(1, 2), (1, 3), (1, 4)], 3),
    "a chain": Story(_chain(), 2),
}


def views(node: Node) -> list[tuple[int, ...]]:
    """List the memberships that a node has logged, once each time that they change."""
    lines = [line for line in node.log_text().splitlines() if "[QUORUM] Members[" in line]
    sets = [tuple(map(int, line.rpartition(":")[2].split())) for line in lines]
    return [one for one, before in zip(sets, [(), *sets], strict=False) if one != before]


def rings(cluster: Cluster) -> dict[int, int]:
    """Count the rings that each node has been in, whoever their members were."""
    return {
        nodeid: node.log_text().count("A new membership") for nodeid, node in cluster.nodes.items()
    }


def wait_settled(cluster: Cluster, largest: int, watched: Iterable[int], quiet_s: float) -> float:
    """
    Wait until every watched node is in a ring with all its members, and none re-forms for a while.

    :return: seconds until they did so no more.
    """
    watched = list(watched)
    begin_s = time.monotonic()
    last: dict[str, object] = {"rings": {}}
    since_s = [begin_s]

    def settled() -> bool:
        now_s = time.monotonic()
        formed = {n: count for n, count in rings(cluster).items() if n in watched}
        if formed != last["rings"]:
            last["rings"], since_s[0] = formed, now_s
        if now_s - since_s[0] <= quiet_s:
            return False
        now = {n: views(cluster.nodes[n])[-1] for n in watched}
        return max(map(len, now.values())) == largest and all(
            now.get(other, mine) == mine for mine in now.values() for other in mine
        )

    try:
        wait_until(f"a ring of {largest}", settled, SETTLED_WITHIN_S + quiet_s, 0.2)
    except AssertionError as error:
        seen = {n: views(node) for n, node in cluster.nodes.items()}
        raise AssertionError(f"{error}; seen {seen}\n{cluster.tail_logs(25)}") from None
    return since_s[0] - begin_s


def bad_links(node: Node) -> str:
    """Ask the stock cmapctl which links a node of ours knows not to work."""
    asked = ("corosync-cmapctl", "-g", "runtime.corosync_tw.bad_links")
    # Who has known of none so far has no such key.
    said = node.machine.run(*asked, check=False).stdout
    return said.rpartition("=")[2].strip()


def status(node: OurNode) -> str:
    """Ask our own tool for the state of a node."""
    tool = (str(Path(sys.executable).parent / "corosync-tw"), "status")
    tool += ("--socket", str(node.socket))
    return node.machine.run(*tool).stdout


def check_named(cluster: Cluster, story: Story) -> None:
    """See a culprit, and no link that works, in the log, in cmap and in the status."""
    links = {f"{a}>{b}" for a, b in story.cuts}
    told = 0
    for node in cluster.nodes.values():
        if not isinstance(node, OurNode):
            continue
        found = set(bad_links(node).split())
        assert found <= links, f"n{node.nodeid} accuses {found - links}"
        told += bool(found)
        if found and found == set(bad_links(node).split()):
            assert "Faulty links" in status(node)
            assert "does not hear" in node.log_text()
    assert told, f"nobody names a link\n{cluster.tail_logs(25)}"


def run_story(
    cluster: Cluster, bed: NetBed, name: str, *, watched: Iterable[int], quiet_s: float
) -> str:
    """
    Cut what a story says and mend it; give a line about what was seen.

    :param watched: whose rings must settle.
    """
    story = STORIES[name]
    bed.set_faults(*story.faults())
    settled_s = wait_settled(cluster, story.largest, watched, quiet_s)
    if story.largest < len(NODES):
        check_named(cluster, story)
    seen = sorted({views(cluster.nodes[n])[-1] for n in watched})
    bed.set_faults()
    begin_s = time.monotonic()
    cluster.wait_quorate(timeout_s=BACK_WITHIN_S)
    back_s = time.monotonic() - begin_s
    cluster.assert_alive(NODES)
    return f"{name}: {seen} after {settled_s:.1f} s, whole in {back_s:.1f} s"


def send_on_all(cluster: Cluster) -> None:
    """Keep every node sending: what a ring does not send over a bad link, it does not miss."""
    for nodeid in NODES:
        cluster.client(nodeid, "load", count=10**7, rate=RATE, members=1)
