"""
Frames of the ring become data packets: numbered, cut for the lowest MTU, sent by the policy.

All frames of one call are cut by one call of a kernel into one piece of memory. Of that, the
fragments of a frame, or whole frames of one length that follow each other, are sent together, so
that the kernel can take them as one.

Source: libknet 1.25 threads_tx.c; corosync 3.1.7 exec/totemknet.c (target_nodeid).
Deviation: the round-robin policy changes links after each group of packets that are sent together;
libknet does after each frame.
"""

from array import array
from collections.abc import Callable
from itertools import accumulate
from operator import add, sub
from struct import Struct
from typing import Final

from corosync_tw.corotypes import Buffer
from corosync_tw.kernels.fragments import cut_frames
from corosync_tw.net.knet.compression import Compressor
from corosync_tw.net.knet.hosts import Host, HostTable, Routes
from corosync_tw.net.knet.outbox import Outbox
from corosync_tw.net.knet.pmtud import PmtuDiscovery
from corosync_tw.net.knet.stats import LinkStats
from corosync_tw.net.knet.wire import (
    CHANNEL,
    DATA_HEADER,
    DATA_HEADER_LEN_BYTES,
    SEQ_MAX,
    VERSION,
    PacketType,
    data_template,
    next_seq,
)
from corosync_tw.totem.runs import Datagrams, SentBlob, SentRun

# Data packets after which all hosts are told which seq we are at.
PING_EVERY_PACKETS: Final = SEQ_MAX // 8
# Place of a Totem frame's target_nodeid, which Corosync's filter reads.
TARGET_AT: Final = 9
_TARGET: Final = Struct("<I")
_TARGET_END: Final = TARGET_AT + _TARGET.size
_COMPRESS_AT: Final = 8
_BCAST_AT: Final = 10
_NO_BODY: Final = memoryview(b"")
_NO_ENDS: Final = array("I", (0, 0))


