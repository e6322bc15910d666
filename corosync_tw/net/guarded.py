"""
UDP transports whose datagrams are authenticated and encrypted: totem.udp_crypto.

The transport inside carries sealed datagrams and takes all of them for messages; what is a token
shows when they are open.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from twisted.internet.defer import Deferred
from zope.interface import implementer

from corosync_tw.corotypes import NS_PER_MS, Buffer
from corosync_tw.net.batchsocket import is_token
from corosync_tw.net.crypto.guard import Guard, Refused
from corosync_tw.net.interfaces import (
    IFrameReceiver,
    IMemberTable,
    INetObserver,
    ITransport,
    NetEvent,
    NetEventKind,
)
from corosync_tw.net.stats import TransportStats
from corosync_tw.net.udp import UdpTransport
from corosync_tw.net.udpu import UdpuTransport
from corosync_tw.totem.runs import Datagrams, FrameBlob, Received

# Datagrams that are refused for one cause are worth a line so often.
REFUSAL_INTERVAL_NS: Final = 60_000 * NS_PER_MS
# {who} is what is known of the sender.
_TEXTS: Final = {
    Refused.CLEAR: (
        "Datagrams of {who} are not encrypted; they are dropped. A node with stock Corosync, or"
        " without totem.udp_crypto, sends to our port: write the same udp_crypto on all nodes."
    ),
    Refused.OTHER_KEY: (
        "Datagrams of {who} are sealed with another key; they are dropped. Compare totem.udp_crypto"
        " and the file totem.keyfile on all nodes."
    ),
    Refused.FORGED: (
        "Datagrams of {who} have a wrong seal; they are dropped. Somebody forges them, or its"
        " totem.keyfile is another one: compare that on all nodes."
    ),
    Refused.REPLAYED: (
        "Datagrams of {who} come again; they are dropped. The network repeats them, or somebody"
        " replays what he recorded."
    ),
    Refused.REFLECTED: (
        "Our own datagrams come back; they are dropped. Somebody reflects them, or the network has"
        " a loop."
    ),
    Refused.SAME_NODEID: (
        "Another process uses our node id {nodeid}; its datagrams are dropped. Give every node a"
        " nodeid of its own."
    ),
    Refused.CROWD: (
        "Datagrams of {who} are dropped: more nodes than a ring can have send to us. Compare"
        " mcastport and mcastaddr with those of other clusters that have the same key."
    ),
}


@implementer(ITransport, IMemberTable, IFrameReceiver)
class GuardedTransport:
    """
    Seals what a transport sends and opens what it receives.

    :ivar guard: does it.
    :ivar stats: of the transport inside.
    """

    stats: TransportStats

    def __init__(
        self,
        inner: UdpTransport | UdpuTransport,
        guard: Guard,
        observer: INetObserver,
        now_ns: Callable[[], int],
    ) -> None:
        """:param now_ns: monotonic clock; only for how often the log is told."""
        self._inner = inner
        self._observer = observer
        self._now_ns = now_ns
        self._receiver: IFrameReceiver | None = None
        # By cause and sender; of those that no list has there may be any number: they share 0.
        self._told_ns: dict[tuple[Refused, int], int] = {}
        self._stranger = ""
        self.guard = guard
        self.stats = inner.stats
        inner.overhear(self._overhear)

    # ITransport and IMemberTable

    def start(self, receiver: IFrameReceiver) -> None:
        """Open the sockets and hear. Raises NetError."""
        self._receiver = receiver
        self._inner.start(self)

    def drain(self) -> None:
        """Hand over what the sockets hold."""
        self._inner.drain()

    def send_token(self, target_nodeid: int, frame: bytes) -> None:
        """Send one frame to one node."""
        self._inner.send_token(target_nodeid, self.guard.seal_one(frame))

    def send_mcast(self, frames: Datagrams, to_members_only: bool) -> None:
        """Send frames to every node, or every member of the ring."""
        self._inner.send_mcast(self.guard.seal(frames), to_members_only)

    def set_ring_members(self, nodeids: frozenset[int] | None) -> None:
        """Name the nodes that need ring traffic; None: all."""
        self._inner.set_ring_members(nodeids)

    def members(self) -> Mapping[int, str]:
        """Give the address of every other node."""
        return self._inner.members()

    def add_member(self, nodeid: int, address: str) -> None:
        """List a node. Raises NetError."""
        self._inner.add_member(nodeid, address)

    def remove_member(self, nodeid: int) -> None:
        """Forget a node."""
        self._inner.remove_member(nodeid)

    def block_unlisted(self, block: bool) -> None:
        """Drop what comes from addresses that are not listed, or look at it."""
        self._inner.block_unlisted(block)

    def stop(self) -> Deferred[None]:
        """Close the sockets."""
        return self._inner.stop()

    # IFrameReceiver

    def frames_received(self, frames: Sequence[Received]) -> None:
        """Open what came and hand over frames, tokens last. Called by the transport inside."""
        assert self._receiver is not None
        messages: list[Received] = []
        tokens: list[Received] = []
        for received in frames:
            if isinstance(received, FrameBlob):
                self._open_run(received, messages, tokens)
                continue
            frame = self._open(received)
            if frame is not None:
                (tokens if is_token(frame) else messages).append(frame)
        for letter in self.guard.take_letters():
            self._inner.send_token(letter.nodeid, letter.datagram)
        messages += tokens
        if messages:
            self._receiver.frames_received(messages)

    def may_overtake(self, token: Buffer) -> bool:
        """Never: nobody knows a token before it is open."""
        del token
        return False

    def _open_run(self, run: FrameBlob, messages: list[Received], tokens: list[Received]) -> None:
        """Open datagrams that came in one piece; what stays of one length is one piece again."""
        together: list[bytes] = []
        stride = 0
        for datagram in run.frames():
            frame = self._open(datagram)
            if frame is None:
                continue
            if is_token(frame):
                tokens.append(frame)
                continue
            length = len(frame)
            if together and (length > stride or len(together[-1]) < stride):
                messages.append(_joined(together, stride))
                together = []
            if not together:
                stride = length
            together.append(frame)
        if together:
            messages.append(_joined(together, stride))

    def _open(self, datagram: Buffer) -> bytes | None:
        result = self.guard.open(datagram)
        if isinstance(result, Refused):
            self.stats.rx_rejected += 1
            self._maybe_tell(result, datagram)
            return None
        return result

    # What the log is told

    def _overhear(self, datagram: Buffer, host: str) -> None:
        """Note who sends datagrams of another kind than ours."""
        del datagram
        self._stranger = host

    def _maybe_tell(self, cause: Refused, datagram: Buffer) -> None:
        text = _TEXTS.get(cause)
        if text is None:
            return
        claimed = self.guard.claimed_nodeid(datagram)
        members = self._inner.members()
        sender = self._listed_sender(claimed, members)
        now_ns = self._now_ns()
        told_ns = self._told_ns.get((cause, sender))
        if told_ns is not None and now_ns - told_ns < REFUSAL_INTERVAL_NS:
            return
        self._told_ns[cause, sender] = now_ns
        count = self.guard.refused[cause]
        said = text.format(who=self._who(claimed, sender, members), nodeid=claimed)
        if count > 1:
            said = f"{said} ({count} so far)"
        self._observer.net_event(
            NetEvent(NetEventKind.DATAGRAM_REFUSED, said, claimed or sender, int(cause))
        )

    def _listed_sender(self, claimed: int | None, members: Mapping[int, str]) -> int:
        """Name the node: by what the datagram claims, else by the address of such; 0 for none."""
        if claimed is not None:
            return claimed if claimed in members else 0
        return next((node for node, host in members.items() if host == self._stranger), 0)

    def _who(self, claimed: int | None, sender: int, members: Mapping[int, str]) -> str:
        if sender:
            return f"node {sender} ({members[sender]})"
        if claimed is not None:
            return f"node {claimed}, which is not in the nodelist,"
        return self._stranger or "an unknown sender"


def _joined(frames: Sequence[bytes], stride: int) -> Received:
    if len(frames) == 1:
        return frames[0]
    return FrameBlob(memoryview(b"".join(frames)), stride)


# What carries the datagrams of one network.
AnyUdpTransport = UdpTransport | UdpuTransport | GuardedTransport
