"""Records of nodes that are written out, and the lives that they make."""

from corosync_tw.corotypes import RingId
from corosync_tw.diagnosis.incidents.lives import End, Life
from corosync_tw.logsys.flight.record import FlightRecord
from corosync_tw.logsys.flight.table import EVENTS
from corosync_tw.logsys.flight.words import OURS
from corosync_tw.totem.const import MembState

S = 1_000_000_000
GATHER, OPERATIONAL = MembState.GATHER, MembState.OPERATIONAL
BY_NAME = {event.name: event for event in EVENTS.values()}
OLD, NEW, ALONE = RingId(1, 8), RingId(1, 12), RingId(3, 12)
BOOT, NEXT_BOOT = b"a" * 16, b"b" * 16


def record(nodeid, at_s, name, **values):
    at_ns = int(at_s * S)
    event = BY_NAME[name]
    assert set(values) <= {field.name for field in event.fields}
    return FlightRecord(at_ns, at_ns, nodeid, event.lane, 1, event, values, None, True, OURS, at_ns)


def installs(nodeid, at_s, ring, members, *, kept=(), left=(), joined=()):
    names = {"rep": ring.rep, "ring_seq": ring.seq}
    found = []
    if left:
        found.append(record(nodeid, at_s, "members_left", **names, nodes=left))
    if joined:
        found.append(record(nodeid, at_s, "members_joined", **names, nodes=joined))
    found.append(record(nodeid, at_s, "transitional", **names, members=kept))
    found.append(record(nodeid, at_s, "ring_installed", **names, members=members))
    return found


def life(nodeid, *parts, end=End.RUNNING, boot=BOOT):
    records = [each for part in parts for each in (part if isinstance(part, list) else [part])]
    return Life(nodeid, end, boot, tuple(sorted(records, key=lambda r: r.aligned_ns)))


def begins(nodeid):
    return [
        record(nodeid, 1, "node_started", node=nodeid, pid=nodeid, version="1"),
        *installs(nodeid, 2, OLD, (1, 2, 3), joined=(1, 2, 3)),
    ]


def loses(nodeid, *, silent=(3,), others=(1, 2), ring=NEW, left=(3,)):
    """The token is lost at 100 s, and a ring of the others is there at 103 s."""
    return [
        record(nodeid, 101, "token_lost", state=4, token_timeout=1000, consensus_timeout=1200),
        record(nodeid, 101, "state_entered", old=OPERATIONAL, new=GATHER, reason=2),
        record(nodeid, 102.5, "consensus_timed_out", silent=silent),
        *installs(nodeid, 103, ring, others, kept=others, left=left),
        record(nodeid, 110, "sample", rep=1, ring_seq=12, offset=0, delivered=1),
    ]


def witnesses(*more):
    return [life(1, begins(1), loses(1), list(more)), life(2, begins(2), loses(2))]
