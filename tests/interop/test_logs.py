"""What a ring of ours logs is what a stock ring logs, and a log that is full costs lines alone."""

import re

import pytest

from tests.interop.netbed import NetBed, require, wait_until
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop

STOCK, OURS = (1, 2), (3, 4)
TOKEN_MS = 1000
WITHIN_S = 60.0
# What stock says of itself, of its machine and of clients that ask too early, not of the ring.
NOT_OURS = ("Corosync built-in features:", "RLIMIT_MEMLOCK", "Denied connection, is not ready")
# What scripts and people look for, and in which order it comes in this story.
LOOKED_FOR = (
    "[MAIN  ] Corosync Cluster Engine",
    "[TOTEM ] Initializing transport (UDP/IP Unicast).",
    "[SERV  ] Service engine loaded: corosync cluster closed process group service v1.01 [2]",
    "[QUORUM] Using quorum provider corosync_votequorum",
    "[TOTEM ] A new membership (",
    "[QUORUM] This node is within the primary component and will provide service.",
    "[MAIN  ] Completed service synchronization, ready to provide service.",
    "[TOTEM ] Token has not been received in ",
    "[TOTEM ] A processor failed, forming new configuration: token timed out (1000ms), waiting",
    "[TOTEM ] A new membership (",
    "[TOTEM ] Failed to receive the leave message. failed: ",
    "[QUORUM] This node is within the non-primary component and will NOT provide any services.",
    "[MAIN  ] Node was shut down by a signal",
    "[SERV  ] Unloading all Corosync service engines.",
    "[SERV  ] Service engine unloaded: corosync vote quorum service v1.0",
    "[MAIN  ] Corosync Cluster Engine exiting normally",
)
LOST = "stats.corosync_tw.log.lines_lost"


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    require("corosync-cmapctl", "corosync-cfgtool", "corosync-quorumtool")
    with NetBed([*STOCK, *OURS]) as machines:
        yield machines, tmp_path_factory.mktemp("logs")


def kinds_of_lines(text):
    """Lines without times, numbers and versions; lists of nodes are of any length."""
    kinds = set()
    for line in text.splitlines():
        found = re.match(r"\w{3} \d\d [\d:.]+ (\w+ +\[.{6}\] .*)", line)
        if found is not None:
            kind = re.sub(r"\([0-9]+\.[0-9a-f]+\)|[0-9][0-9.]*", "N", found[1].rstrip())
            kinds.add(re.sub(r"N( N)+", "N", kind))
    return kinds


def in_order(phrases, text):
    """Give the phrases that are missing behind those before them."""
    missing, at = [], 0
    for phrase in phrases:
        found = text.find(phrase, at)
        if found < 0:
            missing.append(phrase)
        else:
            at = found
    return missing


def test_our_log_of_a_rings_life_is_stock_s(bed):
    machines, workdir = bed
    clusters = [
        Cluster(machines.machines, list(STOCK), [], workdir / "stock", token_ms=TOKEN_MS),
        Cluster(machines.machines, [], list(OURS), workdir / "ours", token_ms=TOKEN_MS),
    ]
    survivors = [cluster.nodes[min(cluster.nodes)] for cluster in clusters]
    try:
        for cluster in clusters:
            cluster.start()
        for cluster in clusters:
            cluster.wait_quorate(timeout_s=WITHIN_S)
            cluster.nodes[max(cluster.nodes)].sigkill()
        for node in survivors:
            wait_until(
                "loss of quorum",
                lambda node=node: in_order(LOOKED_FOR[:12], node.log_text()) == [],
                WITHIN_S,
            )
            assert node.leave() == 0
    finally:
        for cluster in clusters:
            cluster.__exit__()
    stock, ours = (node.log_text() for node in survivors)
    assert in_order(LOOKED_FOR, stock) == []
    assert in_order(LOOKED_FOR, ours) == []
    lacking = kinds_of_lines(stock) - kinds_of_lines(ours)
    assert [kind for kind in lacking if not any(word in kind for word in NOT_OURS)] == []


@pytest.fixture
def small_disk(bed):
    """Two nodes of ours, one of which logs all it can to a file system of two pages."""
    machines, workdir = bed
    disk = workdir / "disk"
    disk.mkdir()
    machine = machines.machines[OURS[0]]
    machine.run("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk))
    with Cluster(machines.machines, [], list(OURS), workdir / "full", token_ms=TOKEN_MS) as ring:
        node = ring.nodes[OURS[0]]
        wanted = f"logging {{\n    to_logfile: yes\n    logfile: {disk}/x.log\n"
        wanted += "    logger_subsys {\n        subsys: TOTEM\n        debug: trace\n"
        wanted += "        to_stderr: no\n    }\n"
        node.conf.write_text(node.conf.read_text().replace("logging {\n", wanted))
        ring.start()
        ring.wait_quorate(timeout_s=WITHIN_S)
        yield ring, node, disk / "x.log"
    machine.run("umount", str(disk))


def test_a_full_disk_costs_lines_and_no_membership(small_disk):
    ring, node, logfile = small_disk

    def lost():
        told = node.machine.run("corosync-cmapctl", "-m", "stats", "-g", LOST).stdout
        return int(told.rpartition("= ")[2])

    def written():
        return node.machine.run("cat", str(logfile)).stdout

    def memberships():
        return ring.nodes[OURS[1]].log_text().count("A new membership")

    before = memberships()
    wait_until("a full disk", lambda: lost() > 100, WITHIN_S)
    warning = f"Log messages are lost at {logfile}: No space left on device."
    wait_until("a warning elsewhere", lambda: warning in node.log_text(), WITHIN_S)
    assert sorted(node.quorate_members()) == list(OURS)
    # Room again, as by an administrator's hand: the file tells of the loss.
    node.machine.run("truncate", "-s", "0", str(logfile))
    wait_until("word of the loss", lambda: "messages lost: No space" in written(), WITHIN_S)
    assert "A new membership" not in written()
    assert memberships() == before
    # A rotation, and one that fails.
    node.machine.run("mv", str(logfile), f"{logfile}.1")
    node.machine.run("corosync-cfgtool", "-L")
    assert "A new" not in written()
    node.machine.run("rm", str(logfile), f"{logfile}.1")
    node.machine.run("mkdir", str(logfile))
    failed = node.machine.run("corosync-cfgtool", "-L", check=False)
    assert failed.returncode != 0
    assert "Could not reopen corosync logging files. Error " in failed.stderr
    assert "Cannot open the log file" in node.log_text()
