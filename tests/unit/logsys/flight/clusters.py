"""Recordings of nodes whose clocks are wrong by what is said; true time is the cluster's."""

from corosync_tw.logsys.flight.events import TRACES, Code
from corosync_tw.logsys.flight.reading import Recording
from corosync_tw.logsys.flight.recorder import FlightRecorder
from corosync_tw.totem.const import MembState
from corosync_tw.totem.trace import TraceCode

VISIT = TRACES + TraceCode.TOKEN_RECEIVED
STATE = TRACES + TraceCode.STATE_ENTERED
LOST = TRACES + TraceCode.TOKEN_LOST
MS = 1_000_000


class Node:
    """
    One node.

    :ivar monotonic_ns: by how much its clock since boot is ahead.
    :ivar gains_ppm: by how much that clock is too fast.
    """

    def __init__(self, directory, nodeid, monotonic_ns, wall_ns, gains_ppm=0):
        self.monotonic_ns = monotonic_ns
        self.gains_ppm = gains_ppm
        self.true_ns = 0
        self.wall_ns = wall_ns
        self.nodeid = nodeid
        self.directory = directory
        self.processes = 0
        self.start()

    def start(self):
        """Begin the recording of another process."""
        self.processes += 1
        self.recorder = FlightRecorder(
            f"{self.directory}/{self.nodeid}.{self.processes}",
            self.nodeid,
            slots=(64, 512, 64),
            now_ns=self.shown_ns,
            wall_ns=lambda: self.true_ns + self.wall_ns,
        )

    def shown_ns(self):
        gained_ns = self.true_ns * self.gains_ppm // 1_000_000
        return self.true_ns + gained_ns + self.monotonic_ns

    def at(self, true_ns, code, *ints):
        self.true_ns = true_ns
        self.recorder.record(code, *ints)

    def recovers(self, true_ns, ring, members):
        self.at(true_ns, STATE, MembState.COMMIT, MembState.RECOVERY, 0)
        self.recorder.record_list(Code.RING_INSTALLED, ring, members)
        self.at(true_ns, STATE, MembState.RECOVERY, MembState.OPERATIONAL, 0)

    def gathers(self, true_ns):
        self.at(true_ns, STATE, MembState.OPERATIONAL, MembState.GATHER, 2)

    def commits(self, true_ns):
        self.at(true_ns, STATE, MembState.GATHER, MembState.COMMIT, 0)

    def recording(self):
        return Recording(self.recorder.snapshot(), "test")


def run_ring(nodes, ring, began_ns, visits, hop_ns=MS):
    """Install a ring on nodes, and have the token go round; give when that ends."""
    for nodeid, node in nodes.items():
        node.recovers(began_ns + nodeid * 1000, ring, list(nodes))
    order = list(nodes.values())
    for token_seq in range(visits):
        at_ns = began_ns + MS + token_seq * hop_ns
        order[token_seq % len(order)].at(at_ns, VISIT, token_seq, token_seq, token_seq, 0)
    return began_ns + MS + visits * hop_ns


def told(records):
    """Give the visits of the token: ring and number."""
    return [(r.ring, r.values["token_seq"]) for r in records if r.name == "token_received"]
