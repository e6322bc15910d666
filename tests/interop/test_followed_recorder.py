"""A recorder is followed while its daemon floods and overtakes it, and is killed and starts."""

import json
import re
import signal
import sys
from itertools import pairwise

import pytest

from corosync_tw.kernels.plain.recording import SLOT_LEN_BYTES
from corosync_tw.logsys.flight.layout import SLOTS, Lane, lane_offsets
from corosync_tw.logsys.flight.slots import decode_slot
from tests.interop.netbed import NetBed, Process, wait_until
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop
TIMEOUT_S = 180.0
# Each message lets the token of a node alone go round some times before it rests.
MESSAGES_PER_S = 800
# What else is written where visits are.
BESIDE_MAX = 300
# What may be read and not yet printed.
AHEAD = 4000


@pytest.fixture
def node(tmp_path):
    with NetBed([1]) as bed, Cluster(bed.machines, [], [1], tmp_path) as cluster:
        cluster.start()
        cluster.wait_quorate()
        cluster.client(1, "flood", count=1 << 30, rate=MESSAGES_PER_S, members=1)
        yield cluster.nodes[1]


def recording(node):
    return node.state_dir / "flight-1.rec"


class Following:
    """``fplay --follow`` beside a node."""

    def __init__(self, node):
        self.out = node.workdir / "follow.txt"
        command = [sys.executable, "-m", "corosync_tw.cli.main", "fplay", "--follow", "--json"]
        arguments = [*command, str(recording(node))]
        self.process = Process(node.machine, arguments, self.out, node.workdir)

    def text(self):
        return self.out.read_text().rpartition("\n")[0]

    def wait_for(self, event, count):
        wanted = f'"event": "{event}"'
        wait_until(f"{count} {event}", lambda: self.text().count(wanted) >= count, TIMEOUT_S)

    def wait_overtaken(self):
        wait_until("a word of what is lost", lambda: "overtaken" in self.text(), TIMEOUT_S)


def wait_for_slot(node, number):
    """Wait until a visit of the token is written, or what came into its place later."""
    offset = lane_offsets(tuple(SLOTS.values()))[Lane.VISITS]

    def written():
        with recording(node).open("rb") as file:
            file.seek(offset + number % SLOTS[Lane.VISITS] * SLOT_LEN_BYTES)
            slot = decode_slot(file.read(SLOT_LEN_BYTES))
        return slot is not None and slot.number >= number

    wait_until(f"slot {number}", written, TIMEOUT_S)


def test_a_recorder_is_followed_through_floods_and_kills(node):
    following = Following(node)
    following.wait_for("token_received", 100)
    assert "overtaken" not in following.text()

    following.process.signal(signal.SIGSTOP)
    read = following.text().count('"event": "token_received"')
    wait_for_slot(node, read + AHEAD + SLOTS[Lane.VISITS])
    following.process.signal(signal.SIGCONT)
    following.wait_overtaken()
    # Across the end of the ring of slots, to what is written meanwhile.
    following.wait_for("token_received", SLOTS[Lane.VISITS] + AHEAD)

    node.sigkill()
    node.running.wait(TIMEOUT_S)
    node.start()
    following.wait_for("node_started", 2)
    following.wait_for("node_ready", 2)

    lines = following.text().splitlines()
    said = [line for line in lines if not line.startswith("{")]
    lost = [
        re.fullmatch(r"corosync-tw fplay: overtaken: (\d+) slots, .*", line)[1] for line in said
    ]
    records = [json.loads(line) for line in lines if line.startswith("{")]
    started = [at for at, record in enumerate(records) if record["event"] == "node_started"]
    assert len(started) == 2
    for process in (records[: started[1]], records[started[1] :]):
        times = [record["monotonic_ns"] for record in process]
        assert times == sorted(times)
    steps = [
        b["values"]["token_seq"] - a["values"]["token_seq"]
        for a, b in pairwise(r for r in records[: started[1]] if r["event"] == "token_received")
    ]
    # A token that comes twice would be a step of 0, one that does not come a larger one than 1.
    assert min(steps[1:]) == 1
    missing = sum(step - 1 for step in steps if step > 1)
    assert missing > 0
    assert missing <= sum(map(int, lost)) <= missing + BESIDE_MAX
