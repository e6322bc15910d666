"""
What is done to a ring under Pacemaker, and where its resources must then be.

Each story begins and ends with all nodes online, one DC, and every resource on one of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.interop.netbed import wait_until
from tests.interop.pacemaker import WITHIN_S, Managed, Status, dummies


def begun(managed: Managed) -> Status:
    """Start everything, wait for a DC, and give it resources to place: one for each node."""
    managed.start_all()
    anyone = managed.managers[min(managed.managers)]

    def elected() -> bool:
        status = anyone.status()
        return (
            status is not None and bool(status.dc) and len(status.online) == len(managed.managers)
        )

    try:
        wait_until("a DC of all nodes", elected, WITHIN_S, 0.3)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{managed.tails()}") from None
    xml = dummies()
    anyone.tool("cibadmin", "--replace", "--scope", "resources", "--xml-text", xml)
    anyone.tool("crm_attribute", "--name", "cluster-name", "--update", "cti")
    said = anyone.tool("crm_attribute", "--name", "cluster-name", "--query", "--quiet")
    assert said == "cti\n", said
    status = managed.settled(sorted(managed.managers))
    used = {node for nodes in status.places.values() for node in nodes}
    assert used == status.online, f"each node should have one: {status.places}"
    return status


def lost(managed: Managed, victim: int) -> Status:
    """A cluster daemon is killed, its resources go elsewhere, it comes back and is used again."""
    others = [nodeid for nodeid in managed.managers if nodeid != victim]
    node = managed.cluster.nodes[victim]
    with quorum_kept(managed, others):
        node.sigkill()
        managed.settled(others)
        assert managed.managers[victim].alive, "pacemakerd waits for its cluster daemon"
        node.start()
        return managed.settled(sorted(managed.managers))


def stopped(managed: Managed, victim: int, kind: str = "") -> Status:
    """
    A node is stopped in order, its resources go elsewhere, it comes back and is used again.

    :param kind: the daemon it comes back with, ours or stock; by default the one it had.
    """
    others = [nodeid for nodeid in managed.managers if nodeid != victim]
    manager, node = managed.managers[victim], managed.cluster.nodes[victim]
    with quorum_kept(managed, others):
        assert manager.stop() == 0, managed.tails()
        assert not manager.running_here(), "what was stopped in order leaves nothing running"
        assert node.leave() == 0, managed.tails()
        managed.settled(others)
        if kind:
            node = managed.cluster.replace(victim, kind)
        node.start()
        managed.cluster.wait_quorate([victim], members=managed.managers)
        manager.start()
        return managed.settled(sorted(managed.managers))


@contextmanager
def quorum_kept(managed: Managed, nodeids: list[int]) -> Iterator[None]:
    """Check that Pacemaker on these nodes is never told that quorum was lost."""
    before = {nodeid: managed.managers[nodeid].quorum_losses() for nodeid in nodeids}
    yield
    for nodeid, losses in before.items():
        assert managed.managers[nodeid].quorum_losses() == losses, (
            f"n{nodeid} lost quorum\n{managed.tails()}"
        )
    managed.cluster.assert_sound()
