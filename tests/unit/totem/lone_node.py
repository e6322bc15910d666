"""One real core whose two neighbours, nodes 1 and 3, are played by hand-made frames."""

from corosync_tw.corotypes import Guarantee, RingId
from corosync_tw.sim.payload_runs import payload_runs
from corosync_tw.totem import wire
from corosync_tw.totem.const import Encapsulated, MembState
from corosync_tw.totem.effects import ConfigurationChange, Deliver, Effect, SendMcast, SendToken
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.runs import DeliveredFrame, Received, SentRun
from corosync_tw.totem.seqno import seq_add
from corosync_tw.totem.srp import Srp

ME = 2
PEER = 1
LAST = 3
RING = RingId(PEER, 1000)
MS = 1_000_000


class Queue:
    """A source that gives what tests put in."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Guarantee, bytes]] = []
        self.held = 0

    def backlog_frames(self) -> int:
        return len(self.waiting)

    def take(self, frames_max: int, header: bytes) -> list[SentRun]:
        taken = self.waiting[:frames_max]
        del self.waiting[:frames_max]
        return payload_runs(header, taken)

    def hold_ordinary(self) -> None:
        self.held += 1


class LoneNode:
    """
    Node 2 and what it does; every method returns the effects.

    :ivar now: virtual time, ns.
    """

    def __init__(self, members: tuple[int, ...] = (PEER, ME, LAST), **params: object) -> None:
        self.members = members
        self.queue = Queue()
        self.params = TotemParams(ME, **params)  # type: ignore[arg-type]
        self.srp = Srp(self.params, self.queue, 0, 0)
        self.now = 0
        self.token_seq = self.params.token_seq_start

    # -- inputs

    def put(self, *frames: Received) -> list[Effect]:
        self.now += MS // 10
        self.srp.receive(frames, self.now)
        return self.srp.poll()

    def after(self, delay_ms: int) -> list[Effect]:
        """Let time pass, firing every deadline when it is due."""
        end = self.now + delay_ms * MS
        effects: list[Effect] = []
        while (at := self.srp.next_deadline()) is not None and at <= end:
            self.now = max(self.now, at)
            self.srp.advance(self.now)
            effects += self.srp.poll()
        self.now = end
        return effects

    def send(self, *payloads: bytes, safe: bool = False) -> None:
        guarantee = Guarantee.SAFE if safe else Guarantee.AGREED
        self.queue.waiting += [(guarantee, payload) for payload in payloads]

    # -- frames of the neighbours

    def join(
        self,
        sender: int = PEER,
        proc: tuple[int, ...] | None = None,
        failed: tuple[int, ...] = (),
        ring_seq: int = 996,
        nodeid: int | None = None,
    ) -> bytes:
        proc = self.members if proc is None else proc
        header = sender if nodeid is None else nodeid
        return wire.encode_memb_join(wire.MembJoin(header, sender, proc, failed, ring_seq))

    def commit_token(
        self,
        *,
        memb_index: int,
        ring_id: RingId = RING,
        members: tuple[int, ...] | None = None,
        entries: dict[int, wire.CommitEntry] | None = None,
    ) -> bytes:
        addr = list(self.members if members is None else members)
        entries = entries or {}
        blank = wire.CommitEntry(RingId(0, 0), 0, 0, 0)
        memb_list = [entries.get(nodeid, blank) for nodeid in addr]
        return wire.encode_commit_token(
            wire.CommitToken(PEER, 1, ring_id, 0, memb_index, addr, memb_list)
        )

    def token(
        self,
        seq: int,
        aru: int | None = None,
        *,
        aru_addr: int = 0,
        retrans_flg: int = 0,
        rtr: tuple[int, ...] = (),
        ring_id: RingId | None = None,
        token_seq: int | None = None,
        fcc: int = 0,
        backlog: int = 0,
    ) -> bytes:
        ring_id = self.srp._ring.my_ring_id if ring_id is None else ring_id
        if token_seq is None:
            token_seq = self.token_seq
            self.token_seq = seq_add(self.token_seq, len(self.members))
        aru = seq if aru is None else aru
        items = [wire.RtrItem(ring_id, asked) for asked in rtr]
        return wire.encode_orf_token(
            wire.OrfToken(
                PEER, seq, token_seq, aru, aru_addr, ring_id, backlog, fcc, retrans_flg, items
            )
        )

    def mcast(
        self,
        seq: int,
        payload: bytes = b"x",
        sender: int = PEER,
        *,
        ring_id: RingId | None = None,
        safe: bool = False,
        encapsulated: Encapsulated = Encapsulated.NOT_ENCAPSULATED,
    ) -> bytes:
        ring_id = self.srp._ring.my_ring_id if ring_id is None else ring_id
        header = wire.encode_mcast_header(
            sender, sender, seq, ring_id, int(safe), encapsulated=encapsulated
        )
        return header + payload

    def encapsulated(self, seq: int, inner: bytes, sender: int = PEER) -> bytes:
        return self.mcast(seq, inner, sender, encapsulated=Encapsulated.ENCAPSULATED)

    # -- ways into the states

    def enter(self, state: MembState) -> "LoneNode":
        """Bring a fresh node into a state."""
        if state is MembState.IDLE:
            return self
        self.gather()
        if state is MembState.GATHER:
            return self
        self.commit()
        if state is MembState.COMMIT:
            return self
        self.recover()
        if state is MembState.OPERATIONAL:
            self.install()
        assert self.srp.state is state
        return self

    def gather(self) -> list[Effect]:
        self.srp.start(self.now)
        self.srp.poll()
        effects = self.put(self.join(PEER), self.join(LAST))
        assert self.srp.state is MembState.GATHER
        return effects

    def commit(self, ring_id: RingId = RING) -> list[Effect]:
        effects = self.put(self.commit_token(memb_index=1, ring_id=ring_id))
        assert self.srp.state is MembState.COMMIT
        return effects

    def recover(self, entries: dict[int, wire.CommitEntry] | None = None) -> list[Effect]:
        ring_id = self.srp._ring.my_ring_id
        own = self.srp._ring.commit_token
        assert own is not None
        written = {ME: own.memb_list[self.members.index(ME)], **(entries or {})}
        effects = self.put(
            self.commit_token(memb_index=len(self.members), ring_id=ring_id, entries=written)
        )
        assert self.srp.state is MembState.RECOVERY
        self.token_seq = self.params.token_seq_start
        return effects

    def install(self, seq: int | None = None) -> list[Effect]:
        """Let the token go round until the ring is installed; nobody sends."""
        seq = self.params.seqno_start if seq is None else seq
        effects: list[Effect] = []
        for _ in range(4):
            effects += self.put(self.token(seq))
        assert self.srp.state is MembState.OPERATIONAL
        return effects


def sent_frames(effects: list[Effect]) -> list[wire.Message]:
    """Decode all that went to the network, in order."""
    frames: list[bytes] = []
    for effect in effects:
        if isinstance(effect, SendToken):
            frames.append(effect.frame)
        elif isinstance(effect, SendMcast):
            frames += [b"".join(slices) for slices in effect.frames]
    return [wire.decode(frame) for frame in frames]


def sent(effects: list[Effect], kind: type) -> list[wire.Message]:
    return [message for message in sent_frames(effects) if isinstance(message, kind)]


def the_token(effects: list[Effect]) -> wire.OrfToken:
    tokens = sent(effects, wire.OrfToken)
    assert len(tokens) == 1
    token = tokens[0]
    assert isinstance(token, wire.OrfToken)
    return token


def delivered(effects: list[Effect]) -> list[DeliveredFrame]:
    return [frame for effect in effects if isinstance(effect, Deliver) for frame in effect.expand()]


def payloads(effects: list[Effect]) -> list[bytes]:
    return [bytes(frame.payload) for frame in delivered(effects)]


def changes(effects: list[Effect]) -> list[ConfigurationChange]:
    return [effect for effect in effects if isinstance(effect, ConfigurationChange)]
