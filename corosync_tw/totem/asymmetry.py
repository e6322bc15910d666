"""
Rings of nodes that hear each other, when some links work one way only, or only between some.

Totem takes for granted that who hears anybody hears everybody. Otherwise nodes agree on no ring, or
on one that the token cannot go round, fail each other, find each other by merge detection, and
begin anew, for ever. Here nodes tell each other whom they hear (``claims``), find out which links
do not work (``hearing``), and part themselves into sets of which all hear each other, the largest
first (``cliques``):

* when Gather does not end because of bad links, every node gives up on all outside its own set;
* nobody forms a ring of nodes that are known not to hear each other;
* frames of nodes outside make no ring gather, unless a larger ring than every member of it now has
  would come of it;
* merge detections of those who are kept out name the ring that they are kept out of: stock members
  of it follow every stranger, but take no notice of merge detections of their own ring;
* as long as a node is out for its links, all members keep saying whom they hear, so that everybody
  notices when it is whole; links that fail again and again must work longer each time.

A fault that is alike in both directions and for everybody leaves no bad link, and nothing of this
happens then.
Source: corosync issues 659, 750, 760 for the need; the rules are ours.
Deviation: Corosync knows nothing of it; a ring with a bad link re-forms for ever.
"""

from typing import Final

from corosync_tw.corotypes import RingId
from corosync_tw.totem.claims import encode_claims
from corosync_tw.totem.cliques import part_of
from corosync_tw.totem.const import MembState
from corosync_tw.totem.deadlines import Deadline
from corosync_tw.totem.ring import Ring
from corosync_tw.totem.trace import TraceCode
from corosync_tw.totem.wire import MembJoin, MergeDetect

# Rings that we are kept out of and speak to, each by a frame of its own.
RINGS_ADDRESSED_MAX: Final = 8


def _members(ring: Ring) -> tuple[int, ...]:
    return ring.memb.memb if ring.state is MembState.OPERATIONAL else ()


def with_claims(ring: Ring, frame: bytes, now_ns: int) -> bytes:
    """Append to a frame for everybody what we know of links."""
    ring.hearing.speak(now_ns, ring.params)
    look(ring, now_ns)
    rows = ring.hearing.rows(_members(ring), now_ns)
    return frame + encode_claims(rows, ring.params.frame_len_bytes_max - len(frame))


def hear(ring: Ring, message: MembJoin | MergeDetect, now_ns: int) -> None:
    """Take notice of a frame for everybody."""
    join = isinstance(message, MembJoin)
    ring.hearing.hear(message.system_from, message.claims, now_ns, join=join)
    if isinstance(message, MergeDetect):
        ring.hearing.hear_ring(message.system_from, message.ring_id)
    look(ring, now_ns)
    if ring.state is MembState.OPERATIONAL:
        plan_probe(ring, now_ns)


def look(ring: Ring, now_ns: int) -> None:
    """Weigh the evidence; tell of links that fail or work again."""
    ring.hearing.look(now_ns, ring.params)
    failed, working = ring.hearing.take_changes()
    for link in failed:
        ring.trace(TraceCode.LINK_FAILED, *link)
    for link in working:
        ring.trace(TraceCode.LINK_WORKS, *link)


def bad_pairs(ring: Ring) -> frozenset[tuple[int, int]]:
    """List the links that do not work in both directions, as (lower nodeid, higher nodeid)."""
    return frozenset((min(link), max(link)) for link in ring.hearing.bad_links)


def _own_part(ring: Ring, nodes: set[int]) -> frozenset[int]:
    return frozenset(part_of(ring.my_id, nodes, bad_pairs(ring)))


def is_torn(ring: Ring) -> bool:
    """Tell whether some of those we want for the next ring do not hear each other."""
    if not ring.hearing.bad_links:
        return False
    candidates = set(ring.memb.candidates()) & ring.hearing.alive()
    return any(a in candidates and b in candidates for a, b in ring.hearing.bad_links)


def fail_unreachable(ring: Ring, now_ns: int) -> bool:
    """
    Give up on all who do not belong to our set.

    :return: False when no bad link stands between candidates: then silence alone counts.
    """
    look(ring, now_ns)
    if not ring.memb.fail_set and not ring.memb.agreed():
        since_ns = now_ns - ring.params.consensus_timeout_ns
        ring.hearing.miss_answers(since_ns, now_ns, ring.params)
    if not is_torn(ring):
        return False
    candidates = set(ring.memb.candidates())
    alive = candidates & ring.hearing.alive()
    failed = ring.memb.fail(candidates - _own_part(ring, alive))
    ring.trace(TraceCode.CONSENSUS_TIMED_OUT, *sorted(candidates - alive))
    ring.trace(TraceCode.KEPT_OUT, *[nodeid for nodeid in failed if nodeid in alive])
    return True


def stays_out(ring: Ring, sender: int, now_ns: int) -> bool:
    """Tell whether a stranger's frame is to be ignored because of bad links."""
    if not ring.hearing.bad_links:
        return False
    look(ring, now_ns)
    if not ring.hearing.bad_links:
        return False
    members = set(_members(ring))
    own = _own_part(ring, members | ring.hearing.alive() | {sender})
    if sender not in own:
        return True
    if ring.state is not MembState.OPERATIONAL:
        return False
    sizes = (len(members) if n in members else ring.hearing.ring_size(n) for n in own)
    return max(sizes) >= len(own)


def rings_to_detect(ring: Ring, now_ns: int) -> list[RingId]:
    """
    Name the rings that our merge detections are to bear, each by a frame of its own.

    Ours; but while bad links keep us out of rings that go before ours, those, for then nobody is to
    follow us; and none while such a ring forms anew.
    """
    look(ring, now_ns)
    if not ring.hearing.bad_links:
        return [ring.my_ring_id]
    members = set(_members(ring))
    outside = ring.hearing.alive() - members
    if not members or not _own_part(ring, members | outside) <= members:
        return [ring.my_ring_id]
    if any(map(ring.hearing.is_gathering, outside)):
        return []
    before = sorted(ring.hearing.rings_before(members))
    return before[:RINGS_ADDRESSED_MAX] or [ring.my_ring_id]


def plan_probe(ring: Ring, now_ns: int) -> None:
    """While links are bad, tell everybody whom we hear, whoever is the representative."""
    if ring.hearing.bad_links and not ring.deadlines.is_set(Deadline.PROBE):
        ring.arm(Deadline.PROBE, now_ns, ring.params.merge_timeout_ns)
