"""What a ring of ours logs is what a stock ring logs, and a log that is full costs lines alone."""

import fcntl
import os
import re
import select
import subprocess
import sys

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
# What is looked for with debug: on.
LOOKED_FOR_IN_DEBUG = (
    "[TOTEM ] Token Timeout (1000 ms) retransmit timeout (98 ms)",
    "[TOTEM ] token hold (68 ms) retransmits before loss (10 retrans)",
    "[TOTEM ] entering GATHER state from 15(interface change).",
    "[TOTEM ] Creating commit token because I am the rep.",
    "[TOTEM ] Saving state aru 0 high seq received 0",
    "[MAIN  ] Storing new sequence id for ring ",
    "[TOTEM ] entering COMMIT state.",
    "[TOTEM ] got commit token",
    "[TOTEM ] entering RECOVERY state.",
    "[TOTEM ] TRANS [0] member ",
    "[TOTEM ] position [1] member ",
    "[TOTEM ] previous ringid (",
    "[TOTEM ] aru 0 high delivered 0 received flag 1",
    "[TOTEM ] Did not need to originate any messages in recovery.",
    "[TOTEM ] Sending initial ORF token",
    "[TOTEM ] Resetting old ring state",
    "[TOTEM ] recovery to regular 1-0",
    "[TOTEM ] waiting_trans_ack changed to 1",
    "[MAIN  ] Member joined: r(0) ip(10.77.5.",
    "[TOTEM ] entering OPERATIONAL state.",
    "[SYNC  ] call init for locally known services",
    "[VOTEQ ] got nodeinfo message from cluster node ",
    "[VOTEQ ] flags: quorate: No Leaving: No WFA Status: No First: ",
    "[VOTEQ ] total_votes=2, expected_votes=2",
    "[VOTEQ ] quorum regained, resuming activity",
    "[SYNC  ] enter sync process",
    "[SYNC  ] Committing synchronization for corosync vote quorum service v1.0",
    "[TOTEM ] waiting_trans_ack changed to 0",
    "[TOTEM ] The token was lost in the OPERATIONAL state.",
    "[TOTEM ] entering GATHER state from 2(The token was lost in the OPERATIONAL state.).",
    "[VOTEQ ] quorum lost, blocking activity",
    "[MAIN  ] Member left: r(0) ip(10.77.5.",
    "[TOTEM ] sending join/leave message",
)
FORMED = "stats.srp.operational_entered"
LOST = "stats.corosync_tw.log.lines_lost"


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    require("corosync-cmapctl", "corosync-cfgtool", "corosync-quorumtool")
    with NetBed([*STOCK, *OURS]) as machines:
        yield machines, tmp_path_factory.mktemp("logs")


