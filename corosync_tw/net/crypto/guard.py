"""
Authenticated datagrams between nodes of ours, for udp and udpu; stock peers know nothing of them.

    marker, kind, key id, type, nodeid u32, boot u64, counter u64 (24 bytes, big-endian) |
    encrypted frame | tag of all (16 bytes)

The type is where Totem's frames have theirs and says mcast message, so that what the kernel brings
in one piece is left in one piece.

The tag is checked before anything else is read. A counter is taken once; a process (nodeid and
boot) is believed once it has answered a question that only a living process can answer, so that
what was recorded while another process of that node lived is worth nothing, also to a node that has
just started. Whoever hears an unknown process asks it, and drops its data until it has answered;
the ring asks for what was lost.

Keys change in steps, each of which all nodes take before the next one: to open with another key
what known processes seal with it, to seal with it, to forget the old one. A process keeps its boot
and its counter through all of them, so nobody is asked anew.

Deviation: stock has nothing of the kind on udp and udpu; its nodes cannot join.

Clock and random numbers are parameters; ``take_letters`` gives what is to be sent besides.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag

from corosync_tw.corotypes import NS_PER_MS, PROCESSOR_COUNT_MAX, Buffer, Slices
from corosync_tw.net.crypto.aead import TAG_LEN_BYTES, Aead, ClusterKey, nonce
from corosync_tw.net.crypto.replay import ReplayWindow
from corosync_tw.totem.const import MessageType

# No Totem frame begins so: stock's begin with 0xC0 or 0x70, those of 1.x with 0x00 to 0x05.
MARKER: Final = 0xA7
# marker, kind, key id, type, nodeid, boot; counter
_SENDER: Final = Struct(">BBBBIQ")
_COUNTER: Final = Struct(">Q")
HEADER: Final = Struct(">BBBBIQQ")
_TYPE: Final = int(MessageType.MCAST)
# Whom it is for, and what is asked.
_QUESTION: Final = Struct(">I16s")
HEADER_LEN_BYTES: Final = HEADER.size
OVERHEAD_BYTES: Final = HEADER_LEN_BYTES + TAG_LEN_BYTES
_ASKED_LEN_BYTES: Final = 16
BOOT_LEN_BYTES: Final = 8
_KEY_ID_OFFSET: Final = 2
COUNTER_MAX: Final = 2**64 - 1
# An unknown process is asked again, at most so often, as long as it sends.
ASK_INTERVAL_NS: Final = 50 * NS_PER_MS
# Processes that are being asked.
ASKED_MAX: Final = 2 * PROCESSOR_COUNT_MAX
# Letters that wait to be sent; later ones are lost, and asked for again.
LETTERS_MAX: Final = 2 * PROCESSOR_COUNT_MAX


class Kind(IntEnum):
    """What is in a datagram."""

    DATA = 0
    QUESTION = 1
    ANSWER = 2


_DATA: Final = int(Kind.DATA)


class Refused(IntEnum):
    """Why a datagram was dropped."""

    CLEAR = 1  # no datagram of ours: not encrypted, or another program's
    OTHER_KEY = 2  # sealed with another key or cipher
    FORGED = 3  # the tag is wrong
    REPLAYED = 4  # it came before, or is too old to tell
    REFLECTED = 5  # our own came back
    SAME_NODEID = 6  # another process has our nodeid, and the key
    UNPROVEN = 7  # of a process that has not answered yet
    CROWD = 8  # more nodeids than a ring can have


class Letter(NamedTuple):
    """A datagram that the guard wants sent to one node."""

    nodeid: int
    datagram: bytes


@dataclass(slots=True)
class GuardStats:
    """
    All start at 0 and only grow.

    :ivar rx_datagrams: opened.
    :ivar questions: asked, likewise ``answers`` given.
    :ivar processes: that proved to live.
    """

    rx_datagrams: int = 0
    questions: int = 0
    answers: int = 0
    processes: int = 0


class _Process:
    """A process of another node, as far as it is known."""

    __slots__ = ("aeads", "asked_ns", "boot", "question", "window")

    def __init__(self, boot: int, aeads: tuple[Aead, ...]) -> None:
        self.boot = boot
        # Of the key that we seal with, then of the other one.
        self.aeads = aeads
        self.window = ReplayWindow()
        self.question = b""
        self.asked_ns: int | None = None


class Guard:
    """
    Seals and opens the datagrams of one node.

    :ivar stats: counters.
    :ivar refused: how many datagrams were dropped, by cause.
    """

    def __init__(
        self,
        nodeid: int,
        key: ClusterKey,
        entropy: Callable[[int], bytes],
        now_ns: Callable[[], int],
        *,
        counter_start: int = 0,
    ) -> None:
        """
        Begin as a new process.

        :param entropy: gives so many random bytes.
        :param now_ns: monotonic clock.
        :param counter_start: counter before the first datagram; for tests.
        """
        self._nodeid = nodeid
        self._key = key
        # What known processes may seal with besides: the next key, or the last one.
        self._other: ClusterKey | None = None
        self._is_other_next = False
        self._entropy = entropy
        self._now_ns = now_ns
        self.stats = GuardStats()
        self.refused: dict[Refused, int] = dict.fromkeys(Refused, 0)
        self._counter = counter_start
        # Who proved to live, by nodeid; who is being asked, by nodeid and boot.
        self._known: dict[int, _Process] = {}
        self._asked: dict[tuple[int, int], _Process] = {}
        self._letters: list[Letter] = []
        self._begin()

    def _begin(self) -> None:
        self._boot = int.from_bytes(self._entropy(BOOT_LEN_BYTES), "big")
        self._take_key()

    def _take_key(self) -> None:
        """Seal with the key in use."""
        self._aead = self._key.of_sender(self._nodeid, self._boot)
        self._senders = {
            kind: _SENDER.pack(MARKER, kind, self._key.key_id, _TYPE, self._nodeid, self._boot)
            for kind in map(int, Kind)
        }

    # Changing keys

    @property
    def is_waiting(self) -> bool:
        """Whether another key is known that we do not seal with yet."""
        return self._is_other_next

    def prepare(self, key: ClusterKey) -> None:
        """Open, from now on, what known processes seal with another key, too."""
        self._set_keys(self._key, None if key.is_same(self._key) else key)
        self._is_other_next = self._other is not None

    def activate(self) -> None:
        """Seal with the key that was prepared; what the old one seals is still opened."""
        if self._other is None or not self._is_other_next:
            return
        self._is_other_next = False
        self._set_keys(self._other, self._key)
        # They are asked again, if they still speak.
        self._asked.clear()

    def forget_old(self) -> None:
        """Open nothing any more that an old key sealed."""
        if not self._is_other_next:
            self._set_keys(self._key, None)

    def _set_keys(self, key: ClusterKey, other: ClusterKey | None) -> None:
        self._key, self._other = key, other
        self._take_key()
        for nodeid, process in self._known.items():
            process.aeads = self._aeads_of(nodeid, process.boot)

    def _aeads_of(self, nodeid: int, boot: int) -> tuple[Aead, ...]:
        keys = (self._key,) if self._other is None else (self._key, self._other)
        return tuple(key.of_sender(nodeid, boot) for key in keys)

    # Sending

    def seal(self, frames: Iterable[Slices]) -> list[Slices]:
        """Seal frames, each given as slices; in order, the same number."""
        return [self._sealed(_DATA, b"".join(frame)) for frame in frames]

    def seal_one(self, frame: Buffer) -> bytes:
        """Seal one frame."""
        return b"".join(self._sealed(_DATA, frame))

    def _sealed(self, kind: int, content: Buffer) -> tuple[bytes, bytes]:
        if self._counter >= COUNTER_MAX:
            # Not in the life of any machine; the others ask us once more.
            self._counter = 0
            self._begin()
        self._counter = counter = self._counter + 1
        header = self._senders[kind] + _COUNTER.pack(counter)
        return header, self._aead.encrypt(nonce(kind, counter), content, header)

    def take_letters(self) -> list[Letter]:
        """Give up what is to be sent besides frames."""
        letters, self._letters = self._letters, []
        return letters

    # Receiving

    def open(self, datagram: Buffer) -> bytes | Refused | None:
        """
        Open a datagram.

        :return: the frame; None for what is between guards alone; or why it is dropped.
        """
        result = self._opened(datagram)
        if isinstance(result, Refused):
            self.refused[result] += 1
        return result

    def claimed_nodeid(self, datagram: Buffer) -> int | None:
        """Give the nodeid that a datagram claims; None when it is no datagram of a guard."""
        if len(datagram) < OVERHEAD_BYTES or datagram[0] != MARKER:
            return None
        nodeid: int = HEADER.unpack(datagram[:HEADER_LEN_BYTES])[4]
        return nodeid

    def _opened(self, datagram: Buffer) -> bytes | Refused | None:
        if len(datagram) < OVERHEAD_BYTES or datagram[0] != MARKER:
            return Refused.CLEAR
        header = datagram[:HEADER_LEN_BYTES]
        _, kind, key_id, _, nodeid, boot, counter = HEADER.unpack(header)
        if key_id != self._key.key_id:
            other = self._other
            if other is None or key_id != other.key_id:
                return Refused.OTHER_KEY
        process = self._known.get(nodeid)
        if process is None or process.boot != boot:
            return self._from_unknown(datagram, nodeid, boot)
        if not process.window.is_fresh(counter):
            return Refused.REPLAYED
        content = self._content(process, nonce(kind, counter), datagram, header)
        if content is None:
            return Refused.FORGED
        process.window.take(counter)
        if kind == _DATA:
            self.stats.rx_datagrams += 1
            return content
        if kind == Kind.QUESTION:
            self._answer(nodeid, content)
        return None

    def _content(
        self, process: _Process, number: bytes, datagram: Buffer, header: Buffer
    ) -> bytes | None:
        """Decrypt what a known process sealed with any key that we have; None: with no such key."""
        for place, aead in enumerate(process.aeads):
            try:
                content = aead.decrypt(number, datagram[HEADER_LEN_BYTES:], header)
            except InvalidTag:
                continue
            if place:
                # Who seals with the next key knows that all members of its ring have it.
                self.activate()
            return content
        return None

    def _from_unknown(self, datagram: Buffer, nodeid: int, boot: int) -> Refused | None:
        """Take a datagram of a process that has not proved to live; its data are dropped."""
        if nodeid == self._nodeid and boot == self._boot:
            return Refused.REFLECTED
        header = datagram[:HEADER_LEN_BYTES]
        if header[_KEY_ID_OFFSET] != self._key.key_id:
            return Refused.OTHER_KEY
        kind, counter = header[1], _COUNTER.unpack(header[-_COUNTER.size :])[0]
        process = self._asked.get((nodeid, boot)) or _Process(boot, self._aeads_of(nodeid, boot))
        try:
            content = process.aeads[0].decrypt(
                nonce(kind, counter), datagram[HEADER_LEN_BYTES:], header
            )
        except InvalidTag:
            return Refused.FORGED
        if nodeid == self._nodeid:
            return Refused.SAME_NODEID
        if nodeid not in self._known and len(self._known) >= PROCESSOR_COUNT_MAX:
            return Refused.CROWD
        if kind == Kind.ANSWER and process.question and content == process.question:
            self._believe(nodeid, process, counter)
            return None
        if kind == Kind.QUESTION:
            self._answer(nodeid, content)
        self._maybe_ask(nodeid, process)
        return Refused.UNPROVEN if kind == _DATA else None

    def _believe(self, nodeid: int, process: _Process, counter: int) -> None:
        process.window.take(counter)
        process.aeads = self._aeads_of(nodeid, process.boot)
        del self._asked[nodeid, process.boot]
        self._known[nodeid] = process
        self.stats.processes += 1

    def _maybe_ask(self, nodeid: int, process: _Process) -> None:
        """Ask a process to prove that it lives, unless it was asked just now."""
        now_ns = self._now_ns()
        if process.asked_ns is not None and now_ns - process.asked_ns < ASK_INTERVAL_NS:
            return
        if not process.question:
            process.question = _QUESTION.pack(nodeid, self._entropy(_ASKED_LEN_BYTES))
            self._asked[nodeid, process.boot] = process
            if len(self._asked) > ASKED_MAX:
                del self._asked[next(iter(self._asked))]
        process.asked_ns = now_ns
        self.stats.questions += 1
        self._post(nodeid, Kind.QUESTION, process.question)

    def _answer(self, nodeid: int, question: bytes) -> None:
        """Answer a question that is for us."""
        if len(question) == _QUESTION.size and _QUESTION.unpack(question)[0] == self._nodeid:
            self.stats.answers += 1
            self._post(nodeid, Kind.ANSWER, question)

    def _post(self, nodeid: int, kind: Kind, content: bytes) -> None:
        if len(self._letters) < LETTERS_MAX:
            self._letters.append(Letter(nodeid, b"".join(self._sealed(kind, content))))
