"""One node's redundant ring, with hand-made frames on both sides."""

from corosync_tw.corotypes import NS_PER_MS, Guarantee, RingId
from corosync_tw.totem import wire
from corosync_tw.totem.const import Encapsulated
from corosync_tw.totem.links import Arrival, LinkEvent, LinkSend, PassUp
from corosync_tw.totem.rrp.params import RrpMode, RrpParams
from corosync_tw.totem.rrp.redundant import RedundantRing
from corosync_tw.totem.runs import FrameBlob

ME = 1
PEER = 2
OTHER = 3
RING = RingId(1, 400)


def orf_token(token_seq, seq=0, ring_id=RING, sender=PEER):
    token = wire.OrfToken(sender, seq, token_seq, seq, 0, ring_id, 0, 0, 0, [])
    return wire.encode_orf_token(token)


def commit_token(token_seq, ring_id=RING):
    blank = wire.CommitEntry(RingId(0, 0), 0, 0, 0)
    token = wire.CommitToken(PEER, token_seq, ring_id, 0, 1, [1, 2], [blank, blank])
    return wire.encode_commit_token(token)


def mcast(seq, sender=PEER, payload=b"payload"):
    header = wire.encode_mcast_header(
        sender,
        sender,
        seq & 0xFFFFFFFF,
        RING,
        Guarantee.AGREED,
        encapsulated=Encapsulated.NOT_ENCAPSULATED,
        this_seqno=0,
    )
    return header + payload


def blob(first_seq, count, sender=PEER):
    frames = [mcast(first_seq + i, sender) for i in range(count)]
    return FrameBlob(memoryview(b"".join(frames)), len(frames[0]))


class OneEnd:
    """
    Node 1 of three.

    :ivar behind: what the ring answers when asked whether messages are missing.
    :ivar asked: what it was asked.
    """

    def __init__(self, mode=RrpMode.PASSIVE, networks=2, **params):
        self.behind = None
        self.asked = []
        self.params = RrpParams(ME, mode=mode, networks=networks, **params)
        self.rrp = RedundantRing(self.params, self._missing)
        self.now = 1_000_000_000
        self.events = []
        self.rrp.start(self.now)
        self.rrp.set_ring_members(frozenset({ME, PEER, OTHER}))
        self.poll()

    def _missing(self, ring_id, seq):
        self.asked.append((ring_id, seq))
        return self.behind

    def poll(self):
        effects = self.rrp.poll()
        self.events += [effect for effect in effects if isinstance(effect, LinkEvent)]
        return effects

    def bring(self, link, *frames):
        """Let a network bring frames; give what goes up."""
        self.rrp.receive(link, [Arrival(frame, None) for frame in frames], self.now)
        return self.upwards()

    def after(self, delay_ms):
        """Let time pass; give what goes up."""
        self.now += round(delay_ms * NS_PER_MS)
        self.rrp.advance(self.now)
        return self.upwards()

    def after_ring(self):
        """Say that the ring has taken what went up; give what goes up now."""
        self.rrp.ring_advanced(self.now)
        return self.upwards()

    def upwards(self):
        return [
            frame for effect in self.poll() if isinstance(effect, PassUp) for frame in effect.frames
        ]

    def sends(self):
        return [effect for effect in self.poll() if isinstance(effect, LinkSend)]

    def send_token(self, token_seq, seq=0):
        """Let the ring send a token; give the networks that it takes."""
        self.rrp.send_token(PEER, orf_token(token_seq, seq, sender=ME), self.now)
        return [effect.link for effect in self.sends()]

    def send_messages(self, frames, *, to_members_only=True):
        """Let the ring send messages; give (network, how many)."""
        self.rrp.send_mcast(frames, to_members_only, self.now)
        return [(effect.link, len(effect.frames)) for effect in self.sends()]

    def kinds(self):
        return [event.kind for event in self.events]

    def faulty(self):
        return [link for link in range(self.params.networks) if self.rrp.faulty(link)]
