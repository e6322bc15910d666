"""
The inspection service: a client of one node asks several nodes, each answers in pieces.

Called by the stack alone. An answer travels in the ring as other messages do, one piece at each
visit of the token, so that it takes little from applications; everybody hears it, the asker keeps
it.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from corosync_tw.corotypes import CS_OK, NS_PER_MS, Buffer, Slices
from corosync_tw.errors import (
    CsBusy,
    CsInvalidParam,
    CsNoMemory,
    CsNotExist,
    CsNotSupported,
    CsTimeout,
    CsTryAgain,
    MalformedFrame,
)
from corosync_tw.services.effects import ServiceEffect
from corosync_tw.services.inspection.effects import Answer, Inspect, InspectionEnded
from corosync_tw.services.inspection.wire import (
    ARGUMENT_LEN_BYTES_MAX,
    Ask,
    Part,
    decode,
    encode_ask,
    encode_part_head,
)

PART_LEN_BYTES: Final = 64 * 1024
ANSWER_LEN_BYTES_MAX: Final = 32 * 1024 * 1024
# Of all answers to clients' questions, and of all answers that a node has yet to send.
KEPT_LEN_BYTES_MAX: Final = 256 * 1024 * 1024
ANSWERS_MAX: Final = 16
REQUESTS_MAX: Final = 16
SILENCE_MS: Final = 10_000
_REQUEST_MASK: Final = 0xFFFFFFFF


class InspectionBus(Protocol):
    """
    What the engine may ask of the stack.

    :ivar now_ns: monotonic time of the step under way.
    """

    now_ns: int

    def inspection_mcast(self, slices: Slices, *, bulk: bool) -> None:
        """Queue a message for the inspection services of all members; raises CsTryAgain."""

    def emit(self, effect: ServiceEffect, /) -> None:
        """Add an effect for the driver."""


@dataclass(slots=True)
class _Coming:
    """An answer of which pieces have come."""

    total_bytes: int
    data: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class _Request:
    """A question of a local client."""

    conn: int
    deadline_ns: int
    waiting: dict[int, _Coming | None]
    answers: dict[int, Answer]
    kept_bytes: int = 0


@dataclass(slots=True)
class _Going:
    """An answer of ours on its way."""

    part: Part
    data: bytes
    sent_bytes: int = 0


class InspectionEngine:
    """
    The service of one node.

    :ivar malformed: pieces that did not fit what came before them.
    """

    def __init__(self, nodeid: int, bus: InspectionBus) -> None:
        self.malformed = 0
        self._nodeid = nodeid
        self._bus = bus
        self._last_request = 0
        self._requests: dict[int, _Request] = {}
        self._going: deque[_Going] = deque()
        self._members: frozenset[int] = frozenset()

    # For local clients

    def ask(
        self,
        conn: int,
        topic: int,
        argument: bytes,
        targets: Collection[int],
        deaf: Collection[int],
        *,
        alone: bool = False,
    ) -> None:
        """
        Ask nodes; InspectionEnded follows. This node is asked without the ring.

        :param deaf: members that know nothing of inspections.
        :param alone: nothing can be sent, and nobody but this node is asked.
        Raises CsTryAgain, CsBusy: a question of this client, or too many are under way;
        CsInvalidParam.
        """
        if len(argument) > ARGUMENT_LEN_BYTES_MAX:
            raise CsInvalidParam(f"an argument has at most {ARGUMENT_LEN_BYTES_MAX} bytes")
        if any(request.conn == conn for request in self._requests.values()):
            raise CsBusy("an inspection of this client is under way")
        if len(self._requests) >= REQUESTS_MAX:
            raise CsBusy(f"{REQUESTS_MAX} inspections are under way")
        answers: dict[int, Answer] = {}
        for nodeid in targets:
            if nodeid not in self._members:
                answers[nodeid] = _refusal(CsNotExist.code, "not in this ring")
            elif nodeid in deaf:
                answers[nodeid] = _refusal(CsNotSupported.code, "not a node of corosync_tw")
            elif alone and nodeid != self._nodeid:
                answers[nodeid] = _refusal(CsTryAgain.code, "messages do not come through now")
        asked = set(targets) - answers.keys()
        others = tuple(sorted(asked - {self._nodeid}))
        number = (self._last_request + 1) & _REQUEST_MASK
        if others:
            question = encode_ask(Ask(self._nodeid, number, topic, others, argument))
            self._bus.inspection_mcast((question,), bulk=False)
        self._last_request = number
        waiting: dict[int, _Coming | None] = dict.fromkeys(asked)
        self._requests[number] = _Request(conn, self._patience_ns(), waiting, answers)
        if self._nodeid in asked:
            self._bus.emit(Inspect(self._nodeid, number, topic, argument))
        self._end_if_done(number)

    def disconnect(self, conn: int) -> None:
        """Forget what a client asked."""
        for number in [n for n, request in self._requests.items() if request.conn == conn]:
            del self._requests[number]

    # For the daemon

    def answer(self, asker: int, request: int, topic: int, error: int, data: bytes) -> None:
        """Send what an Inspect asked for; an answer that is too long becomes an error."""
        if len(data) > ANSWER_LEN_BYTES_MAX:
            error, data = _refusal(CsNoMemory.code, f"an answer of {len(data)} bytes is too long")
        if asker == self._nodeid:
            self._take(asker, Part(asker, request, topic, error, len(data), 0, data))
            return
        kept_bytes = sum(len(going.data) for going in self._going)
        if len(self._going) >= ANSWERS_MAX or kept_bytes + len(data) > KEPT_LEN_BYTES_MAX:
            return
        part = Part(asker, request, topic, error, len(data), 0, b"")
        self._going.append(_Going(part, data))
        self.send_more()

    # For the stack

    def send_more(self) -> None:
        """Send the next piece of the first answer; called when the token was passed on."""
        if not self._going:
            return
        going = self._going[0]
        begin = going.sent_bytes
        end = min(begin + PART_LEN_BYTES, len(going.data))
        head = encode_part_head(going.part._replace(offset_bytes=begin))
        try:
            self._bus.inspection_mcast((head, memoryview(going.data)[begin:end]), bulk=True)
        except CsTryAgain:
            return
        going.sent_bytes = end
        if end == len(going.data):
            self._going.popleft()

    def deliver(self, nodeid: int, data: Buffer, big_endian: bool) -> None:
        """Take a message of a member's service; raises MalformedFrame."""
        message = decode(data, big_endian)
        if isinstance(message, Ask):
            if message.asker != nodeid:
                raise MalformedFrame(f"inspection question in the name of node {message.asker}")
            if self._nodeid in message.targets:
                self._bus.emit(Inspect(*message[:3], message.argument))
        elif message is not None and message.asker == self._nodeid:
            self._take(nodeid, message)

    def configuration_change(self, members: Collection[int]) -> None:
        """Count on nobody who is gone."""
        self._members = frozenset(members)
        self._going = deque(g for g in self._going if g.part.asker in self._members)
        for number, request in list(self._requests.items()):
            gone = sorted(request.waiting.keys() - self._members)
            for nodeid in gone:
                del request.waiting[nodeid]
                request.answers[nodeid] = _refusal(CsNotExist.code, "left the ring")
            self._end_if_done(number)

    def next_deadline(self) -> int | None:
        """Tell when advance() has something to do, absolute, in nanoseconds."""
        return min((r.deadline_ns for r in self._requests.values()), default=None)

    def advance(self, now_ns: int) -> None:
        """Give up those that were silent too long."""
        for number, request in list(self._requests.items()):
            if now_ns >= request.deadline_ns:
                text = f"no answer for {SILENCE_MS} ms"
                for nodeid in request.waiting:
                    request.answers[nodeid] = _refusal(CsTimeout.code, text)
                request.waiting.clear()
                self._end_if_done(number)

    def _take(self, nodeid: int, part: Part) -> None:
        request = self._requests.get(part.request)
        if request is None or nodeid not in request.waiting:
            return
        coming = request.waiting[nodeid]
        if coming is None:
            coming = request.waiting[nodeid] = _Coming(part.total_bytes)
            request.kept_bytes += part.total_bytes
        fits = part.total_bytes == coming.total_bytes and part.offset_bytes == len(coming.data)
        kept_bytes = sum(each.kept_bytes for each in self._requests.values())
        too_long = part.total_bytes > ANSWER_LEN_BYTES_MAX or kept_bytes > KEPT_LEN_BYTES_MAX
        if not fits or too_long:
            self.malformed += 1
            self._finish(part.request, nodeid, _refusal(CsNoMemory.code, "an unsound answer"))
            return
        coming.data += part.data
        if part.data:
            # Pieces of nothing would keep a question, and its client, waiting for ever.
            request.deadline_ns = self._patience_ns()
        if len(coming.data) == coming.total_bytes:
            self._finish(part.request, nodeid, Answer(part.error, bytes(coming.data)))

    def _finish(self, number: int, nodeid: int, answer: Answer) -> None:
        request = self._requests[number]
        del request.waiting[nodeid]
        request.answers[nodeid] = answer
        self._end_if_done(number)

    def _end_if_done(self, number: int) -> None:
        request = self._requests[number]
        if not request.waiting:
            del self._requests[number]
            answers: Mapping[int, Answer] = dict(sorted(request.answers.items()))
            self._bus.emit(InspectionEnded(request.conn, answers))

    def _patience_ns(self) -> int:
        return self._bus.now_ns + SILENCE_MS * NS_PER_MS


def _refusal(error: int, text: str) -> Answer:
    assert error != CS_OK
    return Answer(error, text.encode())
