"""Redundant rings over real sockets: no single network failure changes the membership."""

import os
import sys

import pytest

from tests.interop import ring_stories
from tests.interop.link_stories import memberships
from tests.interop.netbed import Fault, NetBed, require, wait_until
from tests.interop.nodes import Cluster
from tests.interop.ring_stories import BRISK, LOSS_PERCENT, wait_faulty

pytestmark = pytest.mark.interop
NODES = [1, 2, 3]
# The token's timeout outlasts pauses of a busy machine; the other timers are those of a short one.
TOKEN_MS = 10_000
TIMERS = "    token_retransmit: 238\n    hold: 180\n"


@pytest.fixture
def bed(request):
    require("corosync-cmapctl", "corosync-quorumtool")
    with NetBed(NODES, networks=request.param) as bed:
        yield bed


def ring(bed, workdir, mode, transport, extra=BRISK):
    return Cluster(
        bed.machines,
        [],
        NODES,
        workdir,
        transport=transport,
        token_ms=TOKEN_MS,
        totem_extra=f"    rrp_mode: {mode}\n{TIMERS}{extra}",
    )


EVERY_WAY = [
    Fault(0),
    Fault(1),
    Fault(1, sender=1),
    Fault(0, receiver=2),
    Fault(0, sender=2, receiver=3),
    Fault(0, percent=LOSS_PERCENT),
]
CASES = [
    pytest.param(2, "passive", "udpu", EVERY_WAY, id="passive-udpu"),
    pytest.param(2, "passive", "udp", [Fault(0), Fault(1, sender=3)], id="passive-udp"),
    pytest.param(2, "active", "udpu", EVERY_WAY, id="active-udpu"),
    pytest.param(3, "active-passive", "udpu", [*EVERY_WAY, Fault(2)], id="active-passive"),
]


@pytest.mark.parametrize(("bed", "mode", "transport", "faults"), CASES, indirect=["bed"])
def test_no_fault_of_one_network_is_noticed(bed, tmp_path, mode, transport, faults):
    with ring(bed, tmp_path, mode, transport) as cluster:
        cluster.start()
        cluster.wait_quorate()
        for line in ring_stories.rings_fail_and_heal(cluster, bed, faults):
            print(line)


def our_cfgtool(node, *options):
    """Run our own tool beside a node: what it printed, and its exit status."""
    command = (sys.executable, "-m", "corosync_tw.cli.main", "cfgtool", *options)
    outcome = node.machine.run(*command, check=False)
    return outcome.stdout, outcome.returncode


@pytest.mark.parametrize("bed", [2], indirect=True)
def test_the_administrator_sees_a_fault_and_re_enables_the_ring(bed, tmp_path):
    never = "    rrp_autorecovery_check_timeout: 600000\n"
    with ring(bed, tmp_path, "passive", "udpu", never) as cluster:
        cluster.start()
        cluster.wait_quorate()
        node = cluster.nodes[1]
        status = (
            "Printing ring status.\nLocal node ID 1\n"
            "RING ID 0\n\tid\t= 10.77.5.1\n\tstatus\t= ring 0 active with no faults\n"
            "RING ID 1\n\tid\t= 10.77.6.1\n\tstatus\t= ring 1 active with no faults\n"
        )
        assert our_cfgtool(node, "-s") == (status, 0)
        bed.set_faults(Fault(1))
        wait_faulty(cluster, 1, "1", ring_stories.FAULTY_WITHIN_S)
        said, code = our_cfgtool(node, "-s")
        assert "RING ID 1\n\tid\t= 10.77.6.1\n\tstatus\t= Marking ringid 1 interface" in said
        assert code == 1
        # The stock tool knows no rings; to it the link is down.
        stock = node.machine.run("corosync-cfgtool", "-s").stdout
        assert "LINK ID 1 \n\taddr\t= 10.77.6." in stock
        assert "disconnected" in stock.partition("LINK ID 1")[2]
        assert "disconnected" not in stock.partition("LINK ID 1")[0]
        bed.set_faults()
        assert our_cfgtool(node, "-r") == ("Re-enabling all failed rings.\n", 0)
        wait_faulty(cluster, 1, "0", ring_stories.SOUND_WITHIN_S)
        for each in cluster.nodes.values():
            assert "Marking ringid 1 interface" in each.log_text()
            assert "Ring 1 is used again by order of an administrator" in each.log_text()


