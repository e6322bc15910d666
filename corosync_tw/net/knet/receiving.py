"""
Packets of a network become frames for the ring, or pings and probes for who keeps the links.

What arrived in one piece is taken apart, checked and put together by one call of a kernel: whole
frames that follow each other stay one piece, the fragments of a frame become the frame where they
lie. Only what is incomplete is copied. Nothing is believed of a packet whose sender's address is
not that of the node it names.

Source: libknet 1.25 threads_rx.c; corosync 3.1.7 exec/totemknet.c, dst_host_filter_callback_fn.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final

from corosync_tw.corotypes import Buffer
from corosync_tw.errors import MalformedFrame
from corosync_tw.kernels.fragments import DATA, join_packets
from corosync_tw.kernels.framing import only_mcasts
from corosync_tw.net.knet.compression import decompress
from corosync_tw.net.knet.heartbeat import Heartbeat
from corosync_tw.net.knet.hosts import Host, HostTable, host_of
from corosync_tw.net.knet.outbox import Origin, Outbox
from corosync_tw.net.knet.pmtud import PmtuDiscovery
from corosync_tw.net.knet.reassembly import Fate, Fragments
from corosync_tw.net.knet.sending import TARGET_AT
from corosync_tw.net.knet.stats import Refusal
from corosync_tw.net.knet.window import WINDOW_SEQS
from corosync_tw.net.knet.wire import (
    CHANNEL,
    DATA_HEADER,
    DATA_HEADER_LEN_BYTES,
    FRAME_LEN_BYTES_MAX,
    PacketType,
    Ping,
    decode,
    next_seq,
)
from corosync_tw.totem.const import TOTEM_MAGIC, MessageType
from corosync_tw.totem.links import Arrival, PassUp, Source
from corosync_tw.totem.runs import FrameBlob, Received

_TYPE_AT: Final = 3
_TOKENS: Final = (int(MessageType.ORF_TOKEN), int(MessageType.MEMB_COMMIT_TOKEN))
_TARGET: Final = Struct("<I")
_TARGET_BIG: Final = Struct(">I")
_TARGET_END: Final = TARGET_AT + _TARGET.size
_unpack_header: Final = DATA_HEADER.unpack_from
_BIG_ENDIAN_FIRST: Final = TOTEM_MAGIC >> 8
_BROADCAST: Final = 1
_FATES: Final = {
    Fate.DUPLICATE: Refusal.DUPLICATE,
    Fate.EXPIRED: Refusal.FRAGMENT_EXPIRED,
}


class Receiver:
    """
    Takes what the networks bring.

    :ivar access_lists: whether pings from addresses that no link has are refused.
    """

    def __init__(
        self,
        nodeid: int,
        table: HostTable,
        outbox: Outbox,
        heartbeat: Heartbeat,
        discovery: PmtuDiscovery,
    ) -> None:
        self.access_lists = True
        self._nodeid = nodeid
        self._table = table
        self._outbox = outbox
        self._heartbeat = heartbeat
        self._discovery = discovery
        self._messages: list[Received] = []
        self._tokens: list[Received] = []
        # How long it took to open each packet that is taken now; None when it came in clear.
        self._opened_in_ns: int | None = None

    def receive(self, link: int, arrivals: Sequence[Arrival], now_ns: int) -> None:
        """Take what one network brought, and pass up the frames that are complete."""
        self._messages, self._tokens = [], []
        self._opened_in_ns = None
        sealed = self._outbox.seal is not None
        for frame, source in arrivals:
            if sealed:
                self._open(frame, Origin(link, source, now_ns))
            elif isinstance(frame, FrameBlob):
                self._take(frame.blob, frame.stride, Origin(link, source, now_ns))
            elif not self._take_next(frame, link, source):
                self._take(frame, len(frame), Origin(link, source, now_ns))
        frames = self._messages + self._tokens
        if frames:
            self._outbox.effects.append(PassUp(frames))

    def _take_next(self, packet: Buffer, link_number: int, source: Source) -> bool:
        """Take a packet if it is as most are in a quiet ring: a whole frame, next of its host."""
        if len(packet) < DATA_HEADER_LEN_BYTES + _TARGET_END:
            return False
        version, kind, node, _, _, seq, compress, _, bcast, total, _, channel = _unpack_header(
            packet
        )
        host = self._table.hosts.get(node)
        if version != 1 or kind or compress or channel or total > 1 or host is None:
            return False
        link = host.links.get(link_number)
        if link is None or not host.reachable or link.params.address != host_of(source):
            return False
        frame = packet[DATA_HEADER_LEN_BYTES:]
        if (not bcast and not _is_for(frame, self._nodeid)) or not host.window.take_next(seq):
            return False
        host.got_data = True
        stats = link.stats
        stats.rx_data_packets += 1
        stats.rx_data_bytes += len(packet)
        self._count_opened(1)
        (self._tokens if frame[_TYPE_AT] in _TOKENS else self._messages).append(frame)
        return True

    def _open(self, frame: Received, origin: Origin) -> None:
        """Open sealed packets, and take those of one length that follow each other as one."""
        outbox = self._outbox
        seal = outbox.seal
        assert seal is not None
        packets: Sequence[Buffer]
        began_ns = outbox.clock_ns()
        if isinstance(frame, FrameBlob):
            whole = seal.open_blob(frame)
            if whole is not None:
                self._opened_in_ns = (outbox.clock_ns() - began_ns) // frame.datagrams
                self._take(whole.blob, whole.stride, origin, whole.gap)
                return
            packets = frame.frames()
        else:
            packets = [frame]
        opened = seal.open(packets)
        lost = opened.count(None)
        self._opened_in_ns = None
        if lost < len(opened):
            self._opened_in_ns = (outbox.clock_ns() - began_ns) // len(opened)
        genuine = [packet for packet in opened if packet is not None]
        if lost and seal.clear_allowed:
            pairs = zip(packets, opened, strict=True)
            genuine = [clear if plain is None else plain for clear, plain in pairs]
        elif lost:
            outbox.refuse(Refusal.UNSEALED, origin, self._sender(origin), lost)
        start = 0
        lengths = list(map(len, genuine))
        while start < len(lengths):
            stride = lengths[start]
            end = start + 1
            while end < len(lengths) and lengths[end] <= stride == lengths[end - 1]:
                end += 1
            if end - start > 1 or not self._take_next(genuine[start], origin.link, origin.source):
                self._take(memoryview(bytearray().join(genuine[start:end])), stride, origin)
            start = end

    def _take(self, blob: Buffer, stride: int, origin: Origin, gap: int = 0) -> None:
        """Take packets in clear, with a gap of so many bytes behind each but the last."""
        if not blob:
            self._outbox.refuse(Refusal.MALFORMED, origin, self._sender(origin))
            return
        if isinstance(blob, bytes) or blob.readonly:
            blob = memoryview(bytearray(blob))
        for found in join_packets(blob, stride, gap):
            if found[0] == DATA:
                self._take_data(blob, stride - gap, found, origin)
            else:
                self._take_control(bytes(blob[found[1] : found[2]]), origin)

    def _take_data(
        self, blob: memoryview, stride: int, found: tuple[int, ...], origin: Origin
    ) -> None:
        _, start, end, node, seq, count, total, first, compress, flags = found
        host = self._host(node, origin)
        if host is None or not self._is_genuine(host, origin):
            return
        stats = host.links[origin.link].stats
        stats.rx_data_packets += count
        stats.rx_data_bytes += end - start + count * DATA_HEADER_LEN_BYTES
        self._count_opened(count)
        if flags >> 8 != CHANNEL:
            self._outbox.refuse(Refusal.CHANNEL, origin, node, count)
            return
        if not host.reachable:
            self._outbox.count(Refusal.UNREACHABLE_NODE, count)
            return
        host.got_data = True
        payload = blob[start:end]
        if total == 1:
            frames = self._whole_frames(host, payload, stride, seq, count)
        else:
            fragment_bytes = stride - DATA_HEADER_LEN_BYTES if count > 1 else end - start
            if count == 1 and first == total:
                fragment_bytes = 0
            fragments = Fragments(seq, total, first, count, fragment_bytes, payload)
            frames = self._joined(host, fragments, origin)
        if compress:
            frames = self._decompressed(frames, compress, origin, node)
        self._pass(frames, origin, node, is_for_all=flags == _BROADCAST)

    def _count_opened(self, count: int) -> None:
        """Count data packets that were sealed."""
        if self._opened_in_ns is not None:
            stats = self._outbox.stats
            stats.rx_crypt_packets += count
            stats.rx_crypt_time.note(self._opened_in_ns, count)

    def _whole_frames(
        self, host: Host, payload: memoryview, stride: int, seq: int, count: int
    ) -> list[Received]:
        """Give those of some frames, one behind the other, that are new."""
        window = host.window
        length = stride - DATA_HEADER_LEN_BYTES
        if count < WINDOW_SEQS and window.take_run(seq, count):
            return [FrameBlob(payload, length) if count > 1 else payload]
        frames: list[Received] = []
        for at in range(0, len(payload), length):
            if window.is_new(seq):
                window.deliver(seq)
                frames.append(payload[at : at + length])
            else:
                self._outbox.count(Refusal.DUPLICATE)
            seq = next_seq(seq)
        return frames

    def _joined(self, host: Host, fragments: Fragments, origin: Origin) -> list[Received]:
        """Give the frame that is complete now, if one is."""
        seq, window, reassembly = fragments.seq, host.window, host.reassembly
        if not window.is_new(seq):
            self._outbox.count(Refusal.DUPLICATE, fragments.count)
            return []
        reassembly.expire(window.high)
        frame: Buffer | Fate
        if fragments.count == fragments.total and len(fragments.payload) <= FRAME_LEN_BYTES_MAX:
            reassembly.forget(seq)
            frame = fragments.payload
        else:
            frame = reassembly.add(fragments, window)
        if isinstance(frame, Fate):
            if frame is Fate.CONTRADICTORY:
                self._outbox.refuse(Refusal.FRAGMENT, origin, host.nodeid, fragments.count)
            elif frame is not Fate.KEPT:
                self._outbox.count(_FATES[frame], fragments.count)
            return []
        window.deliver(seq)
        return [frame]

    def _decompressed(
        self, frames: list[Received], model: int, origin: Origin, node: int
    ) -> list[Received]:
        stats, clock_ns = self._outbox.stats, self._outbox.clock_ns
        found: list[Received] = []
        for frame in singly(frames):
            began_ns = clock_ns()
            try:
                whole = decompress(model, frame)
            except MalformedFrame:
                self._outbox.refuse(Refusal.COMPRESSION, origin, node)
                continue
            stats.rx_compress_time.note(clock_ns() - began_ns)
            stats.rx_compressed_packets += 1
            stats.rx_compressed_original_bytes += len(whole)
            stats.rx_compressed_size_bytes += len(frame)
            found.append(whole)
        return found

    def _pass(self, frames: list[Received], origin: Origin, node: int, *, is_for_all: bool) -> None:
        """Sort frames into messages and tokens; those for one node must be for us."""
        messages, tokens = self._messages, self._tokens
        for received in frames:
            if is_for_all and isinstance(received, FrameBlob) and only_mcasts(*received):
                messages.append(received)
                continue
            for frame in singly([received]):
                if not is_for_all and not _is_for(frame, self._nodeid):
                    self._outbox.refuse(Refusal.NOT_FOR_US, origin, node)
                elif len(frame) > _TYPE_AT and frame[_TYPE_AT] in _TOKENS:
                    tokens.append(frame)
                else:
                    messages.append(frame)

    def _sender(self, origin: Origin) -> int:
        """Name the node of a packet that cannot be read, by where it comes from."""
        return self._table.nodeid_at(origin.link, origin.source)

    def _host(self, node: int, origin: Origin) -> Host | None:
        host = self._table.hosts.get(node)
        if host is None:
            cause = Refusal.OWN_NODEID if node == self._nodeid else Refusal.UNKNOWN_NODE
            self._outbox.refuse(cause, origin, node)
        return host

    def _is_genuine(self, host: Host, origin: Origin, *, strictly: bool = True) -> bool:
        """
        Tell whether what arrived comes from where the host is on this network.

        :param strictly: False to hear a host of any address but those of its other links.
        """
        link = host.links.get(origin.link)
        address = host_of(origin.source)
        if link is not None and (link.params.address == address):
            return True
        if host.has_address(address):
            self._outbox.refuse(Refusal.SWAPPED_LINKS, origin, host.nodeid)
            return False
        if link is None or strictly:
            self._outbox.refuse(Refusal.WRONG_ADDRESS, origin, host.nodeid)
            return False
        return True

    def _take_control(self, packet: bytes, origin: Origin) -> None:
        """Take a ping, a pong or a probe of the MTU."""
        try:
            message = decode(packet)
        except MalformedFrame:
            self._outbox.refuse(Refusal.MALFORMED, origin, self._sender(origin))
            return
        host = self._host(message.node, origin)
        if host is None:
            return
        if message.link != origin.link:
            self._outbox.refuse(Refusal.SWAPPED_LINKS, origin, message.node)
            return
        if not self._is_genuine(host, origin, strictly=self.access_lists):
            return
        link = host.links[message.link]
        length, now_ns = len(packet), origin.now_ns
        if isinstance(message, Ping):
            if message.kind == PacketType.PING:
                self._heartbeat.on_ping(host, link, message, length, origin)
            else:
                self._heartbeat.on_pong(host, link, message, length, origin)
        elif message.kind == PacketType.PMTUD:
            self._discovery.on_probe(link, message, length)
        elif not self._discovery.on_reply(link, message, length, now_ns):
            self._outbox.count(Refusal.PMTUD_UNASKED)


def singly(frames: Sequence[Received]) -> list[Buffer]:
    """Give each frame by itself."""
    found: list[Buffer] = []
    for frame in frames:
        if isinstance(frame, FrameBlob):
            found.extend(frame.frames())
        else:
            found.append(frame)
    return found


def _is_for(frame: Buffer, nodeid: int) -> bool:
    """Tell whether a Totem frame names us, or nobody, as its target."""
    if len(frame) < _TARGET_END:
        return False
    layout = _TARGET_BIG if frame[0] == _BIG_ENDIAN_FIRST else _TARGET
    target: int = layout.unpack_from(frame, TARGET_AT)[0]
    return target in {0, nodeid}