class Sender:
    """
    Numbers and sends frames.

    :ivar seq: of the last one, 0 before the first.
    :ivar loopback: counters of the link to ourselves, which stock has.
    :ivar unreachable: frames that were not sent because no host was there.
    """

    def __init__(  # noqa: PLR0917 - its collaborators
        self,
        nodeid: int,
        seq: int,
        table: HostTable,
        outbox: Outbox,
        discovery: PmtuDiscovery,
        ping_all: Callable[[int], None],
    ) -> None:
        """
        :param seq: of the last data packet sent, 0 for none.
        :param ping_all: tells all hosts our seq at a given time.
        """
        self.seq = seq
        self.loopback = LinkStats()
        self.unreachable = 0
        self.compressor: Compressor | None = None
        self._table = table
        self._outbox = outbox
        self._discovery = discovery
        self._ping_all = ping_all
        self._nodeid = nodeid
        self._to_all = data_template(nodeid)
        self._to_one = _with(self._to_all, _BCAST_AT, 0)

    def send_token(self, target: int, frame: bytes, now_ns: int) -> None:
        """Send one frame to one host."""
        host = self._table.hosts.get(target)
        if host is None or not host.reachable:
            self.unreachable += 1
            return
        frame = frame[:TARGET_AT] + _TARGET.pack(target) + frame[_TARGET_END:]
        if self._fits(len(frame)):
            routes: Routes = [(link, (target,)) for link in self._table.links_for(host)]
            self._send_packet(frame, 0, routes, now_ns, to_members_only=True)
            return
        template = self._to_one
        if self.compressor is not None:
            frame, template = self._compressed(frame, template)
        ends = array("I", (0, len(frame)))
        packets = self._cut(frame, ends, _NO_BODY, _NO_ENDS, template, now_ns)
        self._send_groups(packets, [len(frame)], host, to_members_only=True)

    def send_mcast(self, frames: Datagrams, now_ns: int, *, to_members_only: bool) -> None:
        """Send frames to all hosts, in order."""
        count = len(frames)
        if not count:
            return
        if isinstance(frames, SentRun):
            headers, header_ends = frames.headers, frames.header_ends
            body, body_ends = frames.body, frames.body_ends
            lengths = lengths_of(header_ends, body_ends)
        else:
            joined = [frame[0] if len(frame) == 1 else b"".join(frame) for frame in frames]
            lengths = list(map(len, joined))
            headers, header_ends = b"".join(joined), array("I", accumulate(lengths, initial=0))
            body, body_ends = _NO_BODY, array("I", bytes(4 * (count + 1)))
        self.loopback.tx_data_packets += count
        self.loopback.tx_data_bytes += sum(lengths)
        if not any(host.reachable for host in self._table.hosts.values()):
            self.unreachable += count
            return
        if count == 1 and self._fits(lengths[0]):
            routes = self._table.routes(to_members_only=to_members_only)
            frame = b"".join(next(iter(frames)))
            self._send_packet(frame, 1, routes, now_ns, to_members_only=to_members_only)
            return
        if self.compressor is not None:
            self._send_compressed(frames, now_ns, to_members_only=to_members_only)
            return
        packets = self._cut(headers, header_ends, body, body_ends, self._to_all, now_ns)
        self._send_groups(packets, lengths, None, to_members_only=to_members_only)

    def _fits(self, len_bytes: int) -> bool:
        """Tell whether a frame is one packet, as it is."""
        return self.compressor is None and len_bytes <= self._discovery.payload_mtu

    def _send_packet(
        self, frame: bytes, bcast: int, routes: Routes, now_ns: int, *, to_members_only: bool
    ) -> None:
        """Send a frame that fits a packet."""
        self._number(1, now_ns)
        header = DATA_HEADER.pack(
            VERSION, PacketType.DATA, self._nodeid, VERSION, 0, self.seq, 0, 0, bcast, 1, 0, CHANNEL
        )
        self._outbox.packet(
            routes, self._table.hosts, header + frame, to_members_only=to_members_only
        )

    def _number(self, count: int, now_ns: int) -> int:
        """Give the seq of the first of some frames; the last one's is ours then."""
        before = self.seq
        first = next_seq(before)
        self.seq = next_seq(before, count)
        if self.seq // PING_EVERY_PACKETS != before // PING_EVERY_PACKETS:
            # A host that hears nothing but pings learns where we are before its window is passed.
            self._ping_all(now_ns)
        return first

    def _send_compressed(self, frames: Datagrams, now_ns: int, *, to_members_only: bool) -> None:
        for pieces in frames:
            frame, template = self._compressed(b"".join(pieces), self._to_all)
            ends = array("I", (0, len(frame)))
            packets = self._cut(frame, ends, _NO_BODY, _NO_ENDS, template, now_ns)
            self._send_groups(packets, [len(frame)], None, to_members_only=to_members_only)

    def _compressed(self, frame: bytes, template: bytes) -> tuple[bytes, bytes]:
        """Give a frame, shorter if that can be, and the header that says which."""
        compressor, stats, clock_ns = self.compressor, self._outbox.stats, self._outbox.clock_ns
        assert compressor is not None
        if len(frame) > compressor.threshold_bytes:
            began_ns = clock_ns()
            shorter = compressor.compress(frame)
            stats.tx_compress_time.note(clock_ns() - began_ns)
            stats.tx_compressed_packets += 1
            stats.tx_compressed_original_bytes += len(frame)
            stats.tx_compressed_size_bytes += len(shorter)
            if len(shorter) < len(frame):
                return shorter, _with(template, _COMPRESS_AT, compressor.number)
        stats.tx_uncompressed_packets += 1
        return frame, template

    def _cut(  # noqa: PLR0917 - what the kernel takes
        self,
        headers: Buffer,
        header_ends: "array[int]",
        body: Buffer,
        body_ends: "array[int]",
        template: bytes,
        now_ns: int,
    ) -> bytes:
        first = self._number(len(header_ends) - 1, now_ns)
        return cut_frames(
            headers,
            header_ends,
            body,
            body_ends,
            template,
            first,
            self._discovery.payload_mtu,
        )

    def _send_groups(
        self, packets: bytes, lengths: list[int], host: Host | None, *, to_members_only: bool
    ) -> None:
        """Send the packets of some frames to one host, or by the routes to all."""
        table = self._table
        for group in groups_of(packets, lengths, self._discovery.payload_mtu):
            if host is not None:
                routes: Routes = [(link, (host.nodeid,)) for link in table.links_for(host)]
            else:
                routes = table.routes(to_members_only=to_members_only)
            self._outbox.data(routes, table.hosts, group, to_members_only=to_members_only)


def groups_of(packets: bytes, lengths: list[int], payload_mtu: int) -> list[SentBlob]:
    """
    Divide packets into those that are sent together: the fragments of a frame, or whole frames of
    one length and a shorter one behind them.

    :param lengths: of the frames.
    :param payload_mtu: bytes of a frame in one packet.
    """
    view = memoryview(packets)
    groups: list[SentBlob] = []
    start = at = stride = 0
    for length in lengths:
        fragments = -(-length // payload_mtu)
        end = at + length + fragments * DATA_HEADER_LEN_BYTES
        packet_bytes = end - at if fragments == 1 else payload_mtu + DATA_HEADER_LEN_BYTES
        continues = fragments == 1 and packet_bytes <= stride
        if not continues:
            if at > start:
                groups.append(SentBlob(view[start:at], stride))
            start, stride = at, packet_bytes
        if fragments > 1 or packet_bytes < stride:
            groups.append(SentBlob(view[start:end], stride))
            start, stride = end, 0
        at = end
    if at > start:
        groups.append(SentBlob(view[start:at], stride))
    return groups


def lengths_of(header_ends: "array[int]", body_ends: "array[int]") -> list[int]:
    """Give the lengths of frames in two parts, of each of which it is known where it ends."""
    ends = list(map(add, header_ends, body_ends))
    return list(map(sub, ends[1:], ends))


def _with(template: bytes, at: int, value: int) -> bytes:
    """Give a header with another byte in one place."""
    return template[:at] + bytes((value,)) + template[at + 1 :]
