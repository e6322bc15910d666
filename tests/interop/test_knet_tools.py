"""What tools show of a knet ring: theirs and ours the same, beside stock nodes and beside ours."""

import sys
from pathlib import Path

import pytest

from tests.interop.link_stories import DOWN_WITHIN_S, UP_WITHIN_S, cut, wait_links
from tests.interop.netbed import NetBed
from tests.interop.nodes import Cluster
from tests.interop.test_knet_ring import SEALED, SHORT_PINGS, TOKEN_MS

pytestmark = pytest.mark.interop

OURS = str(Path(sys.executable).parent / "corosync-tw")
ASKED = (["-s"], ["-sb"], ["-n"], ["-a", "2"], ["-a", "9"])
# Of corosync-cmapctl, what a node shows of its configuration and of the others.
KEYS = ("totem.interface.", "runtime.config.totem.interface.", "runtime.members.")


def test_links_are_shown_alike(tmp_path):
    conf = {"transport": "knet", "token_ms": TOKEN_MS, "totem_extra": SEALED + SHORT_PINGS}
    with (
        NetBed([1, 2, 3], networks=2) as bed,
        Cluster(bed.machines, [2], [1, 3], tmp_path, **conf) as cluster,
    ):
        cluster.start()
        cluster.wait_quorate()
        for network in (0, 1):
            wait_links(cluster, network, set(), UP_WITHIN_S)
        bed.set_faults(*cut(3, 1))
        wait_links(cluster, 1, {3}, DOWN_WITHIN_S)
        shown = {}
        for nodeid, node in cluster.nodes.items():
            for arguments in ASKED:
                theirs = node.machine.run("corosync-cfgtool", *arguments, check=False)
                ours = node.machine.run(OURS, "cfgtool", *arguments, check=False)
                assert (ours.stdout, ours.returncode) == (theirs.stdout, theirs.returncode)
                own = theirs.stdout.replace(f"ID {nodeid},", "ID ours,")
                shown.setdefault(nodeid, []).append(own)
            assert "LINK ID 1 udp\n" in shown[nodeid][0]
            assert "mtu: 1397" in shown[nodeid][2]
        # Both see two nodes on each link but for the one that was cut: ours as stock.
        assert [said.count("\tconnected") for said, *_ in shown.values()] == [3, 3, 2]
        keys = {
            nodeid: {
                line.partition(" =")[0]
                for key in KEYS
                for line in node.machine.run("corosync-cmapctl", key).stdout.splitlines()
            }
            for nodeid, node in cluster.nodes.items()
        }
        assert keys[1] == keys[2] == keys[3]
