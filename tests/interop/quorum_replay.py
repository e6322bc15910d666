"""
Our votequorum in the place of stock's: told what a node of vqsim was told, it has to answer alike.

Compared are, in order and after every single input: each message that a node sends (its votes,
expected votes and flags are in it), each quorum report with its members, each count of votes with
the state, the votes and the expected votes of all known nodes and the device, and the timers.
"""

import re
from contextlib import suppress
from struct import unpack_from
from typing import Any

from corosync_tw.corotypes import Guarantee, RingId, Slices
from corosync_tw.errors import CsError
from corosync_tw.services.votequorum.engine import VotequorumEngine
from corosync_tw.services.votequorum.outbox import encode_info
from corosync_tw.services.votequorum.params import VotequorumParams
from corosync_tw.services.votequorum.wire import (
    QDEVICE_REG_ID,
    NodeFlags,
    decode_qdevice_reg,
)
from tests.interop.quorum_cases import WINDOW_MS
from tests.interop.vqsim import Event

QUIT, SYNC, QUORUM, EXEC, QDEVICE = 1, 2, 3, 4, 5
HEADER_LEN = 12
SYNC_TIMER_NS = 10_000_000
DEVICE_NAME = b"VQsim_qdevice"
CONN = 1
WINDOW_NS = WINDOW_MS * 1_000_000
COUNT = re.compile(r"total_votes=(\d+), expected_votes=")
NODE = re.compile(r"node (\d+) state=(\d+), votes=(\d+)(?:, expected=(\d+))?")


class RecordingBus:
    """A ServiceBus that keeps what it is given."""

    def __init__(self, answers: list[Any]) -> None:
        self.now_ns = 0
        self._answers = answers

    def mcast(self, slices: Slices, guarantee: Guarantee = Guarantee.AGREED) -> None:
        self._answers.append(("send", plain(b"".join(slices))))

    def sync_mcast(self, slices: Slices) -> None:
        self.mcast(slices)

    def emit(self, effect: object) -> None:
        """What clients and the log are told is no matter of the decision."""


def plain(message: bytes) -> Any:
    """Make messages comparable: stock sends whatever stood behind a name in its memory."""
    if unpack_from("<I", message)[0] == QDEVICE_REG_ID:
        return decode_qdevice_reg(message, False)
    return message


