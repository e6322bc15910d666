"""Reload in a ring of ours: nodes come and go, timeouts change, bad files change nothing."""

import pytest

from tests.interop.netbed import NetBed, require, wait_until
from tests.interop.nodes import Cluster, Node, corosync_conf

NUMBERS = (1, 2, 3, 4)
TIMEOUT_S = 15.0


class Ring:
    """Three nodes that run and a fourth that may."""

    def __init__(self, machines, workdir) -> None:
        self.cluster = Cluster(machines, [], list(NUMBERS), workdir)
        self.nodes = self.cluster.nodes
        self.addresses = {n: machines[n].addresses for n in NUMBERS}
        self.listed: tuple[int, ...] = ()

    def write(self, *listed: int, token_ms: int = 1000, only: tuple[int, ...] = NUMBERS) -> None:
        """Put a file with these nodes on every machine, or on some."""
        addresses = {n: self.addresses[n] for n in listed}
        for nodeid in only:
            node = self.nodes[nodeid]
            text = corosync_conf(addresses, node.state_dir, run_dir=node.run_dir, token_ms=token_ms)
            node.conf.write_text(text)

    def value(self, nodeid: int, key: str) -> str:
        """Ask cmap for a value; empty when there is none."""
        asked = self.nodes[nodeid].machine.run("corosync-cmapctl", "-g", key, check=False)
        return asked.stdout.rstrip("\n").partition(" = ")[2]

    def values(self, key: str, *nodeids: int) -> list[str]:
        return [self.value(nodeid, key) for nodeid in nodeids]

    def reload(self, nodeid: int = 1):
        return self.nodes[nodeid].machine.run("corosync-cfgtool", "-R", check=False)

    def entered(self, nodeid: int) -> str:
        """Count the rings that a node was in."""
        machine = self.nodes[nodeid].machine
        key = "stats.srp.operational_entered"
        return machine.run("corosync-cmapctl", "-m", "stats", "-g", key).stdout

    def wait_value(self, key: str, wanted: str, *nodeids: int) -> None:
        what = f"{key} = {wanted}"
        wait_until(what, lambda: set(self.values(key, *nodeids)) == {wanted}, TIMEOUT_S)


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    require("corosync-cfgtool", "corosync-cmapctl", "corosync-quorumtool")
    with NetBed(NUMBERS) as bed:
        ring = Ring(bed.machines, tmp_path_factory.mktemp("reload"))
        with ring.cluster:
            ring.write(1, 2, 3)
            for nodeid in (1, 2, 3):
                ring.nodes[nodeid].start()
            ring.cluster.wait_quorate([1, 2, 3])
            yield ring


def log_of(node: Node) -> str:
    return node.log_text()


@pytest.mark.interop
def test_the_life_of_a_ring_that_is_reloaded(ring):
    rings = [ring.entered(n) for n in (1, 2, 3)]

    # Another token timeout, on all nodes at once, and the ring stays.
    ring.write(1, 2, 3, token_ms=2000)
    said = ring.reload(2)
    assert (said.returncode, said.stdout) == (0, "Reloading corosync.conf...\nDone\n")
    ring.wait_value("runtime.config.totem.token", "2000", 1, 2, 3)
    assert ring.values("config.reload_status", 1, 2, 3) == ["1"] * 3
    assert all("Config reload requested by node 2" in log_of(ring.nodes[n]) for n in (1, 2, 3))

    # A fourth node is listed: the ring stays until it comes.
    ring.write(1, 2, 3, 4, token_ms=2000)
    assert ring.reload().returncode == 0
    ring.wait_value("nodelist.node.3.nodeid", "4", 1, 2, 3)
    assert [ring.entered(n) for n in (1, 2, 3)] == rings
    ring.nodes[4].start()
    ring.cluster.wait_quorate([1, 2, 3, 4])
    ring.wait_value("runtime.members.4.status", "joined", 1, 2, 3)
    expected = ring.nodes[1].machine.run("corosync-quorumtool", "-s", check=False).stdout
    assert "Expected votes:   4\n" in expected

    # It leaves and is listed no more.
    assert ring.nodes[4].leave() == 0
    ring.cluster.wait_quorate([1, 2, 3])
    reason = "runtime.corosync_tw.members.4.left_reason"
    assert ring.value(1, reason) == "leave announced"
    assert "Node 4 left the ring: leave announced" in log_of(ring.nodes[1])
    ring.write(1, 2, 3, token_ms=2000)
    assert ring.reload(3).returncode == 0
    ring.wait_value("nodelist.node.3.nodeid", "", 1, 2, 3)
    said = ring.nodes[1].machine.run("corosync-quorumtool", "-s", check=False).stdout
    assert "Expected votes:   3\n" in said

    # A file that is wrong on one node changes the others alone.
    rings = [ring.entered(n) for n in (1, 2, 3)]
    ring.write(1, 2, 3, token_ms=3000)
    bad = ring.nodes[2].conf
    bad.write_text(bad.read_text().replace("token: 3000", "token: 3"))
    assert ring.reload(1).returncode == 0
    ring.wait_value("runtime.config.totem.token", "3000", 1, 3)
    ring.wait_value("config.reload_status", "7", 2)
    assert ring.value(2, "runtime.config.totem.token") == "2000"
    assert ring.value(2, "totem.token") == "2000"
    message = ring.value(2, "config.reload_error_message")
    assert message.startswith(f"{bad}:5: totem.token: 3 ms may not be less than 30 ms")
    said = ring.reload(2)
    assert said.returncode == 7
    assert "Could not reload configuration. Error CS_ERR_INVALID_PARAM" in said.stderr
    ring.write(1, 2, 3, token_ms=3000)
    assert ring.reload(2).returncode == 0
    ring.wait_value("runtime.config.totem.token", "3000", 2)
    assert ring.value(2, "config.reload_error_message") == ""

    # What needs a restart is named and stays; SIGHUP is a reload.
    for nodeid in (1, 2, 3):
        conf = ring.nodes[nodeid].conf
        conf.write_text(
            conf.read_text().replace("transport: udpu", "transport: udpu\n netmtu: 1400")
        )
    assert ring.reload().returncode == 0
    wait_until(
        "the name of the directive in the log",
        lambda: all("Modified entry 'totem.netmtu'" in log_of(ring.nodes[n]) for n in (1, 2, 3)),
        TIMEOUT_S,
    )
    assert ring.value(1, "totem.netmtu") == ""
    assert [ring.entered(n) for n in (1, 2, 3)] == rings
    ring.cluster.assert_alive([1, 2, 3])


@pytest.mark.interop
def test_a_client_changes_a_timeout(ring):
    machine = ring.nodes[1].machine
    machine.run("corosync-cmapctl", "-s", "totem.token", "u32", "4000")
    ring.wait_value("runtime.config.totem.consensus", "4800", 1)
    assert ring.value(2, "runtime.config.totem.token") == "3000"
    assert ring.reload().returncode == 0
    ring.wait_value("runtime.config.totem.token", "3000", 1)
    ring.cluster.assert_alive([1, 2, 3])
