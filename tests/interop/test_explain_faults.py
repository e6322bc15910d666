"""Disks that are full, configurations that differ, packets that are lost: what `explain` says."""

import os
import re

import pytest

from tests.interop.explain_stories import ask, causes, copied, explained
from tests.interop.netbed import Fault, NetBed, wait_until
from tests.interop.nodes import Cluster
from tests.interop.test_logs import log_all_to, lost_lines

pytestmark = pytest.mark.interop
NODES = [1, 2, 3]
STRANGER = 4
NOWHERE = 9
TIMEOUT_S = 60.0
LOSSES_PERCENT = (60, 70, 80, 90)
LOSS_S = 5.0
ATTEMPTS = 5
LOST = "A processor failed, forming new configuration"
FORMED = re.compile(r"A new membership \((\S+)\) was formed\. Members(.*)")
# A recorder's file, that of the process before it, and little more.
DISK = "size=9m"
# Room for a ring id and for no recorder.
SMALL_DISK = "size=64k"
LOG_DISK = "size=8k"
# The first node and one other, or in a small cluster it alone, have quorum.
FIRST_HAS_QUORUM = ("nodeid: 1\n", "nodeid: 1\n        quorum_votes: 3\n")
KNET = (
    "    crypto_cipher: aes256\n    crypto_hash: sha256\n    keyfile: {}\n"
    "    interface {{\n        linknumber: 0\n        knet_ping_interval: 100\n"
    "        knet_ping_timeout: 300\n    }}\n"
)


def conf(keyfile):
    return f"    config_version: 2\n    udp_crypto: aes256-gcm\n    keyfile: {keyfile}\n"


@pytest.fixture(scope="module")
def keyfile(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "authkey"
    path.write_bytes(os.urandom(256))
    return path


@pytest.fixture(scope="module")
def other_key(keyfile):
    path = keyfile.with_name("otherkey")
    path.write_bytes(os.urandom(256))
    return path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, keyfile):
    """Three nodes in a ring, and a fourth that is in their nodelist and does not run."""
    workdir = tmp_path_factory.mktemp("explain")
    with (
        NetBed([*NODES, STRANGER]) as bed,
        Cluster(
            bed.machines, [], [*NODES, STRANGER], workdir, totem_extra=conf(keyfile)
        ) as cluster,
    ):
        cluster.bed = bed
        for node in cluster.nodes.values():
            write(node, *FIRST_HAS_QUORUM)
        for nodeid in NODES:
            cluster.nodes[nodeid].start()
        cluster.wait_quorate(NODES)
        yield cluster


@pytest.fixture
def stranger(cluster):
    """The fourth node, not started yet, with its own configuration."""
    node = cluster.nodes[STRANGER]
    text = node.conf.read_text()
    yield node
    if node.process is not None and node.process.exit_status is None:
        node.leave()
    cluster.wait_quorate(NODES)
    node.conf.write_text(text)


def write(node, old, new):
    text = node.conf.read_text()
    assert old in text
    node.conf.write_text(text.replace(old, new))