class Replay:
    """One node."""

    def __init__(self, params: VotequorumParams) -> None:
        self.nodeid = params.nodeid
        self.answers: list[Any] = []
        self.bus = RecordingBus(self.answers)
        self.ring_id = RingId(0, 0)
        self._device_known = False
        self.engine = VotequorumEngine(params, self._set_quorum, self.bus)
        self.hello = encode_info(self.engine.us)
        self._watch_counts()

    def _set_quorum(self, quorate: bool, members: tuple[int, ...], ring_id: RingId) -> None:
        self.answers.append(("quorum", quorate, members, ring_id))
        self.ring_id = ring_id

    def _watch_counts(self) -> None:
        """Note what each count counts."""
        voting = self.engine.voting
        needed = voting.needed

        def watched(*args: Any, **options: Any) -> tuple[int, int]:
            device = voting.nodes.device
            members = voting.nodes.members()
            self.answers.append(("count", sum(n.votes for n in members) + device.votes))
            for n in voting.nodes:
                self.answers.append(("node", n.nodeid, n.state, n.votes, n.expected_votes))
            if voting.us.flags & NodeFlags.QDEVICE_CAST_VOTE:
                self.answers.append(("node", 0, 1, device.votes, None))
            return needed(*args, **options)

        voting.needed = watched  # type: ignore[method-assign]

    def run(self, events: list[Event]) -> str | None:
        """Go through a trace; describe the first difference."""
        begin = next((i for i, e in enumerate(events) if e.kind == "set"), None)
        if begin is None:
            return None
        # One that is quorate all alone says so before its first ring; we say it with the ring.
        said = [answer for e in events[:begin] if e.kind == "out" for answer in _answers(e)]
        if [answer for answer in said if answer[0] == "send"] != [("send", self.hello)]:
            return f"first message: stock {said}, ours {self.hello.hex()}"
        self.bus.now_ns = events[begin].at_ns
        self.engine.sync_init((self.nodeid,), (self.nodeid,), RingId(self.nodeid, 1))
        stocks: list[Any] = []
        told = "the first ring"
        for event in events[begin + 1 :]:
            if event.kind in {"in", "due"}:
                if sorted(stocks, key=_timers_last) != self.answers:
                    return self._difference(told, stocks)
                stocks.clear()
                self.answers.clear()
                told = f"{event.kind} {event.rest}"
                self._tell(event)
            else:
                stocks += _answers(event)
        same = sorted(stocks, key=_timers_last) == self.answers
        return None if same else self._difference(told, stocks)

    def _difference(self, told: str, stocks: list[Any]) -> str:
        return f"after {told}:\n stock {stocks}\n ours  {self.answers}"

    def _tell(self, event: Event) -> None:
        self.bus.now_ns = event.at_ns
        before_ns = self.engine.next_deadline()
        if event.kind == "in":
            self._on_message(bytes.fromhex(event.rest))
        else:
            self._on_timer(*map(int, event.rest.split()), event.at_ns)
        deadline_ns = self.engine.next_deadline()
        if deadline_ns not in {None, before_ns}:
            self.answers.append(("timer", deadline_ns - event.at_ns))

    def _on_timer(self, length_ns: int, of_device: int, now_ns: int) -> None:
        engine = self.engine
        if of_device or length_ns == WINDOW_NS:
            engine.advance(now_ns)
        elif length_ns == SYNC_TIMER_NS:
            if engine.sync_process():
                engine.sync_activate()
        else:
            self._poll(True)

    def _on_message(self, data: bytes) -> None:
        engine = self.engine
        kind, sender, number = unpack_from("<iii", data)
        if kind == SYNC:
            nodeid, seq, count = unpack_from("<IQQ", data, HEADER_LEN)
            members = unpack_from(f"<{count}I", data, HEADER_LEN + 20)
            engine.sync_init((), members, RingId(nodeid, seq))
        elif kind == EXEC:
            message = data[HEADER_LEN:]
            function = unpack_from("<I", message)[0] & 0xFFFF
            engine.exec_handlers()[function](sender, 0, message, False)
        elif kind == QDEVICE:
            if not number:
                self._poll(False)
            elif not self._device_known:
                with suppress(CsError):
                    engine.qdevice_register(CONN, DEVICE_NAME)
                    self._device_known = True

    def _poll(self, cast_vote: bool) -> None:
        with suppress(CsError):
            self.engine.qdevice_poll(DEVICE_NAME, cast_vote, self.ring_id, self.bus.now_ns)


def _timers_last(answer: Any) -> bool:
    return bool(answer[0] == "timer")


def _answers(event: Event) -> list[Any]:
    if event.kind == "log":
        count = COUNT.match(event.rest)
        if count:
            return [("count", int(count[1]))]
        node = NODE.match(event.rest)
        assert node is not None, event.rest
        return [("node", *(None if word is None else int(word) for word in node.groups()))]
    if event.kind == "set":
        length_ns, of_device = map(int, event.rest.split())
        return [("timer", length_ns)] if of_device or length_ns == WINDOW_NS else []
    if event.kind != "out":
        return []
    data = bytes.fromhex(event.rest)
    (kind,) = unpack_from("<i", data)
    if kind == EXEC:
        return [("send", plain(data[HEADER_LEN:]))]
    assert kind == QUORUM, data.hex()
    quorate, nodeid, seq = unpack_from("<iIQ", data, HEADER_LEN)
    (count,) = unpack_from("<Q", data, 32)
    return [("quorum", bool(quorate), unpack_from(f"<{count}I", data, 40), RingId(nodeid, seq))]
