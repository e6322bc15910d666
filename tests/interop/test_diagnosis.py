"""One node asks the others, stock ones among them, and an administrator reads what is wrong."""

import json
import subprocess
import sys
import tarfile

import pytest

from tests.interop.netbed import Fault, NetBed, require
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop
NODES = [1, 2, 3, 4]
STOCK = 3
ABSENT = 4
SECRET = "not to be told"


def tool(node, *words):
    command = (sys.executable, "-m", "corosync_tw.cli.main", *words, "--socket", str(node.socket))
    return node.machine.run(*command, check=False)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    require("corosync-cmapctl")
    workdir = tmp_path_factory.mktemp("diagnosis")
    with (
        NetBed(NODES) as bed,
        Cluster(bed.machines, [STOCK], [1, 2, ABSENT], workdir, transport="udpu") as cluster,
    ):
        conf = cluster.nodes[2].conf
        text = conf.read_text()
        conf.write_text(text.replace("totem {", f"totem {{\n    key: {SECRET}\n    join: 60", 1))
        cluster.bed = bed
        del cluster.nodes[ABSENT]
        cluster.start()
        cluster.wait_quorate()
        yield cluster


def test_a_diagnosis_names_what_is_wrong_where(cluster):
    outcome = tool(cluster.nodes[1], "doctor", "--json")
    assert outcome.returncode == 1, outcome.stderr
    told = json.loads(outcome.stdout)
    assert (told["members"], told["told"]) == ([1, 2, 3], [1, 2])
    by_nodes = {(*f["nodes"],): f for f in told["findings"] if f["severity"] != "note"}
    assert "no daemon listens" in by_nodes[ABSENT,]["text"]
    assert "totem.join" in by_nodes[()]["text"]
    notes = [f["nodes"] for f in told["findings"] if "stock Corosync" in f["text"]]
    assert notes == [[STOCK]]
    text = tool(cluster.nodes[1], "doctor").stdout
    assert "fault    node 4: not in the ring; the host answers, but no daemon listens" in text


def test_a_node_behind_a_firewall_is_told_from_one_that_is_down(cluster):
    cluster.bed.set_faults(Fault(0, receiver=ABSENT))
    try:
        told = json.loads(tool(cluster.nodes[2], "doctor", "--json").stdout)
    finally:
        cluster.bed.set_faults()
    (text,) = [f["text"] for f in told["findings"] if f["nodes"] == [ABSENT]]
    assert "nothing" in text or "no host" in text


def test_a_report_holds_what_all_members_know_and_no_secret(cluster, tmp_path):
    path = tmp_path / "all.tar.gz"
    outcome = tool(cluster.nodes[1], "report", "-o", str(path))
    assert outcome.returncode == 1
    assert outcome.stdout.strip() == str(path)
    assert f"node {STOCK}" in outcome.stderr
    with tarfile.open(path) as archive:
        names = set(archive.getnames())
        whole = b"".join(archive.extractfile(member).read() for member in archive)
        archive.extractall(tmp_path, filter="data")
    assert SECRET.encode() not in whole
    for nodeid in (1, 2):
        for name in ("facts.json", "corosync.conf", "corosync.log", "statistics.json"):
            assert f"all/node{nodeid}/{name}" in names
    recording = tmp_path / "all" / "node2" / "flight-2.rec"
    command = (sys.executable, "-m", "corosync_tw.cli.main", "fplay", str(recording))
    assert "entering OPERATIONAL state" in cluster.nodes[2].machine.run(*command).stdout
    statistics = json.loads((tmp_path / "all/node2/statistics.json").read_text())
    assert statistics["stats.srp.orf_token_rx"] > 0
    again = tool(cluster.nodes[1], "report", "-o", str(path))
    assert (again.returncode, again.stdout) == (1, "")
    assert "there is such a file already" in again.stderr


def test_without_a_daemon_the_file_is_checked(tmp_path):
    conf = tmp_path / "corosync.conf"
    conf.write_text("totem {\n    version: 7\n}\n")
    words = ("doctor", "--socket", str(tmp_path / "none"), "--config", str(conf))
    command = (sys.executable, "-m", "corosync_tw.cli.main", *words)
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 1
    assert "no daemon answers" in outcome.stderr
    assert f"{conf}:2" in outcome.stderr
