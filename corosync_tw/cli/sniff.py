"""
``corosync-tw sniff``: what nodes say to each other, from an interface or a file of packets.

Each frame is one line: when, from whom, to whom, and what the formats in it say that matters. What
is sealed is shown as sealed, unless --key is given. Frames are recognized on every port; on the
ports of Corosync, what is not recognized is shown as well.
"""

import json
import re
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from corosync_tw.cli.running import complain
from corosync_tw.cli.sniff_live import ANY, LiveCapture
from corosync_tw.corotypes import RingId
from corosync_tw.dissect import capture
from corosync_tw.dissect.capture import CaptureError, Packet
from corosync_tw.dissect.lua import script
from corosync_tw.dissect.opening import Opener
from corosync_tw.dissect.sniffer import Frame, Sniffer
from corosync_tw.dissect.table import KINDS
from corosync_tw.dissect.text import block, document, line
from corosync_tw.errors import CsError
from corosync_tw.net.crypto.settings import KEY_LEN_BYTES_MAX, KEY_LEN_BYTES_MIN

_STDIN: Final = "-"
_RING: Final = re.compile(r"(\d+)\.([0-9a-fA-F]+)")
_NUMBER_MAX: Final = 0xFFFFFFFF


def add_parser(tools: Any) -> None:
    """Describe the tool."""
    parser: ArgumentParser = tools.add_parser(
        "sniff",
        help="show the frames of a ring, from an interface or a file of packets",
        description=(__doc__ or "").partition("\n\n")[2],
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-i", "--interface", default=ANY, metavar="NAME", help="listen there (any)")
    where.add_argument(
        "-r", "--read", metavar="FILE", help="read a pcap or pcapng file; - is standard input"
    )
    where.add_argument(
        "--lua", action="store_true", help="print a dissector for Wireshark and tshark instead"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("-v", "--verbose", action="store_true", help="show all fields")
    how.add_argument("--json", action="store_true", help="one JSON object a frame")
    parser.add_argument("--counts", action="store_true", help="show no frame, count them alone")
    parser.add_argument(
        "-c", "--count", type=_numbers(1), metavar="N", help="end after so many frames"
    )
    parser.add_argument(
        "--type", type=_types, metavar="TYPE,...", help=f"frames of these: {', '.join(KINDS)}"
    )
    parser.add_argument(
        "--nodeid", type=_list_of(_numbers(0)), metavar="ID,...", help="frames of these nodes"
    )
    parser.add_argument("--ring", type=_ring, metavar="REP.SEQ", help="frames of this ring: 1.2f4")
    parser.add_argument(
        "--port", type=_ports, metavar="PORT,FROM-TO,...", help="datagrams of these ports alone"
    )
    parser.add_argument("--key", metavar="FILE", help="open what this key has sealed (authkey)")
    parser.set_defaults(run=main)


def main(args: Namespace) -> None:
    """Run the tool. Raises: SystemExit."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if args.lua:
        print(script(), end="")
        return
    try:
        raise SystemExit(_Run(args).run())
    except CsError as fault:
        complain(str(fault))
        raise SystemExit(1) from fault


class _Run:
    """One run: where packets come from, and which frames are shown."""

    def __init__(self, args: Namespace) -> None:
        self._args = args
        opener = Opener(read_key(args.key)) if args.key else None
        self._sniffer = Sniffer(opener, args.port)
        self._live: LiveCapture | None = None
        self._shown = 0

    def run(self) -> int:
        """Show frames until there are no more, or it is told to end; the exit code."""
        code = 0
        with ExitStack() as opened:
            packets = self._packets(opened)
            # Someone who listens ends it by a signal, and wants the counts then.
            with suppress(KeyboardInterrupt):
                try:
                    self._show_all(packets)
                except CaptureError as fault:
                    complain(f"{self._args.read}: {fault}")
                    code = 1
            # It is told to end once, and then it ends.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            self._summary()
        return code

    def _packets(self, opened: ExitStack) -> Iterator[Packet]:
        if self._args.read:
            file = opened.enter_context(_open(self._args.read))
            try:
                return capture.read(file)
            except CaptureError as fault:
                raise CaptureError(f"{self._args.read}: {fault}") from fault
        self._live = LiveCapture(self._args.interface)
        opened.callback(self._live.close)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        print(f"listening on {self._args.interface}", file=sys.stderr, flush=True)
        return self._live.packets()

    def _show_all(self, packets: Iterator[Packet]) -> None:
        args = self._args
        for packet in packets:
            for frame in self._sniffer.take(packet):
                if not is_wanted(frame, args):
                    continue
                self._shown += 1
                if not args.counts:
                    self._show(frame)
                if self._shown == args.count:
                    return

    def _show(self, frame: Frame) -> None:
        if self._args.json:
            print(json.dumps(document(frame)))
        else:
            print(line(frame))
            if self._args.verbose:
                print("\n".join(block(frame)))
        if self._live is not None:
            sys.stdout.flush()

    def _summary(self) -> None:
        stats = self._sniffer.stats
        counts: dict[str, Any] = {
            "packets": stats.packets,
            "frames": dict(stats.frames.most_common()),
            "shown": self._shown,
            "faults": stats.faults,
            "ip_fragments": stats.ip_fragments,
            "dropped": self._live.dropped() + self._live.unreadable if self._live else 0,
        }
        if self._args.json and self._args.counts:
            print(json.dumps(counts))
            return
        out = sys.stdout if self._args.counts else sys.stderr
        sys.stdout.flush()
        print("\n".join(_as_text(counts)), file=out)


def _as_text(counts: dict[str, Any]) -> Iterator[str]:
    total = sum(counts["frames"].values())
    yield f"{counts['packets']} packets, {total} frames, {counts['shown']} of them shown"
    for kind, count in counts["frames"].items():
        yield f"  {kind:18} {count}"
    if counts["faults"]:
        yield f"{counts['faults']} frames are not as they should be"
    if counts["ip_fragments"]:
        yield f"{counts['ip_fragments']} packets are IP fragments, which are not put together"
    if counts["dropped"]:
        yield f"{counts['dropped']} packets were dropped by the kernel"


def is_wanted(frame: Frame, args: Namespace) -> bool:
    """Tell whether a frame passes the filters."""
    if args.type is not None and frame.kind not in args.type:
        return False
    if args.nodeid is not None and frame.nodeids().isdisjoint(args.nodeid):
        return False
    return args.ring is None or frame.ring() == args.ring


def read_key(path: str) -> bytes:
    """Read a cluster's key. Raises: CsError."""
    try:
        with open(path, "rb") as file:
            key = file.read(KEY_LEN_BYTES_MAX + 1)
    except OSError as fault:
        raise CsError(f"cannot read the key {path}: {fault.strerror}") from fault
    if not KEY_LEN_BYTES_MIN <= len(key) <= KEY_LEN_BYTES_MAX:
        raise CsError(
            f"{path} is no key of a cluster: it has to have {KEY_LEN_BYTES_MIN} to "
            f"{KEY_LEN_BYTES_MAX} bytes; totem.keyfile of corosync.conf names the right one"
        )
    return key


def _open(path: str) -> BinaryIO:
    if path == _STDIN:
        return sys.stdin.buffer
    try:
        return Path(path).open("rb")
    except OSError as fault:
        raise CsError(f"cannot read {path}: {fault.strerror}") from fault


def _numbers(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= _NUMBER_MAX:
            raise ArgumentTypeError(f"{text!r} is no number from {least} to {_NUMBER_MAX}")
        return int(text)

    return number


def _list_of(one: Callable[[str], int]) -> Callable[[str], frozenset[int]]:
    return lambda text: frozenset(map(one, text.split(",")))


def _types(text: str) -> frozenset[str]:
    wanted = frozenset(text.split(","))
    if unknown := wanted - set(KINDS):
        known = ", ".join(KINDS)
        raise ArgumentTypeError(f"no such type: {', '.join(sorted(unknown))}; there are {known}")
    return wanted


def _ring(text: str) -> RingId:
    found = _RING.fullmatch(text)
    if not found:
        raise ArgumentTypeError(f"{text!r} is no ring: REP.SEQ, as Corosync's log says it: 1.2f4")
    return RingId(int(found[1]), int(found[2], 16))


def _ports(text: str) -> frozenset[int]:
    ports: set[int] = set()
    for word in text.split(","):
        first, _, last = word.partition("-")
        last = last or first
        if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 65536):
            raise ArgumentTypeError(f"{word!r} is no port and no range of ports: 5405 or 5405-5412")
        ports.update(range(int(first), int(last) + 1))
    return frozenset(ports)
