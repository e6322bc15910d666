"""Packets of a link to frames of Totem: cut, opened, put together, decompressed, taken apart."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer
from corosync_tw.dissect.capture import Packet
from corosync_tw.dissect.decode import Layer, Value, dissect, layout_of
from corosync_tw.dissect.opening import Opener
from corosync_tw.dissect.packets import Fragment, datagram_of, split
from corosync_tw.dissect.table import KINDS, KNET, PORTS, SEALED, TOTEM
from corosync_tw.errors import MalformedFrame
from corosync_tw.net.crypto import guard
from corosync_tw.net.knet.compression import decompress
from corosync_tw.net.knet.wire import FRAME_LEN_BYTES_MAX

# Frames of which fragments are kept; one more, and the oldest is forgotten.
PARTIAL_MAX: Final = 64
GUARDED: Final = "guarded"
KNET_DATA: Final = "knet_data"
CUT: Final = "cut short by whoever captured it"


@dataclass(slots=True)
class Frame:
    """
    One datagram, understood.

    :ivar layers: outermost first.
    :ivar notes: what was done to it, or is wrong with it.
    """

    time_ns: int
    interface: str
    source: tuple[str, int]
    destination: tuple[str, int]
    len_bytes: int
    layers: list[Layer]
    notes: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """What it is: the innermost of its layers that is a kind; what recovery carries is none."""
        found = SEALED
        for layer in self.layers:
            if layer.layout.name in KINDS:
                found = layer.layout.name
                if found == "mcast":
                    break
        return found

    def find(self, name: str) -> Value | None:
        """Give the outermost field of that name; None when there is none."""
        for layer in self.layers:
            if name in layer.values:
                return layer.values[name]
        return None

    def nodeids(self) -> set[Value]:
        """Tell which nodes it is of: who sent it last, who made it, whose knet it came by."""
        names = ("nodeid", "system_from", "node")
        layers = [layer for layer in self.layers if layer.layout.name != "cpg_mcast"]
        return {layer.values[name] for layer in layers for name in names if name in layer.values}

    def ring(self) -> tuple[int, int] | None:
        """Tell of which ring it is: representative and number."""
        rep, seq = self.find("ring_id.rep"), self.find("ring_id.seq")
        return (rep, seq) if isinstance(rep, int) and isinstance(seq, int) else None


class _PartialKey(NamedTuple):
    node: int
    seq: int
    fragments: int
    compress: int
    destination: tuple[str, int]


@dataclass(slots=True)
class SnifferStats:
    """
    All start at 0 and only grow.

    :ivar packets: looked at.
    :ivar frames: found in them, by kind.
    :ivar faults: frames that are not as they should be.
    :ivar ip_fragments: packets that are pieces of datagrams.
    """

    packets: int = 0
    frames: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    ip_fragments: int = 0


class Sniffer:
    """
    Makes frames of packets.

    :ivar stats: counters.
    """

    def __init__(self, opener: Opener | None = None, ports: frozenset[int] | None = None) -> None:
        """
        Begin.

        :param ports: of which one end at least has to be; None: whatever is recognized on any port,
            and what is not on Corosync's own.
        """
        self._opener = opener
        self._ports = ports
        self._partial: dict[_PartialKey, dict[int, bytes]] = {}
        self.stats = SnifferStats()

    def take(self, packet: Packet) -> Iterator[Frame]:
        """Give the frames that are in a packet: none, one, or many that were joined."""
        self.stats.packets += 1
        datagram = datagram_of(packet)
        if isinstance(datagram, Fragment):
            self.stats.ip_fragments += 1
            return
        if datagram is None:
            return
        ends = {datagram.source[1], datagram.destination[1]}
        if self._ports is not None and ends.isdisjoint(self._ports):
            return
        named = self._ports is not None or not ends.isdisjoint(PORTS)
        for payload in split(datagram.payload, packet.segment_bytes):
            if not named and layout_of(payload) == SEALED:
                continue
            frame = Frame(
                packet.time_ns,
                packet.interface,
                datagram.source,
                datagram.destination,
                len(payload),
                [],
            )
            self._understand(frame, payload)
            if datagram.cut:
                frame.notes.append(CUT)
            self.stats.frames[frame.kind] += 1
            self.stats.faults += any(layer.fault for layer in frame.layers)
            yield frame

    def _understand(self, frame: Frame, payload: memoryview) -> None:
        begins = layout_of(payload)
        if self._opener is not None and begins != TOTEM:
            if begins == GUARDED:
                self._open_guarded(frame, payload, self._opener)
                return
            opened = self._opener.open_knet(payload)
            if opened is not None:
                content, how = opened
                frame.notes.append(f"sealed with {how}")
                payload, begins = memoryview(content), KNET
        frame.layers += dissect(payload, begins)
        if begins == KNET and frame.layers[-1].layout.name == KNET_DATA:
            self._unfold(frame)

    def _open_guarded(self, frame: Frame, payload: memoryview, opener: Opener) -> None:
        frame.layers += dissect(payload, GUARDED)
        content = opener.open_guarded(payload)
        if content is not None:
            frame.notes.append("sealed, opened with the key")
            if frame.layers[0].values["kind"] == guard.Kind.DATA:
                frame.layers += dissect(content)

    def _unfold(self, frame: Frame) -> None:
        """Put the fragments of a frame of knet together, and decompress it."""
        values = frame.layers[-1].values
        content = values.get("data")
        if frame.layers[-1].fault or not isinstance(content, bytes):
            return
        seq, count, place, compress = (
            values[name] for name in ("seq", "frag_num", "frag_seq", "compress")
        )
        node = frame.layers[0].values["node"]
        assert isinstance(count, int)
        assert isinstance(compress, int)
        whole: bytes | None = content
        if count > 1:
            key = _PartialKey(node, seq, count, compress, frame.destination)  # type: ignore[arg-type]
            assert isinstance(place, int)
            frame.notes.append(f"fragment {place} of {count}")
            whole = self._joined(key, place, content)
        if whole is None:
            return
        if compress:
            try:
                whole = decompress(compress, whole)
            except MalformedFrame as fault:
                frame.notes.append(str(fault))
                return
            frame.notes.append(f"{len(whole)} bytes when decompressed")
        frame.layers += dissect(whole, TOTEM)

    def _joined(self, key: _PartialKey, place: int, content: Buffer) -> bytes | None:
        """Give the frame when its last missing fragment is here."""
        if not 0 < place <= key.fragments:
            return None
        pieces = self._partial.setdefault(key, {})
        pieces[place] = bytes(content)
        if sum(map(len, pieces.values())) > FRAME_LEN_BYTES_MAX:
            del self._partial[key]
            return None
        if len(pieces) < key.fragments:
            if len(self._partial) > PARTIAL_MAX:
                del self._partial[next(iter(self._partial))]
            return None
        del self._partial[key]
        return b"".join(pieces[number] for number in range(1, key.fragments + 1))