def kinds_of_lines(text):
    """Lines above debug, without times, numbers and versions; lists of nodes are of any length."""
    kinds = set()
    for line in text.splitlines():
        found = re.match(r"\w{3} \d\d [\d:.]+ (\w+ +\[.{6}\] .*)", line)
        if found is not None and not found[1].startswith("debug"):
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
    conf = {"token_ms": TOKEN_MS, "logging_extra": "    debug: on\n"}
    clusters = [
        Cluster(machines.machines, list(STOCK), [], workdir / "stock", **conf),
        Cluster(machines.machines, [], list(OURS), workdir / "ours", **conf),
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
    assert [words for words in LOOKED_FOR_IN_DEBUG if words not in stock] == []
    assert [words for words in LOOKED_FOR_IN_DEBUG if words not in ours] == []
    lacking = kinds_of_lines(stock) - kinds_of_lines(ours)
    assert [kind for kind in lacking if not any(word in kind for word in NOT_OURS)] == []


def log_all_to(node, path):
    """Have a node log each visit of the token to a file."""
    wanted = f"logging {{\n    to_logfile: yes\n    logfile: {path}\n"
    wanted += "    logger_subsys {\n        subsys: TOTEM\n        debug: trace\n"
    wanted += "        to_stderr: no\n    }\n"
    node.conf.write_text(node.conf.read_text().replace("logging {\n", wanted))


def lost_lines(node):
    told = node.machine.run("corosync-cmapctl", "-m", "stats", "-g", LOST).stdout
    return int(told.rpartition("= ")[2])


def drained(reader):
    """Give what is in a pipe now."""
    try:
        return os.read(reader, 1 << 20)
    except BlockingIOError:
        return b""


@pytest.fixture
def small_disk(bed):
    """Two nodes of ours; one logs to a file system of two pages, one to a pipe that is not read."""
    machines, workdir = bed
    disk, pipe = workdir / "disk", workdir / "pipe"
    disk.mkdir()
    os.mkfifo(pipe)
    machine = machines.machines[OURS[0]]
    machine.run("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk))
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, select.PIPE_BUF)
    with Cluster(machines.machines, [], list(OURS), workdir / "full", token_ms=TOKEN_MS) as ring:
        node = ring.nodes[OURS[0]]
        log_all_to(node, disk / "x.log")
        log_all_to(ring.nodes[OURS[1]], pipe)
        ring.start()
        ring.wait_quorate(timeout_s=WITHIN_S)
        yield ring, node, disk / "x.log", reader
    os.close(reader)
    machine.run("umount", str(disk))


def test_a_full_disk_costs_lines_and_no_membership(small_disk):
    ring, node, logfile, reader = small_disk
    other = ring.nodes[OURS[1]]

    def written():
        return node.machine.run("cat", str(logfile)).stdout

    def formed():
        return node.machine.run("corosync-cmapctl", "-m", "stats", "-g", FORMED).stdout

    before = formed()
    wait_until("a full disk", lambda: lost_lines(node) > 20, WITHIN_S)
    wait_until("a full pipe", lambda: lost_lines(other) > 20, WITHIN_S)
    warning = f"Log messages are lost at {logfile}: No space left on device."
    wait_until("a warning elsewhere", lambda: warning in node.log_text(), WITHIN_S)
    assert sorted(node.quorate_members()) == list(OURS)
    # Room again, as by an administrator's hand: the file tells of the loss.
    node.machine.run("truncate", "-s", "0", str(logfile))
    wait_until("word of the loss", lambda: "messages lost: No space" in written(), WITHIN_S)
    assert "A new membership" not in written()
    assert formed() == before
    # The pipe goes on with what became of the lines between.
    wait_until("word from the pipe", lambda: b"messages lost: " in drained(reader), WITHIN_S)
    assert sorted(other.quorate_members()) == list(OURS)
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


def replayed(node, event):
    """Count the records of a kind in a node's recording."""
    recording = node.state_dir / f"flight-{node.nodeid}.rec"
    tool = (sys.executable, "-m", "corosync_tw.cli.main", "fplay", str(recording), "--json")
    told = subprocess.run([*tool, "--event", event], check=True, capture_output=True, text=True)
    return len(told.stdout.splitlines())


def test_of_a_flood_of_retransmit_lists_each_is_counted_and_recorded(bed):
    machines, workdir = bed
    with Cluster(machines.machines, [], list(OURS), workdir / "flood", token_ms=TOKEN_MS) as ring:
        # The sender is asked again for what the other node did not receive.
        node, deaf = (ring.nodes[nodeid] for nodeid in OURS)
        ring.start()
        ring.wait_quorate(timeout_s=WITHIN_S)
        sender = ring.client(node.nodeid, "flood", count=1_000_000, rate=0, members=1)
        ring.wait_members([sender], 1, WITHIN_S)
        deaf.machine.set_loss(20)
        wait_until("a flood", lambda: replayed(node, "retransmit_list") > 100, WITHIN_S, 0.5)
        deaf.machine.set_loss(0)
        assert node.leave() == 0
    lines = re.findall(r"Retransmit List: [0-9a-f ]+(?:\((\d+) more like it.*)?\n", node.log_text())
    # The last one of those that were held back comes with their count.
    counted = sum(int(more or 1) for more in lines)
    assert any(lines)
    assert len(lines) < counted / 2
    assert counted == replayed(node, "retransmit_list")