FORGER = """
import socket
from corosync_tw.corotypes import RingId
from corosync_tw.totem.rrp import frames, probe
forged = probe.Probe(frames.KIND_RING_TEST, 3, 1, probe.LAP_MULTICAST, 3, 5, 9, 77, RingId(1, 8))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("10.77.6.3", 0))
    for kind in (frames.KIND_RING_TEST, frames.KIND_RING_ACTIVATE) * 4:
        sock.sendto(
            probe.encode_probe(forged._replace(kind=kind), probe.NoAuthenticator()),
            ("10.77.6.1", 5406),
        )
"""


@pytest.mark.parametrize("bed", [2], indirect=True)
def test_a_forged_recovery_changes_nothing(bed, tmp_path):
    keyfile = tmp_path / "authkey"
    keyfile.write_bytes(os.urandom(256))
    with ring(bed, tmp_path, "passive", "udpu", f"{BRISK}    keyfile: {keyfile}\n") as cluster:
        cluster.start()
        cluster.wait_quorate()
        node = cluster.nodes[1]
        bed.set_faults(Fault(1, receiver=2))
        wait_faulty(cluster, 1, "1", ring_stories.FAULTY_WITHIN_S)
        bed.machines[3].run(sys.executable, "-c", FORGER)
        key = "stats.corosync_tw.rrp.probes_refused"
        count = lambda: node.machine.run("corosync-cmapctl", "-m", "stats", "-g", key).stdout
        wait_until("all are refused", lambda: count().endswith(" = 8\n"), 10)
        assert node.log_text().count("A test of ring 1 from node 3 is not believed, its tag") == 1
        assert set(ring_stories.faulty(cluster, 1).values()) == {"1"}
        bed.set_faults()
        wait_faulty(cluster, 1, "0", ring_stories.SOUND_WITHIN_S)


RING_BLOCK = (
    "    interface {{\n        ringnumber: {0}\n        bindnetaddr: 10.77.{1}.0\n"
    "        mcastaddr: 239.192.77.{1}\n        mcastport: {2}\n    }}\n"
)


@pytest.mark.parametrize("bed", [2], indirect=True)
def test_a_file_of_1x_without_a_nodelist(bed, tmp_path):
    rings = "".join(RING_BLOCK.format(n, 5 + n, 5405 + 2 * n) for n in (0, 1))
    with ring(bed, tmp_path, "passive", "udp") as cluster:
        for nodeid, node in cluster.nodes.items():
            text = node.conf.read_text()
            before, _, rest = text.partition("nodelist {")
            totem = before.partition("    interface {")[0] + f"    nodeid: {nodeid}\n{rings}}}\n"
            others = rest.partition("quorum {")[2]
            quorum = "quorum {\n    expected_votes: 3" + others
            node.conf.write_text(totem + quorum)
        cluster.start()
        cluster.wait_quorate()
        ring_stories.rings_fail_and_heal(cluster, bed, [Fault(0), Fault(1)])


@pytest.mark.parametrize(("transport", "network"), [("udpu", 0), ("udp", 1)])
@pytest.mark.parametrize("bed", [2], indirect=True)
def test_interfaces_and_nodes_come_and_go_while_a_ring_is_dead(bed, tmp_path, transport, network):
    """A node begins without an address on one of its networks, and loses the interface later."""
    machine, eth, other = bed.machines[2], f"eth{network}", 1 - network

    def wait(ring, value):
        within_s = ring_stories.FAULTY_WITHIN_S if value == "1" else ring_stories.SOUND_WITHIN_S
        wait_faulty(cluster, ring, value, within_s)

    with ring(bed, tmp_path, "passive", transport) as cluster:
        machine.run("ip", "addr", "flush", "dev", eth)
        cluster.start()
        cluster.wait_quorate()
        wait(network, "1")
        before = memberships(cluster)
        machine.run("ip", "addr", "add", f"{machine.addresses[network]}/24", "dev", eth)
        wait(network, "0")
        machine.run("ip", "link", "set", eth, "down")
        wait(network, "1")
        machine.run("ip", "link", "set", eth, "up")
        wait(network, "0")
        assert memberships(cluster) == before, cluster.tail_logs()
        # A node is killed and comes back by the ring that is left.
        bed.set_faults(Fault(other))
        wait(other, "1")
        cluster.nodes[3].sigkill()
        cluster.nodes[3].start()
        cluster.wait_quorate()
        wait(other, "1")
        bed.set_faults()
        wait(other, "0")
        cluster.assert_alive(NODES)
        assert "not believed" not in cluster.nodes[1].log_text()
