"""What tools show of a knet ring: theirs and ours the same, beside stock nodes and beside ours."""

import re
import sys
from pathlib import Path

import pytest

from tests.interop.link_stories import DOWN_WITHIN_S, UP_WITHIN_S, cut, wait_links
from tests.interop.netbed import NetBed, Process, require, wait_until
from tests.interop.nodes import Cluster
from tests.interop.test_knet_ring import SEALED, SHORT_PINGS, TOKEN_MS

pytestmark = pytest.mark.interop

OURS = str(Path(sys.executable).parent / "corosync-tw")
ASKED = (["-s"], ["-sb"], ["-n"], ["-a", "2"], ["-a", "9"])
TOLD_WITHIN_S = 10.0
# Of corosync-cmapctl, what a node shows of its configuration and of the others.
KEYS = ("totem.interface.", "runtime.config.totem.interface.", "runtime.members.")


@pytest.fixture
def bed_and_ring(tmp_path):
    conf = {"transport": "knet", "token_ms": TOKEN_MS, "totem_extra": SEALED + SHORT_PINGS}
    with (
        NetBed([1, 2, 3], networks=2) as bed,
        Cluster(bed.machines, [2], [1, 3], tmp_path, **conf) as cluster,
    ):
        cluster.start()
        cluster.wait_quorate()
        for network in (0, 1):
            wait_links(cluster, network, set(), UP_WITHIN_S)
        yield bed, cluster


def test_links_are_shown_alike(bed_and_ring):
    bed, cluster = bed_and_ring
    bed.set_faults(*cut(3, 1))
    wait_links(cluster, 1, {3}, DOWN_WITHIN_S)
    shown = {}
    for nodeid, node in cluster.nodes.items():
        for arguments in ASKED:
            theirs = node.machine.run("corosync-cfgtool", *arguments, check=False)
            ours = node.machine.run(OURS, "cfgtool", *arguments, check=False)
            assert (ours.stdout, ours.returncode) == (theirs.stdout, theirs.returncode)
            shown.setdefault(nodeid, []).append(theirs.stdout)
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


def test_time_and_bytes_of_encryption_are_counted(bed_and_ring):
    _, cluster = bed_and_ring
    for node in cluster.nodes.values():
        said = node.machine.run("corosync-cmapctl", "-m", "stats", "stats.knet.handle.").stdout
        shown = dict(
            re.findall(r"^stats\.knet\.handle\.(\w+) \(u64\) = (\d+)$", said, re.MULTILINE)
        )
        count = {name: int(number) for name, number in shown.items()}
        for way in ("tx", "rx"):
            least, mean, most = (count[f"{way}_crypt_time_{w}"] for w in ("min", "ave", "max"))
            assert 0 < least <= mean <= most < 10**10, node.kind
            assert count[f"{way}_crypt_packets"] > 0
            assert count[f"{way}_compress_time_min"] == 2**64 - 1
        if node.kind == "ours":
            # Salt, padding and hash.
            assert 48 < count["tx_crypt_byte_overhead"] / count["tx_crypt_packets"] <= 64


def test_notifyd_tells_of_links(bed_and_ring, tmp_path):
    bed, cluster = bed_and_ring
    require("corosync-notifyd")
    logs = {nodeid: tmp_path / f"notifyd{nodeid}.log" for nodeid in (1, 2)}
    processes = [
        Process(bed.machines[nodeid], ["corosync-notifyd", "-f", "-o"], log, tmp_path)
        for nodeid, log in logs.items()
    ]
    try:
        for words, faults, apart in (("disconnected", cut(3, 1), {3}), ("operational", (), set())):
            for nodeid, log in logs.items():
                # It has asked for what it tells of when it tells of the quorum.
                text = f"[{nodeid}] is now quorate"
                wait_until(text, lambda log=log, text=text: text in log.read_text(), TOLD_WITHIN_S)
            bed.set_faults(*faults)
            wait_links(cluster, 1, apart, DOWN_WITHIN_S)
            for nodeid, log in logs.items():
                text = f"[{nodeid}] link 1 to node 3 is now {words}"
                wait_until(text, lambda log=log, text=text: text in log.read_text(), TOLD_WITHIN_S)
    finally:
        for process in processes:
            process.kill()