def status_at_end(cluster, node):
    """Wait until a daemon ends by itself, and give its exit status."""
    try:
        wait_until("its end", lambda: node.running.exit_status is not None, TIMEOUT_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{cluster.tail_logs(30)}") from None
    return node.running.exit_status


def lone_rings(node):
    return node.log_text().count("Members[1]")


def start_alone(node):
    """Start a node that finds nobody."""
    before = lone_rings(node)
    node.start()
    wait_until("a ring alone", lambda: lone_rings(node) > before, TIMEOUT_S)


def test_a_node_that_never_was_there(cluster):
    told = explained(cluster.nodes[1], str(STRANGER))
    assert (told["ring"], told["left"]) == (None, [])
    assert causes(told, "out", STRANGER) == [("unknown", "unknown")]
    assert "its daemon does not run, or the network" in told["out"][0]["text"]
    told = explained(cluster.nodes[1], str(NOWHERE))
    assert causes(told, "out") == [("not_listed", "certain")]
    assert "which has 1, 2, 3, 4" in told["out"][0]["text"]
    outcome = ask(cluster.nodes[1], "1")
    assert outcome.returncode == 1
    assert "no recording says that node 1 left; it is in ring" in outcome.stderr


def lost_tokens(cluster):
    return sum(cluster.nodes[nodeid].log_text().count(LOST) for nodeid in NODES)


def seen_within(condition, timeout_s):
    try:
        wait_until("anything", condition, timeout_s, 0.02)
    except AssertionError:
        return False
    return True


def rings_of(node):
    """List the rings that a node logged: name, and who joined or left."""
    return FORMED.findall(node.log_text())


def lose_token(cluster):
    """
    Lose more and more packets until a token is lost, and no more then.

    :return: the name of the next ring; None when nodes were lost, or the token was not.
    """
    node = cluster.nodes[1]
    lost, rings = lost_tokens(cluster), len(rings_of(node))
    try:
        for percent in LOSSES_PERCENT:
            cluster.bed.set_faults(Fault(0, percent=percent, ip_only=True))
            if seen_within(lambda: lost_tokens(cluster) > lost, LOSS_S):
                break
    finally:
        cluster.bed.set_faults()
    wait_until("a ring", lambda: len(rings_of(node)) > rings, TIMEOUT_S)
    cluster.wait_quorate(NODES)
    ring, moved = rings_of(node)[rings]
    return None if moved else ring


def test_a_token_that_is_lost_by_loss(cluster):
    found = (lose_token(cluster) for _ in range(ATTEMPTS))
    ring = next(ring for ring in found if ring is not None)
    told = explained(cluster.nodes[1], ring)
    assert (told["members"], told["left"], told["joined"]) == (NODES, [], [])
    ((cause, confidence),) = causes(told, "formed_anew")
    assert cause == "token_lost_by_loss"
    evidence = {each["event"] for each in told["formed_anew"][0]["evidence"]}
    assert "token_lost" in evidence
    # It is sure where somebody had sent the token again in vain before the others gave it up,
    # or messages had to be asked for again.
    proof = {"token_trail", "retransmit_list"}
    assert (confidence == "certain") == bool(evidence & proof)
    assert explained(cluster.nodes[1], told["time"])["ring"] == ring


def test_an_older_configuration(cluster, stranger, tmp_path):
    write(stranger, "config_version: 2", "config_version: 1")
    stranger.start()
    assert status_at_end(cluster, stranger) == 0
    cluster.wait_quorate(NODES)
    told = explained(cluster.nodes[1], str(STRANGER))
    assert causes(told, "left", STRANGER) == [("configuration_mismatch", "certain")]
    assert "config_version 1 and that of the others 2" in told["left"][0]["text"]
    told = explained(cluster.nodes[1], str(STRANGER), files=copied(stranger, tmp_path / "copies"))
    assert causes(told, "left", STRANGER) == [("configuration_mismatch", "certain")]
    assert causes(told, "out") == []


def test_another_key(cluster, stranger, keyfile, other_key, tmp_path):
    write(stranger, str(keyfile), str(other_key))
    start_alone(stranger)
    told = explained(cluster.nodes[1], str(STRANGER))
    assert causes(told, "out", STRANGER) == [("configuration_mismatch", "certain")]
    assert "its key or cipher is another one" in told["out"][0]["text"]
    # It says the same of itself, and of the others.
    assert causes(explained(stranger, str(STRANGER)), "out") == causes(told, "out")
    assert causes(explained(stranger, "1"), "out", 1) == causes(told, "out")


def test_a_node_that_comes_back_with_another_key(cluster, keyfile, other_key):
    node = cluster.nodes[3]
    assert node.leave() == 0
    cluster.wait_quorate([1, 2])
    write(node, str(keyfile), str(other_key))
    start_alone(node)
    try:
        told = explained(cluster.nodes[1], "3")
        assert causes(told, "left", 3) == [("clean_leave", "certain")]
        assert causes(told, "out", 3) == [("configuration_mismatch", "certain")]
    finally:
        node.leave()
        write(node, str(other_key), str(keyfile))
        node.start()
        cluster.wait_quorate(NODES)


def mount(node, size, directory=None):
    where = str(directory or node.state_dir)
    node.machine.run("mount", "-t", "tmpfs", "-o", size, "tmpfs", where)


def fill(node):
    """Write until the file system of a node's state is full."""
    script = 'cat /dev/zero >"$1/filler" 2>/dev/null || true'
    node.machine.run("sh", "-c", script, "sh", str(node.state_dir))


def test_a_disk_that_is_full(cluster, stranger, tmp_path):
    mount(stranger, DISK)
    stranger.start()
    cluster.wait_quorate([*NODES, STRANGER])
    fill(stranger)
    assert cluster.nodes[3].leave() == 0
    assert status_at_end(cluster, stranger) == 21
    cluster.nodes[3].start()
    cluster.wait_quorate(NODES)
    assert causes(explained(cluster.nodes[1], str(STRANGER)), "left", STRANGER)[0][0] == "unknown"
    told = explained(cluster.nodes[1], str(STRANGER), files=copied(stranger, tmp_path / "copies"))
    assert causes(told, "left", STRANGER) == [("disk_full", "certain")]
    assert causes(told, "out") == []
    # While it is full, the daemon does not start, and says why.
    stranger.start()
    assert status_at_end(cluster, stranger) == 16
    assert "No space left on device. Make room there" in stranger.log_text()
    # Back in the ring it tells by itself.
    stranger.machine.run("rm", str(stranger.state_dir / "filler"))
    stranger.start()
    cluster.wait_quorate([*NODES, STRANGER])
    told = explained(cluster.nodes[1], str(STRANGER))
    assert causes(told, "left", STRANGER) == [("disk_full", "certain")]
    stranger.leave()
    stranger.machine.run("umount", str(stranger.state_dir))


def test_no_room_for_a_recorder(cluster, stranger):
    mount(stranger, SMALL_DISK)
    stranger.start()
    cluster.wait_quorate([*NODES, STRANGER])
    lines = [line for line in stranger.log_text().splitlines() if "No flight recorder" in line]
    assert len(lines) == 1
    assert "No space left on device. The node runs without it; make room" in lines[0]
    outcome = ask(cluster.nodes[1])
    assert outcome.returncode == 0
    assert f"node {STRANGER} records nothing (" in outcome.stderr
    assert f"Without that of node {STRANGER}." in outcome.stdout
    assert stranger.leave() == 0
    cluster.wait_quorate(NODES)
    told = explained(cluster.nodes[1], str(STRANGER))
    assert causes(told, "left", STRANGER) == [("clean_leave", "certain")]
    stranger.machine.run("umount", str(stranger.state_dir))


def test_a_log_without_room_costs_no_membership(cluster, stranger):
    disk = stranger.workdir / "log"
    disk.mkdir()
    mount(stranger, LOG_DISK, disk)
    log_all_to(stranger, disk / "x.log")
    stranger.start()
    cluster.wait_quorate([*NODES, STRANGER])
    wait_until("a full disk", lambda: lost_lines(stranger) > 0, TIMEOUT_S)
    before = lost_lines(stranger)
    assert cluster.nodes[3].leave() == 0
    cluster.wait_quorate([1, 2, STRANGER])
    assert causes(explained(stranger, "3"), "left", 3) == [("clean_leave", "certain")]
    cluster.nodes[3].start()
    cluster.wait_quorate([*NODES, STRANGER])
    assert lost_lines(stranger) > before
    assert stranger.leave() == 0
    stranger.machine.run("umount", str(disk))


def test_other_keys_over_knet(tmp_path, keyfile, other_key):
    conf = {"transport": "knet", "totem_extra": KNET.format(keyfile)}
    with NetBed(NODES) as bed, Cluster(bed.machines, [], NODES, tmp_path, **conf) as cluster:
        one, two, three = cluster.nodes.values()
        for node in (one, two, three):
            write(node, *FIRST_HAS_QUORUM)
        one.start()
        two.start()
        cluster.wait_quorate([1, 2])
        assert two.leave() == 0
        cluster.wait_quorate([1])
        for node in (two, three):
            write(node, str(keyfile), str(other_key))
            node.start()
        cluster.wait_quorate([1])
        wait_until("their ring", lambda: "Members[2]: 2 3" in two.log_text(), TIMEOUT_S)
        told = explained(one, "2")
        assert causes(told, "left", 2) == [("clean_leave", "certain")]
        assert causes(told, "out", 2) == [("configuration_mismatch", "certain")]
        told = explained(one, "3")
        assert (told["ring"], told["left"]) == (None, [])
        assert causes(told, "out", 3) == [("configuration_mismatch", "certain")]
        assert causes(explained(three, "1"), "out", 1) == causes(told, "out")
