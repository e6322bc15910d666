"""
Reads the files that tcpdump and Wireshark write: pcap and pcapng, in either byte order.

A file is read packet by packet, so that it may be as long as it likes and may come through a pipe;
what is kept of it at a time has a limit, whatever its lengths claim.

Source: IETF draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO, Final, NamedTuple

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.errors import CsError
from corosync_tw.printable import printable

# Longest packet that libpcap writes (MAXIMUM_SNAPLEN).
PACKET_LEN_BYTES_MAX: Final = 262_144
# A block of pcapng that holds a packet has its options behind it.
BLOCK_LEN_BYTES_MAX: Final = PACKET_LEN_BYTES_MAX + 65_536
INTERFACES_MAX: Final = 4096
_READ_LEN_BYTES: Final = 65_536

# First four bytes of a pcap file -> byte order, nanoseconds per unit of its times.
_PCAP: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
# Version, zone, accuracy, longest packet, link type; the magic is read before.
_PCAP_HEADER: Final = "HHiIII"
# Seconds, fraction, bytes kept, bytes on the wire.
_PCAP_RECORD: Final = "IIII"
_LINK_TYPE_MASK: Final = 0xFFFF

_SECTION: Final = 0x0A0D0D0A
_SECTION_BYTES: Final = b"\x0a\x0d\x0d\x0a"
_INTERFACE: Final = 1
_OLD_PACKET: Final = 2
_SIMPLE_PACKET: Final = 3
_PACKET: Final = 6
_BYTE_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
# A block's type and length, and its length again behind it.
_FRAME_LEN_BYTES: Final = 12
_OPTION_END: Final = 0
_OPTION_NAME: Final = 2
_OPTION_RESOLUTION: Final = 9
_RESOLUTION_BINARY: Final = 0x80
_MICROSECONDS: Final = 1_000_000


class CaptureError(CsError):
    """A file that is no capture, or a damaged one; the text says where."""


class Packet(NamedTuple):
    """
    What was seen on a link.

    :ivar time_ns: since the epoch.
    :ivar link: type of the link (LINKTYPE_*).
    :ivar data: as much as was kept of it.
    :ivar interface: empty when the file does not tell.
    :ivar segment_bytes: several datagrams of that length, the last maybe shorter, are one packet
        here, because the system cuts or joins them for the card; 0: they are not.
    """

    time_ns: int
    link: int
    data: bytes
    interface: str = ""
    segment_bytes: int = 0


class _Interface(NamedTuple):
    link: int
    name: str
    units_per_s: int


class _Source:
    """A file that is read once, from its beginning."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.at = 0

    def maybe(self, len_bytes: int) -> bytes:
        """Read as much as there is."""
        data = b""
        while len(data) < len_bytes:
            piece = self._file.read(min(len_bytes - len(data), _READ_LEN_BYTES))
            if not piece:
                break
            data += piece
        self.at += len(data)
        return data

    def take(self, len_bytes: int, what: str) -> bytes:
        """Read all of it; raises CaptureError."""
        start = self.at
        data = self.maybe(len_bytes)
        if len(data) < len_bytes:
            raise CaptureError(
                f"byte {start}: the file ends within {what}: {len(data)} of {len_bytes} bytes"
            )
        return data

    def skip(self, len_bytes: int, what: str) -> None:
        """Read past it; raises CaptureError."""
        while len_bytes > 0:
            step = min(len_bytes, _READ_LEN_BYTES)
            self.take(step, what)
            len_bytes -= step


def read(file: BinaryIO) -> Iterator[Packet]:
    """
    Give a file's packets, in its order.

    :raises CaptureError: when it comes to what is no packet; all before it were given.
    """
    source = _Source(file)
    magic = source.maybe(4)
    if magic in _PCAP:
        return _read_pcap(source, *_PCAP[magic])
    if magic == _SECTION_BYTES:
        return _Sections(source).packets()
    raise CaptureError(
        "neither a pcap nor a pcapng file: it begins with "
        f"{magic.hex(' ') or 'nothing'}; decompress it first if it is compressed"
    )


def _read_pcap(source: _Source, order: str, unit_ns: int) -> Iterator[Packet]:
    header, record = Struct(order + _PCAP_HEADER), Struct(order + _PCAP_RECORD)
    *_, link = header.unpack(source.take(header.size, "its header"))
    while head := source.maybe(record.size):
        if len(head) < record.size:
            raise CaptureError(
                f"byte {source.at - len(head)}: the file ends within a packet's head"
            )
        seconds, fraction, kept, _ = record.unpack(head)
        if kept > PACKET_LEN_BYTES_MAX:
            raise CaptureError(
                f"byte {source.at - record.size}: a packet of {kept} bytes; none is longer than "
                f"{PACKET_LEN_BYTES_MAX}, so the file is damaged"
            )
        data = source.take(kept, "a packet")
        yield Packet(seconds * NS_PER_S + fraction * unit_ns, link & _LINK_TYPE_MASK, data)


class _Sections:
    """A file of pcapng, whose first four bytes were read."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._order = "<"
        self._interfaces: list[_Interface] = []

    def packets(self) -> Iterator[Packet]:
        kind_bytes = _SECTION_BYTES
        while len(kind_bytes) == 4:
            if kind_bytes == _SECTION_BYTES:
                self._section()
            else:
                packet = self._block(self._number(kind_bytes))
                if packet is not None:
                    yield packet
            kind_bytes = self._source.maybe(4)
        if kind_bytes:
            raise CaptureError(f"byte {self._source.at}: the file ends within a block")

    def _number(self, data: bytes) -> int:
        return int.from_bytes(data, "little" if self._order == "<" else "big")

    def _section(self) -> None:
        length_bytes = self._source.take(4, "a section's head")
        magic = self._source.take(4, "a section's head")
        order = _BYTE_ORDERS.get(magic)
        if order is None:
            raise CaptureError(f"byte {self._source.at - 4}: no byte order mark of a section")
        self._order, self._interfaces = order, []
        length = self._length(length_bytes, 4)
        self._source.skip(length - _FRAME_LEN_BYTES - 4, "a section's head")
        self._ends(length)

    def _length(self, length_bytes: bytes, least: int = 0) -> int:
        length = self._number(length_bytes)
        if length % 4 or length < _FRAME_LEN_BYTES + least:
            raise CaptureError(f"byte {self._source.at - 4}: a block of {length} bytes")
        return length

    def _ends(self, length: int) -> None:
        if self._number(self._source.take(4, "a block")) != length:
            raise CaptureError(f"byte {self._source.at - 4}: a block's two lengths differ")

    def _block(self, kind: int) -> Packet | None:
        length = self._length(self._source.take(4, "a block's head"))
        body_len = length - _FRAME_LEN_BYTES
        packet = None
        if kind in {_INTERFACE, _PACKET, _SIMPLE_PACKET, _OLD_PACKET}:
            if body_len > BLOCK_LEN_BYTES_MAX:
                raise CaptureError(f"byte {self._source.at - 8}: a block of {length} bytes")
            body = self._source.take(body_len, "a block")
            if kind == _INTERFACE:
                self._add(body)
            else:
                packet = self._packet(kind, body)
        else:
            self._source.skip(body_len, "a block")
        self._ends(length)
        return packet

    def _add(self, body: bytes) -> None:
        if len(self._interfaces) >= INTERFACES_MAX:
            raise CaptureError(f"byte {self._source.at}: more than {INTERFACES_MAX} interfaces")
        (link,) = self._fields("H", body)
        name, units = "", _MICROSECONDS
        for code, content in self._options(body[8:]):
            if code == _OPTION_NAME:
                name = printable(content.rstrip(b"\0").decode(errors="replace"))
            elif code == _OPTION_RESOLUTION and content:
                power = content[0] & ~_RESOLUTION_BINARY
                units = 2**power if content[0] & _RESOLUTION_BINARY else 10**power
        self._interfaces.append(_Interface(link, name, units))

    def _options(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        head = Struct(self._order + "HH")
        at = 0
        while at + head.size <= len(data):
            code, length = head.unpack_from(data, at)
            if code == _OPTION_END:
                return
            at += head.size
            yield code, data[at : at + length]
            at += (length + 3) & ~3

    def _fields(self, layout: str, body: bytes) -> tuple[int, ...]:
        codec = Struct(self._order + layout)
        if len(body) < codec.size:
            raise CaptureError(f"byte {self._source.at}: a block is too short for what it is")
        return codec.unpack_from(body)

    def _packet(self, kind: int, body: bytes) -> Packet:
        if kind == _SIMPLE_PACKET:
            (kept,) = self._fields("I", body)
            # It has no length of its own when the interface kept less than came.
            return self._made(0, 0, body[4:][:kept])
        number, high, low, kept, _ = self._fields("IIIII", body)
        if kind == _OLD_PACKET:
            number, _, high, low, kept, _ = self._fields("HHIIII", body)
        data = body[20 : 20 + kept]
        if len(data) < kept:
            raise CaptureError(f"byte {self._source.at}: a packet is longer than its block")
        return self._made(number, high << 32 | low, data)

    def _made(self, number: int, time: int, data: bytes) -> Packet:
        if number >= len(self._interfaces):
            raise CaptureError(
                f"byte {self._source.at}: a packet of an interface that is not there"
            )
        link, name, units = self._interfaces[number]
        return Packet(time * NS_PER_S // units, link, data[:PACKET_LEN_BYTES_MAX], name)
